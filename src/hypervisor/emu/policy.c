/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The policy that the built-in machine's processor can offer. Unicorn's
 * own CPUID does not help: it claims less than Unicorn executes. So the list has the features that
 * Unicorn's translator executes (the unit test executes an instruction of each) and those of
 * insn.c.
 */
#include "base/util.h"
#include "format/x86/cpu_models.h"
#include "hypervisor/emu/domain.h"

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

int gw_emu_policy_host(struct gw_policy *policy, const char *lack, struct gw_error *err)
{
	struct gw_policy whole = {
		.leaves = (struct gw_cpuid_leaf *)leaves,
		.nr_leaves = GW_ARRAY_SIZE(leaves),
		.msrs = (struct gw_msr_entry *)msrs,
		.nr_msrs = GW_ARRAY_SIZE(msrs),
	};

	if (gw_policy_copy(policy, &whole, err) < 0)
		return -1;
	return gw_machine_policy_change(policy, "lack", lack, false, err);
}
