/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The policy of a domain: checked against the host's, and what CPUID returns under it.
 */
#include <stdio.h>
#include <string.h>

#include "format/x86/policy.h"
#include "hypervisor/machine/machine.h"

#define XEN_BASE UINT32_C(0x40000000)
#define XEN_MAX	 (XEN_BASE + 5)
#define NONE	 GW_CPUID_NO_SUBLEAF

static int change(struct gw_policy *policy, const char *key, const char *name, bool on,
		  struct gw_error *err)
{
	struct gw_cpu_feature feature;

	if (!gw_cpu_feature_find(name, &feature))
		return gw_fail(err, GW_USAGE, "%s=: unknown CPU feature \"%s\"", key, name);
	return gw_policy_set_feature(policy, &feature, on, err);
}

int gw_machine_policy_change(struct gw_policy *policy, const char *key, const char *names, bool on,
			     struct gw_error *err)
{
	char name[64];

	for (size_t n; *names; names += n + (names[n] == '+')) {
		n = strcspn(names, "+");
		if (!n || n >= sizeof(name))
			return gw_fail(err, GW_USAGE,
				       "%s= expects names of CPU features joined by +, not \"%s\"",
				       key, names);
		memcpy(name, names, n);
		name[n] = '\0';
		if (change(policy, key, name, on, err) < 0)
			return -1;
	}
	return 0;
}

struct lacks {
	char text[600];
	size_t len;
};

static void note(void *opaque, const struct gw_policy_lack *lack)
{
	struct lacks *l = opaque;
	int n;

	if (l->len >= sizeof(l->text))
		return;
	n = snprintf(l->text + l->len, sizeof(l->text) - l->len, "%s%s", l->len ? ", " : "",
		     lack->text);
	l->len += n > 0 ? (size_t)n : 0;
}

int gw_machine_policy_set(struct gw_machine *m, const struct gw_policy *policy,
			  struct gw_error *err)
{
	struct gw_policy copy = {0};
	struct lacks lacks = {0};

	if (gw_policy_compare(policy, &m->host_policy, note, &lacks))
		return gw_fail(err, GW_REFUSED, "%s does not have: %s", m->ops->title, lacks.text);
	if (gw_policy_copy(&copy, policy, err) < 0)
		return -1;
	gw_policy_free(&m->policy);
	m->policy = copy;
	return 0;
}

static void xen_leaf(uint32_t leaf, uint32_t regs[4])
{
	if (leaf == XEN_BASE) {
		regs[0] = XEN_MAX;
		memcpy(&regs[1], "XenVMMXenVMM", 12);
	} else if (leaf == XEN_BASE + 1) {
		regs[0] = 4 << 16 | 17;
	} else if (leaf == XEN_BASE + 2) {
		regs[0] = 1; /* hypercall page */
		regs[1] = GW_MACHINE_MSR_HYPERCALL;
	}
}

/* Leaves above the highest of the policy do not exist, as in Xen. */
static bool exists(const struct gw_policy *policy, uint32_t leaf, uint32_t subleaf)
{
	uint32_t base = leaf & GW_LEAF_EXTENDED;
	const struct gw_cpuid_leaf *highest = gw_policy_leaf(policy, base, NONE);
	const struct gw_cpuid_leaf *features = gw_policy_leaf(policy, GW_LEAF_FEATURES, 0);

	if (leaf != base && highest && leaf > highest->a)
		return false;
	return leaf != GW_LEAF_FEATURES || !features || subleaf <= features->a;
}

void gw_machine_cpuid(const struct gw_machine *m, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	const struct gw_cpuid_leaf *l;

	memset(regs, 0, 4 * sizeof(regs[0]));
	if (leaf >= XEN_BASE && leaf <= XEN_MAX) {
		xen_leaf(leaf, regs);
		return;
	}
	if (!exists(&m->policy, leaf, subleaf))
		return;
	l = gw_policy_leaf(&m->policy, leaf, subleaf);
	if (!l)
		l = gw_policy_leaf(&m->policy, leaf, GW_CPUID_NO_SUBLEAF);
	if (!l || (l->subleaf != GW_CPUID_NO_SUBLEAF && l->subleaf != subleaf))
		return;
	regs[0] = l->a;
	regs[1] = l->b;
	regs[2] = l->c;
	regs[3] = l->d;
}
