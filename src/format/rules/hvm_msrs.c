/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for the MSRs of a vCPU in an HVM context: hvm_load_cpu_msrs() in
 * xen/arch/x86/hvm/hvm.c, guest_wrmsr() in xen/arch/x86/msr.c.
 */
#include "format/rules/hvm_internal.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/register_bits.h"

#define FIRST	   8 /* offset of the first MSR: after the count and padding */
#define ENTRY_SIZE 16

#define PLATFORM_INFO  UINT32_C(0xce)
#define CPUID_FAULTING (UINT64_C(1) << 31) /* of PLATFORM_INFO */
/* Bits of SPEC_CTRL that Xen 4.14 does not know: IPRED_DIS, RRSBA_DIS, BHI_DIS_S. */
#define SPEC_CTRL_NEW  UINT64_C(0x478)
#define BNDCFGS_ENABLE UINT64_C(1)
#define BNDCFGS_RSVD   UINT64_C(0xffc)
#define XCR0_MPX       UINT64_C(0x18)

/* The MSRs that Xen loads, the values that they may have, and the features that they need. */
static const struct msr {
	uint32_t index;
	const char *name;
	uint64_t allowed;	       /* bits */
	const char *feature;	       /* NULL: it needs none */
	struct gw_cpuid_bit any_of[2]; /* as in struct gw_register_bits */
} msrs[] = {
	{0x48, "SPEC_CTRL", UINT64_MAX, "ibrsb", {{7, 0, GW_EDX, 26}, {0x80000008, 0, GW_EBX, 14}}},
	{0x140, "MISC_FEATURES_ENABLES", 1, NULL, {{0}}},
	{0x6e1, "PKRS", UINT32_MAX, "pks", {{7, 0, GW_ECX, 31}}},
	{0xd90, "BNDCFGS", ~BNDCFGS_RSVD, "mpx", {{7, 0, GW_EBX, 14}}},
	{0xda0, "XSS", 0, "xsaves", {{0xd, 1, GW_EAX, 3}}},
	{0xc001011f, "VIRT_SPEC_CTRL", UINT64_MAX, "virt_ssbd", {{0x80000008, 0, GW_EBX, 25}}},
	{0xc0011027, "DR0_ADDRESS_MASK", UINT32_MAX, "dbext", {{0x80000001, 0, GW_ECX, 26}}},
	{0xc0011019, "DR1_ADDRESS_MASK", UINT32_MAX, "dbext", {{0x80000001, 0, GW_ECX, 26}}},
	{0xc001101a, "DR2_ADDRESS_MASK", UINT32_MAX, "dbext", {{0x80000001, 0, GW_ECX, 26}}},
	{0xc001101b, "DR3_ADDRESS_MASK", UINT32_MAX, "dbext", {{0x80000001, 0, GW_ECX, 26}}},
};

static bool has_feature(const struct gw_policy *policy, const struct msr *msr)
{
	if (!msr->feature)
		return true;
	for (size_t i = 0; i < GW_ARRAY_SIZE(msr->any_of) && msr->any_of[i].leaf; i++)
		if (gw_policy_bit(policy, &msr->any_of[i]) != GW_POLICY_NO)
			return true;
	return false;
}

/* Bits of value that the table's mask does not forbid, but the guest's policies do. */
static uint64_t denied_by_policy(const struct gw_hvm_check *check, const struct msr *msr,
				 uint64_t value)
{
	const struct gw_policy *policy = &check->rules->policy;
	const struct gw_msr_entry *platform = gw_policy_msr(policy, PLATFORM_INFO);
	const char *feature;

	if (msr->index == 0x48)
		return gw_register_denied(gw_hvm_spec_ctrl_bits, policy, value, &feature);
	if (msr->index == 0x140 && platform && !(platform->value & CPUID_FAULTING))
		return value;
	return 0;
}

