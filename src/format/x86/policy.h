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

#define GW_LEAF_BASIC	 UINT32_C(0)
#define GW_LEAF_FEATURES UINT32_C(7)
#define GW_LEAF_EXTENDED UINT32_C(0x80000000)

/* The MSRs of a policy. */
#define GW_MSR_PLATFORM_INFO	 UINT32_C(0xce)
#define GW_MSR_ARCH_CAPABILITIES UINT32_C(0x10a)

/* The most that Xen 4.14 to 4.22 keeps of a guest and offers on any host: leaves, subleaves of leaf
 * 7, bits of PLATFORM_INFO (CPUID faulting). */
#define GW_XEN_MAX_BASIC     UINT32_C(0xd)
#define GW_XEN_MAX_SUBLEAF_7 2u
#define GW_XEN_MAX_EXTENDED  UINT32_C(0x80000021)
#define GW_XEN_PLATFORM_INFO (UINT64_C(1) << 31)

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

/* Three registers of leaf 0 as twelve characters; what cannot be printed becomes '?'. regs: eax,
 * ebx, ecx, edx. */
#define GW_CPU_VENDOR_SIZE 13
void gw_cpu_vendor(const uint32_t regs[4], char vendor[GW_CPU_VENDOR_SIZE]);

/* The leaf, or NULL; of several the last, which counts in Xen as well. Subleaf 0 and
 * GW_CPUID_NO_SUBLEAF are the same. */
const struct gw_cpuid_leaf *gw_policy_leaf(const struct gw_policy *policy, uint32_t leaf,
					   uint32_t subleaf);
/* The last of them; NULL if the policy lacks the MSR. */
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
	/* Xen 4.refused_since and later refuse the policy for it. 0: every release takes the policy
	 * and hides the feature from the guest, which may already use it. */
	uint8_t refused_since;
	char text[160]; /* "CPU feature sse4_2 (CPUID leaf 0x1 ecx bit 20)" */
};

/*
 * Reports everything that a guest with the policy wanted would miss on a host that offers at most
 * offered, and returns how many parts that are. What Xen refuses when a policy is set
 * (x86_cpu_policies_are_compatible): greater maximum leaves, bits of PLATFORM_INFO, since 4.22
 * another vendor. What it hides without a word: feature bits, ARCH_CAPABILITIES; not those that
 * only show state or topology, and not those that Xen accumulates over a pool's hosts (md_clear).
 * An empty wanted misses nothing. An offered leaf 0 without a vendor (zeros) fits a guest of any
 * vendor.
 */
int gw_policy_compare(const struct gw_policy *wanted, const struct gw_policy *offered,
		      void (*report)(void *opaque, const struct gw_policy_lack *lack),
		      void *opaque);

#endif
