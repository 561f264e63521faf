/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What x86 guests of both kinds have on Xen: CPU policy, TSC, the grants of their rings.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "hypervisor/xen/domain.h"

static int copy_leaves(struct gw_policy *to, const xen_cpuid_leaf_t *leaves, uint32_t n)
{
	to->leaves = calloc(n ? n : 1, sizeof(*to->leaves));
	if (!to->leaves)
		return -1;
	for (uint32_t i = 0; i < n; i++)
		to->leaves[i] = (struct gw_cpuid_leaf){
			.leaf = leaves[i].leaf,
			.subleaf = leaves[i].subleaf,
			.a = leaves[i].a,
			.b = leaves[i].b,
			.c = leaves[i].c,
			.d = leaves[i].d,
		};
	to->nr_leaves = n;
	return 0;
}

static int copy_msrs(struct gw_policy *to, const xen_msr_entry_t *msrs, uint32_t n)
{
	to->msrs = calloc(n ? n : 1, sizeof(*to->msrs));
	if (!to->msrs)
		return -1;
	for (uint32_t i = 0; i < n; i++)
		to->msrs[i] = (struct gw_msr_entry){
			.index = msrs[i].idx,
			.flags = msrs[i].flags,
			.value = msrs[i].val,
		};
	to->nr_msrs = n;
	return 0;
}

int gw_xen_policy_copy(struct gw_xen_host *h, const xc_cpu_policy_t *from, struct gw_policy *to,
		       struct gw_error *err)
{
	uint32_t nr_leaves, nr_msrs;

	*to = (struct gw_policy){0};
	if (xc_cpu_policy_get_size(h->xch, &nr_leaves, &nr_msrs) < 0)
		return gw_xen_fail(err, "the size of a CPU policy");
	/* The most that there can be; the real numbers come with the entries. */
	GW_FREE_ON_EXIT xen_cpuid_leaf_t *leaves = calloc(nr_leaves + 1, sizeof(*leaves));
	GW_FREE_ON_EXIT xen_msr_entry_t *msrs = calloc(nr_msrs + 1, sizeof(*msrs));

	if (!leaves || !msrs)
		return gw_fail_errno(err, "a CPU policy of %u leaves", nr_leaves);
	if (xc_cpu_policy_serialise(h->xch, from, leaves, &nr_leaves, msrs, &nr_msrs) < 0)
		return gw_xen_fail(err, "the entries of a CPU policy");
	if (copy_leaves(to, leaves, nr_leaves) == 0 && copy_msrs(to, msrs, nr_msrs) == 0)
		return 0;
	gw_fail_errno(err, "a CPU policy of %u leaves", nr_leaves);
	gw_policy_free(to);
	return -1;
}

static int get_policy(struct gw_domain *d, struct gw_policy *to, struct gw_error *err)
{
	struct gw_xen_host *h = gw_xen_of(d)->host;
	xc_cpu_policy_t *from = xc_cpu_policy_init();
	int r;

	if (!from)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a CPU policy");
	if (xc_cpu_policy_get_domain(h->xch, d->domid, from) < 0)
		r = gw_xen_fail(err, "domain %u: its CPU policy", d->domid);
	else
		r = gw_xen_policy_copy(h, from, to, err);
	xc_cpu_policy_destroy(from);
	return r;
}

/* What Xen names when it refuses a policy; all ones: it names none of that kind. */
struct refused {
	uint32_t leaf, subleaf, msr;
};

static int refuse(struct gw_domain *d, const struct refused *at, struct gw_error *err)
{
	const uint32_t none = GW_CPUID_NO_SUBLEAF;

	if (errno == EEXIST)
		return gw_fail(err, GW_BUSY,
			       "domain %u has run already: its CPU policy cannot change", d->domid);
	if (at->leaf != none && at->subleaf != none)
		return gw_xen_fail(err,
				   "domain %u: this host cannot give CPUID leaf 0x%x subleaf 0x%x",
				   d->domid, at->leaf, at->subleaf);
	if (at->leaf != none)
		return gw_xen_fail(err, "domain %u: this host cannot give CPUID leaf 0x%x",
				   d->domid, at->leaf);
	if (at->msr != none)
		return gw_xen_fail(err, "domain %u: this host cannot give MSR 0x%x", d->domid,
				   at->msr);
	return gw_xen_fail(err, "domain %u: this host cannot give the CPU policy", d->domid);
}

