/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names of the MSRs that images carry: in policies, CPU_MSR entries and X86_PV_VCPU_MSRS records.
 */
#include "format/x86/policy.h"

#include "base/util.h"

static const struct {
	uint32_t index;
	const char *name;
} names[] = {
	{0x10, "TSC"},
	{0x3a, "FEATURE_CONTROL"},
	{0x3b, "TSC_ADJUST"},
	{0x48, "SPEC_CTRL"},
	{0x49, "PRED_CMD"},
	{0x8b, "PATCH_LEVEL"},
	{0xce, "PLATFORM_INFO"},
	{0x10a, "ARCH_CAPABILITIES"},
	{0x10b, "FLUSH_CMD"},
	{0x122, "TSX_CTRL"},
	{0x140, "MISC_FEATURES_ENABLES"},
	{0x1c4, "XFD"},
	{0x1d9, "DEBUGCTL"},
	{0x277, "PAT"},
	{0x6a0, "U_CET"},
	{0x6a2, "S_CET"},
	{0x6a4, "PL0_SSP"},
	{0x6a5, "PL1_SSP"},
	{0x6a6, "PL2_SSP"},
	{0x6a7, "PL3_SSP"},
	{0x6a8, "INTERRUPT_SSP_TABLE"},
	{0xd90, "BNDCFGS"},
	{0xda0, "XSS"},
	{0xc0000080, "EFER"},
	{0xc0000081, "STAR"},
	{0xc0000082, "LSTAR"},
	{0xc0000083, "CSTAR"},
	{0xc0000084, "SYSCALL_MASK"},
	{0xc0000100, "FS_BASE"},
	{0xc0000101, "GS_BASE"},
	{0xc0000102, "KERNEL_GS_BASE"},
	{0xc0000103, "TSC_AUX"},
	{0xc0011019, "DR1_ADDRESS_MASK"},
	{0xc001101a, "DR2_ADDRESS_MASK"},
	{0xc001101b, "DR3_ADDRESS_MASK"},
	{0xc0011027, "DR0_ADDRESS_MASK"},
	{0xc001011f, "VIRT_SPEC_CTRL"},
};

const char *gw_msr_name(uint32_t index)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(names); i++)
		if (names[i].index == index)
			return names[i].name;
	return NULL;
}
