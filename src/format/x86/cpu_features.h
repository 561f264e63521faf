/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The feature table, for policy.c; other files use policy.h.
 */
#ifndef GW_FORMAT_X86_CPU_FEATURES_H
#define GW_FORMAT_X86_CPU_FEATURES_H

#include "format/x86/policy.h"

/* Bits of leaf 1 edx that AMD repeats in 0x80000001 edx. */
#define GW_CPU_FEATURES_COPIED UINT32_C(0x0183f3ff)

/* A register of CPUID whose bits are features. */
struct gw_cpu_feature_word {
	uint32_t leaf, subleaf;
	enum gw_cpuid_reg reg;
	/*
	 * Bits that a host need not offer: they show state (osxsave), topology (htt), another
	 * word's bit, or a lack; or Xen's public/arch-x86/cpufeatureset.h marks them '|', as
	 * accumulated. The latter promise a guest what some host of a pool needs (md_clear: VERW
	 * does more), and are harmless on one that does not have them.
	 */
	uint32_t no_demand;
	const char *names[32];
};

extern const struct gw_cpu_feature_word gw_cpu_feature_words[];
extern const size_t gw_cpu_nr_feature_words;
extern const char *const gw_arch_caps_names[64]; /* of GW_MSR_ARCH_CAPABILITIES */

/*
 * The same for bits of ARCH_CAPABILITIES: fb_clear and rfds_clear are accumulated; rsba and rrsba
 * say that something is lacking, and a guest that was warned of that needs no host that lacks it.
 */
#define GW_ARCH_CAPS_NO_DEMAND                                                                     \
	(UINT64_C(1) << 17 | UINT64_C(1) << 28 | UINT64_C(1) << 2 | UINT64_C(1) << 19)

/* A leaf without subleaves may have either number. */
static inline bool gw_cpuid_same_subleaf(uint32_t a, uint32_t b)
{
	return (a == GW_CPUID_NO_SUBLEAF ? 0 : a) == (b == GW_CPUID_NO_SUBLEAF ? 0 : b);
}

#endif
