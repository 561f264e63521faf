/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names the features in a CPU policy, and checks whether a host that offers one policy can provide
 * another. The struct is in godwit/policy.h, its encoding in libxc/image.h.
 */
#ifndef GW_FORMAT_X86_POLICY_H
#define GW_FORMAT_X86_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/policy.h>

enum gw_cpuid_reg { GW_EAX, GW_EBX, GW_ECX, GW_EDX };

/* A bit of CPUID that stands for a feature. */
struct gw_cpu_feature {
	const char *name;	/* Xen's in lower case: "sse4_2", "avx512_vbmi"; often Linux's */
	uint32_t leaf, subleaf; /* subleaf GW_CPUID_NO_SUBLEAF: the leaf has none */
	enum gw_cpuid_reg reg;
	unsigned bit;
};

/*
 * Finds a feature by name. Case and the separators '.', '-', '_' make no difference ("SSE4.2",
 * "sse4_2" and "sse42" are one), and some other names of Linux and QEMU are accepted ("pni",
 * "lzcnt"). False if there is none.
 */
bool gw_cpu_feature_find(const char *name, struct gw_cpu_feature *feature);
/* The feature's name, or NULL for a bit without one. */
const char *gw_cpu_feature_name(uint32_t leaf, uint32_t subleaf, enum gw_cpuid_reg reg,
				unsigned bit);
/* "ARCH_CAPABILITIES", as in the manuals; NULL for an MSR without a name here. */
const char *gw_msr_name(uint32_t index);
/* Feature number i of the table; false after the last. */
bool gw_cpu_feature_get(size_t i, struct gw_cpu_feature *feature);

/* The leaf, or NULL. Subleaf 0 and GW_CPUID_NO_SUBLEAF are the same. */
const struct gw_cpuid_leaf *gw_policy_leaf(const struct gw_policy *policy, uint32_t leaf,
					   uint32_t subleaf);
/* NULL if the policy lacks the MSR. */
const struct gw_msr_entry *gw_policy_msr(const struct gw_policy *policy, uint32_t index);
uint32_t gw_cpuid_leaf_reg(const struct gw_cpuid_leaf *leaf, enum gw_cpuid_reg reg);

bool gw_policy_has_feature(const struct gw_policy *policy, const struct gw_cpu_feature *feature);
/*
 * Sets or clears a feature, with the copy of some bits of leaf 1 that AMD has in 0x80000001.
 * Features that depend on it are unchanged. Setting adds the leaf if necessary.
 */
int gw_policy_set_feature(struct gw_policy *policy, const struct gw_cpu_feature *feature, bool on,
			  struct gw_error *err);

/* A part of the wanted policy that is not offered. */
struct gw_policy_lack {
	bool is_msr;
	uint32_t leaf, subleaf; /* or the MSR in leaf */
	enum gw_cpuid_reg reg;
	int bit;	  /* -1: not a single bit */
	const char *name; /* of the feature; "vendor", "max leaf"; NULL if it has none */
	char text[160];	  /* "CPU feature sse4_2 (CPUID leaf 0x1 ecx bit 20)" */
};

/*
 * Reports everything that a guest with the policy wanted would miss on a host that offers at most
 * offered, and returns how many parts that are: feature bits (except those that only show state or
 * topology of the machine), another vendor, greater maximum leaves, bits of MSRs. This includes
 * everything that Xen refuses when the policy is set. An empty wanted misses nothing.
 */
int gw_policy_compare(const struct gw_policy *wanted, const struct gw_policy *offered,
		      void (*report)(void *opaque, const struct gw_policy_lack *lack),
		      void *opaque);

#endif
