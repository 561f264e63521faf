/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tables of register bits and the features that they need.
 */
#include "format/x86/register_bits.h"

#include "base/util.h"

#define BIT(n) (UINT64_C(1) << (n))

#define L1_ECX(bit)                                                                                \
	{                                                                                          \
		1, 0, GW_ECX, bit                                                                  \
	}
#define L1_EDX(bit)                                                                                \
	{                                                                                          \
		1, 0, GW_EDX, bit                                                                  \
	}
#define L7_EBX(bit)                                                                                \
	{                                                                                          \
		7, 0, GW_EBX, bit                                                                  \
	}
#define L7_ECX(bit)                                                                                \
	{                                                                                          \
		7, 0, GW_ECX, bit                                                                  \
	}
#define L7_EDX(bit)                                                                                \
	{                                                                                          \
		7, 0, GW_EDX, bit                                                                  \
	}
#define L71_EAX(bit)                                                                               \
	{                                                                                          \
		7, 1, GW_EAX, bit                                                                  \
	}
#define L72_EDX(bit)                                                                               \
	{                                                                                          \
		7, 2, GW_EDX, bit                                                                  \
	}
#define E1_ECX(bit)                                                                                \
	{                                                                                          \
		0x80000001, 0, GW_ECX, bit                                                         \
	}
#define E1_EDX(bit)                                                                                \
	{                                                                                          \
		0x80000001, 0, GW_EDX, bit                                                         \
	}
#define E8_EBX(bit)                                                                                \
	{                                                                                          \
		0x80000008, 0, GW_EBX, bit                                                         \
	}
#define E21_EAX(bit)                                                                               \
	{                                                                                          \
		0x80000021, 0, GW_EAX, bit                                                         \
	}

/* CET (bit 23) is missing: the features that it needs are offered to no guest. */
const struct gw_register_bits gw_hvm_cr4_bits[] = {
	{BIT(0) | BIT(1), "vme", {L1_EDX(1)}},
	{BIT(2), "tsc", {L1_EDX(4)}},
	{BIT(3), "de", {L1_EDX(2)}},
	{BIT(4), "pse", {L1_EDX(3)}},
	{BIT(5), "pae", {L1_EDX(6)}},
	{BIT(6), "mce", {L1_EDX(7), L1_EDX(14)}},
	{BIT(7), "pge", {L1_EDX(13)}},
	{BIT(8), NULL, {{0}}},
	{BIT(9), "fxsr", {L1_EDX(24)}},
	{BIT(10), "sse", {L1_EDX(25)}},
	{BIT(11), "umip", {L7_ECX(2)}},
	{BIT(13), "vmx", {L1_ECX(5)}},
	{BIT(16), "fsgsbase", {L7_EBX(0)}},
	{BIT(17), "pcid", {L1_ECX(17)}},
	{BIT(18), "xsave", {L1_ECX(26)}},
	{BIT(20), "smep", {L7_EBX(7)}},
	{BIT(21), "smap", {L7_EBX(20)}},
	{BIT(22), "pku", {L7_ECX(3)}},
	{BIT(24), "pks", {L7_ECX(31)}},
	{BIT(27), "lass", {L71_EAX(6)}},
	{0},
};

const struct gw_register_bits gw_hvm_efer_bits[] = {
	{BIT(0), "syscall", {E1_EDX(11)}},
	{BIT(8) | BIT(10), "lm", {E1_EDX(29)}},
	{BIT(11), "nx", {E1_EDX(20)}},
	{BIT(12), "svm", {E1_ECX(2)}},
	{BIT(14), "ffxsr", {E1_EDX(25)}},
	{BIT(21), "auto_ibrs", {E21_EAX(8)}},
	{0},
};

