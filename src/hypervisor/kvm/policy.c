/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The policy that KVM can offer, and a domain's policy as CPUID of its vCPU.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/util.h"
#include "format/x86/policy.h"
#include "hypervisor/kvm/domain.h"

#define XEN_LEAVES  UINT32_C(0x40000000)
#define ENTRIES_MAX 256
#define LEAF_XSTATE UINT32_C(0xd)
#define SUBLEAVES   64 /* of LEAF_XSTATE: a bit of XCR0 each */

/* The leaves that a policy has in Xen: the others are the host's own, or KVM's. */
static bool in_policy(uint32_t leaf, uint32_t subleaf)
{
	if (leaf == GW_LEAF_FEATURES)
		return subleaf <= GW_XEN_MAX_SUBLEAF_7;
	if (leaf == LEAF_XSTATE)
		return subleaf < SUBLEAVES;
	return leaf == 1 || (leaf > GW_LEAF_EXTENDED && leaf <= GW_XEN_MAX_EXTENDED);
}

static bool has_subleaves(uint32_t leaf)
{
	return leaf == GW_LEAF_FEATURES || leaf == LEAF_XSTATE;
}

/*
 * The highest leaves are the most that Xen keeps of any guest, because a leaf of zeros costs
 * nothing. Leaf 0 names no vendor: a guest of any is taken, as by Xen up to 4.21.
 */
static size_t offered_leaves(const struct kvm_cpuid2 *from, struct gw_cpuid_leaf *to)
{
	size_t n = 0;

	to[n++] = (struct gw_cpuid_leaf){0, GW_CPUID_NO_SUBLEAF, GW_XEN_MAX_BASIC, 0, 0, 0};
	to[n++] = (struct gw_cpuid_leaf){
		GW_LEAF_EXTENDED, GW_CPUID_NO_SUBLEAF, GW_XEN_MAX_EXTENDED, 0, 0, 0};
	for (uint32_t i = 0; i < from->nent && n < ENTRIES_MAX; i++) {
		const struct kvm_cpuid_entry2 *e = &from->entries[i];

		if (!in_policy(e->function, e->index))
			continue;
		to[n] = (struct gw_cpuid_leaf){
			e->function, has_subleaves(e->function) ? e->index : GW_CPUID_NO_SUBLEAF,
			e->eax,	     e->ebx,
			e->ecx,	     e->edx};
		if (e->function == GW_LEAF_FEATURES && e->index == 0)
			to[n].a = GW_XEN_MAX_SUBLEAF_7;
		n++;
	}
	return n;
}

/* An MSR that describes the processor; 0 if KVM has none. */
static uint64_t feature_msr(int kvm, uint32_t index)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = {.head = {.nmsrs = 1}, .entry = {.index = index}};

	return ioctl(kvm, KVM_GET_MSRS, &msrs) == 1 ? msrs.entry.data : 0;
}

int gw_kvm_policy_host(int kvm, const struct gw_kvm_caps *caps, const struct gw_kvm_features *words,
		       struct gw_policy *policy, struct gw_error *err)
{
	struct gw_cpuid_leaf leaves[ENTRIES_MAX];
	struct gw_msr_entry msrs[] = {
		/* KVM emulates CPUID faulting on every processor. */
		{GW_MSR_PLATFORM_INFO, 0, GW_XEN_PLATFORM_INFO},
		{GW_MSR_ARCH_CAPABILITIES, 0, feature_msr(kvm, GW_MSR_ARCH_CAPABILITIES)},
	};
	struct gw_policy whole = {
		.leaves = leaves,
		.nr_leaves = offered_leaves(caps->cpuid, leaves),
		.msrs = msrs,
		.nr_msrs = GW_ARRAY_SIZE(msrs),
	};
	struct gw_cpu_feature hypervisor;

	if (gw_policy_copy(policy, &whole, err) < 0)
		return -1;
	if (gw_cpu_feature_find("hypervisor", &hypervisor) &&
	    gw_policy_set_feature(policy, &hypervisor, true, err) < 0)
		return -1;
	if (gw_machine_policy_change(policy, "offer", words->offer, true, err) < 0)
		return -1;
	return gw_machine_policy_change(policy, "lack", words->lack, false, err);
}

struct entries {
	struct kvm_cpuid2 *list;
	const struct gw_machine *m;
};

static void add(struct entries *to, uint32_t leaf, uint32_t subleaf)
{
	struct kvm_cpuid_entry2 *e = &to->list->entries[to->list->nent];
	uint32_t regs[4];

	if (to->list->nent == ENTRIES_MAX)
		return;
	gw_machine_cpuid(to->m, leaf, subleaf, regs);
	/* A subleaf of zeros is what a missing one gives as well. */
	if (subleaf > 0 && !regs[0] && !regs[1] && !regs[2] && !regs[3])
		return;
	*e = (struct kvm_cpuid_entry2){
		.function = leaf,
		.index = subleaf,
		.flags = has_subleaves(leaf) ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		.eax = regs[0],
		.ebx = regs[1],
		.ecx = regs[2],
		.edx = regs[3],
	};
	to->list->nent++;
}

static void add_range(struct entries *to, uint32_t first)
{
	uint32_t regs[4];

	gw_machine_cpuid(to->m, first, 0, regs);
	for (uint32_t leaf = first; leaf <= GW_MAX(regs[0], first); leaf++) {
		add(to, leaf, 0);
		for (uint32_t sub = 1; has_subleaves(leaf) && sub < SUBLEAVES; sub++)
			add(to, leaf, sub);
		if (leaf - first > GW_MAX(GW_XEN_MAX_BASIC, GW_XEN_MAX_EXTENDED & 0xffff))
			break;
	}
}

int gw_kvm_cpuid_set(struct gw_kvm *k, struct gw_error *err)
{
	const size_t size =
		sizeof(struct kvm_cpuid2) + ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2);
	struct kvm_cpuid2 *list = calloc(1, size);
	struct entries to = {list, &k->m};

	if (!list)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a vCPU's CPUID");
	add_range(&to, 0);
	add_range(&to, XEN_LEAVES);
	add_range(&to, GW_LEAF_EXTENDED);
	/* KVM takes no second list after the first entry, not even the same one. */
	if (k->cpuid && memcmp(k->cpuid, list, size) == 0) {
		free(list);
		return 0;
	}
	if (ioctl(k->vcpu, KVM_SET_CPUID2, list) < 0) {
		gw_fail_errno(err, "domain %u: giving its vCPU the CPU features", k->m.d.domid);
		free(list);
		return -1;
	}
	free(k->cpuid);
	k->cpuid = list;
	return 0;
}
