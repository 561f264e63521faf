/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain of Xen's, attached to and let go of: what it is, and its tables.
 */
#include <stdlib.h>

#include "base/util.h"
#include "hypervisor/xen/domain.h"
#include "hypervisor/xen/ranges.h"

/* An HVM guest has room for devices below 4 GiB; what finds no place there stands above. */
#define PFNS_BELOW_4G UINT64_C(0x100000)

/* A domain with fewer pages has not been built yet. Its highest pfn does not say so: Xen counts a
 * pfn where there is none, and may have put the page of the local APIC below 4 GiB. */
#define MEMORY_MIN 16u

/* 16 TiB; an owner may set no limit at all. */
#define MEMORY_MAX (UINT64_C(1) << 32)

static enum gw_shutdown_reason shutdown_reason(uint32_t flags)
{
	unsigned reason = flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;

	if (!(flags & XEN_DOMINF_shutdown))
		return GW_SHUTDOWN_NONE;
	/* A watchdog that fired, a soft reset: nothing that a save could go on with. */
	return reason <= SHUTDOWN_crash ? (enum gw_shutdown_reason)reason : GW_SHUTDOWN_CRASH;
}

static int info(struct gw_domain *d, struct gw_domain_info *out, struct gw_error *err)
{
	xc_domaininfo_t xen;

	if (gw_xen_getinfo(gw_xen_of(d)->host, d->domid, &xen, err) < 0)
		return -1;
	*out = (struct gw_domain_info){
		.type = d->type,
		.paused = xen.flags & XEN_DOMINF_paused,
		.shutdown = shutdown_reason(xen.flags),
		.max_vcpu_id = xen.max_vcpu_id,
		.nr_pages = xen.tot_pages,
	};
	return 0;
}

static int nr_pfns(struct gw_domain *d, uint64_t *nr, struct gw_error *err)
{
	if (gw_xen_nr_gpfns(d, nr, err) < 0)
		return -1;
	*nr = GW_MAX(*nr, gw_xen_of(d)->max_pfns);
	return 0;
}

/* An image that needs it was saved where a machine stopped its guest at any instruction. */
static int set_extra(struct gw_domain *d, const char *name, const void *blob, size_t len,
		     struct gw_error *err)
{
	return gw_fail(
		err, GW_UNSUPPORTED,
		"domain %u: the image carries state (%s) of godwit's built-in machine, which Xen cannot take over",
		d->domid, name);
}

static void close_domain(struct gw_domain *d)
{
	struct gw_xen_domain *x = gw_xen_of(d);

	gw_xen_pv_free(x);
	gw_xen_buffer_free(x->host, x->spare, GW_PAGE_TYPES_MAX * sizeof(uint64_t));
	gw_xen_buffer_free(x->host, x->dirty, x->dirty_pages / 8);
	free(x->known.present);
	gw_domain_fini(d);
	gw_xen_host_put(x->host);
	free(x);
}

static const struct gw_domain_ops domain_ops = {
	.head = GW_TABLE_HEAD(struct gw_domain_ops),
	/* A page that another domain gave back keeps its contents until somebody writes it. */
	.populate_zeroes = false,
	.logdirty_sees_own_writes = false,
	.info = info,
	.nr_pfns = nr_pfns,
	.page_types = gw_xen_page_types,
	.map = gw_xen_map,
	.unmap = gw_xen_unmap,
	.populate = gw_xen_populate,
	.close = close_domain,
	.ranges = gw_xen_ranges,
	.logdirty_start = gw_xen_logdirty_start,
	.logdirty_fetch_and_clear = gw_xen_logdirty_fetch_and_clear,
	.logdirty_peek = gw_xen_logdirty_peek,
	.logdirty_stop = gw_xen_logdirty_stop,
	.set_extra = set_extra,
	.seed_grants = gw_xen_seed_grants,
};

static const struct gw_domain_tables tables = {
	.ops = &domain_ops,
	.x86 = &gw_xen_x86_ops,
	.hvm = &gw_xen_hvm_ops,
	.pv = &gw_xen_pv_ops,
};

/*
 * The bound for the pfns of a new domain whose owner gives none. It is generous, because a guest
 * can have been given more pfns than memory; it only keeps a damaged image from asking for tables
 * of any size.
 */
static int bound_new_domain(struct gw_xen_domain *x, const xc_domaininfo_t *info,
			    struct gw_error *err)
{
	xc_physinfo_t machine = {0};

	if (info->tot_pages >= MEMORY_MIN)
		return 0;
	if (xc_physinfo(x->host->xch, &machine) < 0)
		return gw_xen_fail(err, "the memory of the machine");
	uint64_t pages = GW_MIN(GW_MAX(machine.total_pages, info->max_pages), MEMORY_MAX);

	x->max_pfns = PFNS_BELOW_4G + 4 * pages;
	return 0;
}

struct gw_domain *gw_xen_attach(struct gw_host *host, uint32_t domid, uint64_t max_pfns,
				struct gw_error *err)
{
	struct gw_xen_host *h = (struct gw_xen_host *)host;
	xc_domaininfo_t info;

	if (gw_xen_getinfo(h, domid, &info, err) < 0)
		return NULL;
	if (info.flags & XEN_DOMINF_dying) {
		gw_fail(err, GW_SYSTEM, "domain %u is being destroyed", domid);
		return NULL;
	}
	struct gw_xen_domain *x = calloc(1, sizeof(*x));

	if (!x) {
		gw_fail_errno(err, "domain %u", domid);
		return NULL;
	}
	x->host = h;
	x->max_pfns = max_pfns;
	if (gw_domain_init(&x->base,
			   info.flags & XEN_DOMINF_hvm_guest ? GW_GUEST_X86_HVM : GW_GUEST_X86_PV,
			   domid, &tables, err) < 0) {
		free(x);
		return NULL;
	}
	atomic_fetch_add(&h->users, 1);
	if (max_pfns == 0 && bound_new_domain(x, &info, err) < 0) {
		close_domain(&x->base);
		return NULL;
	}
	return &x->base;
}
