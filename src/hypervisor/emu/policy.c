/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The policy that the built-in machine's processor can offer, and the results of CPUID. Unicorn's
 * own CPUID does not help: it claims less than Unicorn executes. So the list has the features that
 * Unicorn's translator executes (the unit test executes an instruction of each) and those of
 * insn.c.
 */
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "format/x86/cpu_models.h"
#include "hypervisor/emu/domain.h"

#define XEN_BASE UINT32_C(0x40000000)
#define XEN_MAX	 (XEN_BASE + 5)

#define NONE GW_CPUID_NO_SUBLEAF

/*
 * Leaf 1 edx 0x1fcbfbfd: fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36
 * clflush acpi mmx fxsr sse sse2 ss htt. ecx 0xc2f82203: sse3 pclmul ssse3 cx16 sse4.1 sse4.2
 * x2apic movbe popcnt aes rdrand hypervisor. Leaf 7 ebx 0x01880309: fsgsbase bmi1 bmi2 erms adx
 * clflushopt clwb; ecx 4: umip. 0x80000001 ecx 0x171: lahf cr8_legacy abm sse4a 3dnowprefetch; edx
 * 0xedd3fbfd: leaf 1's copies, syscall nx mmxext page1gb rdtscp lm 3dnowext 3dnow. 0x80000008 ebx
 * bit 20: no EFER.LMSLE. 0x80000021 eax 4: lfence serialises.
 *
 * Some are offered only because images of Xen guests have them, although the machine lacks what
 * they name: an APIC (there is no page at its address: use of it stops the guest with a message),
 * syscall and nx (Unicorn ignores the bits of EFER), mce, mca, mtrr and acpi (their MSRs and ports
 * do nothing), umip and CPUID faulting (restrictions that are not enforced). The CPU models other
 * than "host" give a new guest none of them.
 *
 * The highest leaves are the most that Xen keeps of any guest, because a leaf of zeros costs
 * nothing. Leaf 0 names no vendor: a guest of any is taken.
 */
static const struct gw_cpuid_leaf leaves[] = {
	{0x0, NONE, GW_XEN_MAX_BASIC, 0, 0, 0},
	{0x1, NONE, 0x00060fb1, 0x00000800, 0xc2f82203, 0x1fcbfbfd},
	{0x7, 0, GW_XEN_MAX_SUBLEAF_7, 0x01880309, 0x00000004, 0},
	{0xd, 0, 0, 0, 0, 0},
	{0xd, 1, 0, 0, 0, 0},
	{0x80000000, NONE, GW_XEN_MAX_EXTENDED, 0, 0, 0},
	{0x80000001, NONE, 0x00060fb1, 0, 0x00000171, 0xedd3fbfd},
	{0x80000002, NONE, 0x77646f47, 0x62207469, 0x746c6975, 0x206e692d}, /* "Godwit built-in " */
	{0x80000003, NONE, 0x6863616d, 0x00656e69, 0, 0},		    /* "machine" */
	{0x80000004, NONE, 0, 0, 0, 0},
	{0x80000008, NONE, 0x00003028, 0x00100000, 0, 0},
	{0x80000021, NONE, 0x00000004, 0, 0, 0},
};

/* PLATFORM_INFO: CPUID faulting; ARCH_CAPABILITIES: none. */
static const struct gw_msr_entry msrs[] = {
	{GW_MSR_PLATFORM_INFO, 0, GW_XEN_PLATFORM_INFO},
	{GW_MSR_ARCH_CAPABILITIES, 0, 0},
};

static int take_away(struct gw_policy *policy, const char *name, struct gw_error *err)
{
	struct gw_cpu_feature feature;

	if (!gw_cpu_feature_find(name, &feature))
		return gw_fail(err, GW_USAGE, "lack=: unknown CPU feature \"%s\"", name);
	return gw_policy_set_feature(policy, &feature, false, err);
}

int gw_emu_policy_host(struct gw_policy *policy, const char *lack, struct gw_error *err)
{
	struct gw_policy whole = {
		.leaves = (struct gw_cpuid_leaf *)leaves,
		.nr_leaves = GW_ARRAY_SIZE(leaves),
		.msrs = (struct gw_msr_entry *)msrs,
		.nr_msrs = GW_ARRAY_SIZE(msrs),
	};
	char name[64];

	if (gw_policy_copy(policy, &whole, err) < 0)
		return -1;
	for (size_t n; lack && *lack; lack += n + (lack[n] == '+')) {
		n = strcspn(lack, "+");
		if (!n || n >= sizeof(name))
			return gw_fail(
				err, GW_USAGE,
				"lack= expects names of CPU features joined by +, not \"%s\"",
				lack);
		memcpy(name, lack, n);
		name[n] = '\0';
		if (take_away(policy, name, err) < 0)
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

int gw_emu_policy_set(struct gw_emu *e, const struct gw_policy *policy, struct gw_error *err)
{
	struct gw_policy copy = {0};
	struct lacks lacks = {0};

	if (gw_policy_compare(policy, &e->host_policy, note, &lacks))
		return gw_fail(err, GW_REFUSED, "the built-in machine does not have: %s",
			       lacks.text);
	if (gw_policy_copy(&copy, policy, err) < 0)
		return -1;
	gw_policy_free(&e->policy);
	e->policy = copy;
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
		regs[1] = GW_EMU_MSR_HYPERCALL;
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

void gw_emu_cpuid(const struct gw_emu *e, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	const struct gw_cpuid_leaf *l;

	memset(regs, 0, 4 * sizeof(regs[0]));
	if (leaf >= XEN_BASE && leaf <= XEN_MAX) {
		xen_leaf(leaf, regs);
		return;
	}
	if (!exists(&e->policy, leaf, subleaf))
		return;
	l = gw_policy_leaf(&e->policy, leaf, subleaf);
	if (!l)
		l = gw_policy_leaf(&e->policy, leaf, GW_CPUID_NO_SUBLEAF);
	if (!l || (l->subleaf != GW_CPUID_NO_SUBLEAF && l->subleaf != subleaf))
		return;
	regs[0] = l->a;
	regs[1] = l->b;
	regs[2] = l->c;
	regs[3] = l->d;
}
