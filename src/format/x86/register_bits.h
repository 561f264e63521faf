/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bits of a guest's registers that its CPU policy allows. Xen judges CR4, EFER, XCR0 and
 * SPEC_CTRL of an HVM guest so when it loads them: hvm_cr4_guest_valid_bits(), hvm_efer_valid(),
 * recalculate_xstate(), msr_spec_ctrl_valid_bits().
 */
#ifndef GW_FORMAT_X86_REGISTER_BITS_H
#define GW_FORMAT_X86_REGISTER_BITS_H

#include "format/x86/policy.h"

/* A bit of CPUID. */
struct gw_cpuid_bit {
	uint32_t leaf, subleaf;
	enum gw_cpuid_reg reg;
	unsigned bit;
};

/* Bits of a register that need a feature. */
struct gw_register_bits {
	uint64_t bits;		       /* 0 ends a table */
	const char *feature;	       /* NULL: they need none */
	struct gw_cpuid_bit any_of[2]; /* one of them is enough; a zeroed one is not there */
};

/* Each lists every bit that some release of Xen 4.14 to 4.22 lets an HVM guest set. */
extern const struct gw_register_bits gw_hvm_cr4_bits[], gw_hvm_efer_bits[], gw_hvm_xcr0_bits[],
	gw_hvm_spec_ctrl_bits[];

enum gw_policy_answer { GW_POLICY_NO, GW_POLICY_YES, GW_POLICY_UNKNOWN };

/*
 * What the policy says of one bit. Leaves above its own maximum are empty. A policy without the
 * leaf, or without any leaves, says nothing: the domain gets the host's default then.
 */
enum gw_policy_answer gw_policy_bit(const struct gw_policy *policy, const struct gw_cpuid_bit *bit);

/*
 * The bits of value that the guest may not set: bits outside the table, and bits whose feature the
 * policy denies. *feature: the first feature that is missing, or NULL.
 */
uint64_t gw_register_denied(const struct gw_register_bits *table, const struct gw_policy *policy,
			    uint64_t value, const char **feature);

/* Most bits that a physical address of the guest has: 32 to 52; 52 if the policy does not say. */
unsigned gw_policy_address_bits(const struct gw_policy *policy);

#endif