/* AMX and LWP are missing: they are offered to no guest. */
const struct gw_register_bits gw_hvm_xcr0_bits[] = {
	{BIT(0) | BIT(1), "xsave", {L1_ECX(26)}},
	{BIT(2), "avx", {L1_ECX(28)}},
	{BIT(3) | BIT(4), "mpx", {L7_EBX(14)}},
	{BIT(5) | BIT(6) | BIT(7), "avx512f", {L7_EBX(16)}},
	{BIT(9), "pku", {L7_ECX(3)}},
	{0},
};

/* IBRS and STIBP need no more than the MSR itself. */
const struct gw_register_bits gw_hvm_spec_ctrl_bits[] = {
	{BIT(0) | BIT(1), "ibrsb", {L7_EDX(26), E8_EBX(14)}},
	{BIT(2), "ssbd", {L7_EDX(31), E8_EBX(24)}},
	{BIT(3) | BIT(4), "ipred_ctrl", {L72_EDX(1)}},
	{BIT(5) | BIT(6), "rrsba_ctrl", {L72_EDX(2)}},
	{BIT(7), "psfd", {L72_EDX(0), E8_EBX(28)}},
	{BIT(10), "bhi_ctrl", {L72_EDX(4)}},
	{0},
};

/* The highest leaf of the bit's range, or subleaf of leaf 7: true if the policy gives it. */
static bool maximum(const struct gw_policy *policy, const struct gw_cpuid_bit *bit, uint32_t *max)
{
	bool subleaf = bit->leaf == 7 && bit->subleaf > 0;
	const struct gw_cpuid_leaf *leaf =
		gw_policy_leaf(policy, subleaf ? 7 : bit->leaf & UINT32_C(0x80000000), 0);

	if (leaf)
		*max = leaf->a;
	return leaf;
}

enum gw_policy_answer gw_policy_bit(const struct gw_policy *policy, const struct gw_cpuid_bit *bit)
{
	const struct gw_cpuid_leaf *leaf = gw_policy_leaf(policy, bit->leaf, bit->subleaf);
	const struct gw_cpuid_bit whole = {bit->leaf, 0, GW_EAX, 0};
	uint32_t max;

	if (maximum(policy, &whole, &max) && bit->leaf > max)
		return GW_POLICY_NO;
	if (bit->subleaf && maximum(policy, bit, &max) && bit->subleaf > max)
		return GW_POLICY_NO;
	if (!leaf)
		return GW_POLICY_UNKNOWN;
	return gw_cpuid_leaf_reg(leaf, bit->reg) >> bit->bit & 1 ? GW_POLICY_YES : GW_POLICY_NO;
}

static bool denies(const struct gw_policy *policy, const struct gw_register_bits *entry)
{
	if (!entry->feature)
		return false;
	for (size_t i = 0; i < GW_ARRAY_SIZE(entry->any_of) && entry->any_of[i].leaf; i++)
		if (gw_policy_bit(policy, &entry->any_of[i]) != GW_POLICY_NO)
			return false;
	return true;
}

uint64_t gw_register_denied(const struct gw_register_bits *table, const struct gw_policy *policy,
			    uint64_t value, const char **feature)
{
	uint64_t denied = value;

	*feature = NULL;
	for (; table->bits; table++) {
		if (!(value & table->bits))
			continue;
		if (!denies(policy, table))
			denied &= ~table->bits;
		else if (!*feature)
			*feature = table->feature;
	}
	return denied;
}

unsigned gw_policy_address_bits(const struct gw_policy *policy)
{
	const struct gw_cpuid_leaf *leaf = gw_policy_leaf(policy, 0x80000008, 0);
	const struct gw_cpuid_bit pae = L1_EDX(6), pse36 = L1_EDX(17);
	bool wide = gw_policy_bit(policy, &pae) != GW_POLICY_NO ||
		    gw_policy_bit(policy, &pse36) != GW_POLICY_NO;

	if (!leaf)
		return 52;
	return GW_MIN(GW_MAX(leaf->a & 0xff, wide ? 36u : 32u), 52u);
}
