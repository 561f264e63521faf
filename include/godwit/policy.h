/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A CPU policy: what CPUID and the MSRs tell a guest. Both lists have the
 * wire's own shape, so that they travel unchanged. Comparing policies and
 * naming features is in src/format/x86/policy.h.
 */
#ifndef GODWIT_POLICY_H
#define GODWIT_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GW_CPUID_NO_SUBLEAF UINT32_C(0xffffffff)

struct gw_cpuid_leaf {
	uint32_t leaf, subleaf; /* GW_CPUID_NO_SUBLEAF: the leaf has no subleaves */
	uint32_t a, b, c, d;
};

struct gw_msr_entry {
	uint32_t index, flags; /* flags: 0 */
	uint64_t value;
};

/* A zeroed policy is empty. The policy owns both arrays. */
struct gw_policy {
	struct gw_cpuid_leaf *leaves;
	size_t nr_leaves;
	struct gw_msr_entry *msrs;
	size_t nr_msrs;
};

void gw_policy_free(struct gw_policy *policy);
int gw_policy_copy(struct gw_policy *dst, const struct gw_policy *src, struct gw_error *err);

#ifdef __cplusplus
}
#endif
#endif