/* BNDCFGS is a canonical address, and switched on only where the vCPU has the states of MPX. */
static int check_bndcfgs(const struct gw_hvm_check *check, uint64_t value)
{
	uint64_t accum = check->entry->instance < GW_HVM_VCPUS_MAX
				 ? check->xcr0_accum[check->entry->instance]
				 : XCR0_MPX;
	int64_t top = (int64_t)value >> 47;

	if (top != 0 && top != -1)
		return gw_hvm_broken(check, R_HVM_MSR_VALUE,
				     "BNDCFGS is 0x%" PRIx64 ", which is not canonical", value);
	if ((value & BNDCFGS_ENABLE) && !(accum & XCR0_MPX))
		return gw_hvm_broken(
			check, R_HVM_MSR_VALUE,
			"BNDCFGS 0x%" PRIx64
			" is enabled, but no CPU_XSAVE of this vCPU with MPX states came before it",
			value);
	return 0;
}

/* MSRs and bits that only a part of the releases load. */
static int check_newer(const struct gw_hvm_check *check, const struct msr *msr, uint64_t value)
{
	if (msr->index == 0x6e1)
		return gw_hvm_broken(check, R_HVM_MSR_PKRS, "it has PKRS 0x%" PRIx64, value);
	if (msr->index == 0xc001011f)
		return gw_hvm_broken(check, R_HVM_MSR_VIRT_SPEC_CTRL,
				     "it has VIRT_SPEC_CTRL 0x%" PRIx64, value);
	if (msr->index == 0x48 && (value & SPEC_CTRL_NEW))
		return gw_hvm_broken(check, R_HVM_MSR_SPEC_CTRL,
				     "SPEC_CTRL 0x%" PRIx64 " has the bits 0x%" PRIx64, value,
				     value & SPEC_CTRL_NEW);
	return 0;
}

static int check_msr(const struct gw_hvm_check *check, const struct msr *msr, uint64_t value)
{
	uint64_t denied = (value & ~msr->allowed) | denied_by_policy(check, msr, value);

	if (!has_feature(&check->rules->policy, msr))
		return gw_hvm_broken(check, R_HVM_MSR_VALUE,
				     "%s is 0x%" PRIx64 ", the CPU policy lacks %s", msr->name,
				     value, msr->feature);
	if (denied)
		return gw_hvm_broken(check, R_HVM_MSR_VALUE,
				     "%s is 0x%" PRIx64 ": the guest may not set 0x%" PRIx64,
				     msr->name, value, denied);
	return check_newer(check, msr, value) |
	       (msr->index == 0xd90 ? check_bndcfgs(check, value) : 0);
}

static const struct msr *find(uint32_t index)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(msrs); i++)
		if (msrs[i].index == index)
			return &msrs[i];
	return NULL;
}

int gw_hvm_check_msrs(struct gw_hvm_check *check)
{
	uint32_t count = gw_get_le32(check->data);
	int rc = 0;

	if (check->entry->length != FIRST + (uint64_t)count * ENTRY_SIZE)
		return gw_hvm_broken(check, R_HVM_MSR_BODY, "%u bytes, %u MSRs need %" PRIu64,
				     check->entry->length, count,
				     FIRST + (uint64_t)count * ENTRY_SIZE);
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *raw = check->data + FIRST + (size_t)i * ENTRY_SIZE;
		const struct msr *msr = find(gw_get_le32(raw));

		if (gw_get_le32(raw + 4))
			rc |= gw_hvm_broken(check, R_HVM_MSR_BODY,
					    "MSR 0x%x: the reserved field is 0x%x, expected 0",
					    gw_get_le32(raw), gw_get_le32(raw + 4));
		if (!msr)
			rc |= gw_hvm_broken(check, R_HVM_MSR_INDEX, "MSR 0x%x is not loaded",
					    gw_get_le32(raw));
		else
			rc |= check_msr(check, msr, gw_get_le64(raw + 8));
	}
	return rc;
}