/* EINVAL, ERANGE, EPERM: the host looked at the policy and will not have it. */
static bool is_refusal(int errnum)
{
	return errnum == EINVAL || errnum == ERANGE || errnum == EPERM;
}

static int set_entries(struct gw_domain *d, uint32_t nr_leaves, xen_cpuid_leaf_t *leaves,
		       uint32_t nr_msrs, xen_msr_entry_t *msrs, struct gw_error *err)
{
	struct refused at = {
		.leaf = GW_CPUID_NO_SUBLEAF,
		.subleaf = GW_CPUID_NO_SUBLEAF,
		.msr = GW_CPUID_NO_SUBLEAF,
	};
	bool first = err && err->code == GW_OK;

	if (xc_set_domain_cpu_policy(gw_xen_xch(d), d->domid, nr_leaves, leaves, nr_msrs, msrs,
				     &at.leaf, &at.subleaf, &at.msr) == 0)
		return 0;
	refuse(d, &at, err);
	if (first && is_refusal(err->errnum)) {
		err->code = GW_REFUSED;
		err->errnum = 0;
	}
	return -1;
}

static int set_policy(struct gw_domain *d, const struct gw_policy *from, struct gw_error *err)
{
	GW_FREE_ON_EXIT xen_cpuid_leaf_t *leaves = calloc(from->nr_leaves + 1, sizeof(*leaves));
	GW_FREE_ON_EXIT xen_msr_entry_t *msrs = calloc(from->nr_msrs + 1, sizeof(*msrs));

	if (!leaves || !msrs)
		return gw_fail_errno(err, "a CPU policy of %zu leaves", from->nr_leaves);
	for (size_t i = 0; i < from->nr_leaves; i++) {
		const struct gw_cpuid_leaf *l = &from->leaves[i];

		leaves[i] = (xen_cpuid_leaf_t){l->leaf, l->subleaf, l->a, l->b, l->c, l->d};
	}
	for (size_t i = 0; i < from->nr_msrs; i++)
		msrs[i] = (xen_msr_entry_t){
			.idx = from->msrs[i].index,
			.flags = from->msrs[i].flags,
			.val = from->msrs[i].value,
		};
	return set_entries(d, (uint32_t)from->nr_leaves, leaves, (uint32_t)from->nr_msrs, msrs,
			   err);
}

static int get_tsc(struct gw_domain *d, struct gw_tsc_info *tsc, struct gw_error *err)
{
	*tsc = (struct gw_tsc_info){0};
	if (xc_domain_get_tsc_info(gw_xen_xch(d), d->domid, &tsc->mode, &tsc->nsec, &tsc->khz,
				   &tsc->incarnation) < 0)
		return gw_xen_fail(err, "domain %u: its TSC", d->domid);
	return 0;
}

static int set_tsc(struct gw_domain *d, const struct gw_tsc_info *tsc, struct gw_error *err)
{
	if (xc_domain_set_tsc_info(gw_xen_xch(d), d->domid, tsc->mode, tsc->nsec, tsc->khz,
				   tsc->incarnation) < 0)
		return gw_xen_fail(err, "domain %u: its TSC (mode %u, %u kHz)", d->domid, tsc->mode,
				   tsc->khz);
	return 0;
}

const struct gw_x86_ops gw_xen_x86_ops = {
	.head = GW_TABLE_HEAD(struct gw_x86_ops),
	.get_policy = get_policy,
	.set_policy = set_policy,
	.get_tsc = get_tsc,
	.set_tsc = set_tsc,
};

/* libxc leaves an entry alone whose gfn is all ones, as GW_INVALID_PFN is. */
int gw_xen_seed_grants(struct gw_domain *d, const struct gw_ring *store,
		       const struct gw_ring *console, struct gw_error *err)
{
	if (xc_dom_gnttab_seed(gw_xen_xch(d), d->domid, d->type == GW_GUEST_X86_HVM, console->gfn,
			       store->gfn, console->domid, store->domid) < 0)
		return gw_xen_fail(err, "domain %u: the grants of its xenstore and console rings",
				   d->domid);
	return 0;
}
