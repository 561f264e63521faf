/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The CPU models. Each keeps its highest leaves as low as its features allow: Xen 4.14 to 4.17
 * refuse a guest whose highest leaves are above the host's.
 */
#include "format/x86/cpu_models.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "format/x86/cpu_features.h"

#define NONE GW_CPUID_NO_SUBLEAF

#define BASIC_LEAVES	(GW_XEN_MAX_BASIC + 1)
#define EXTENDED_LEAVES (GW_XEN_MAX_EXTENDED - GW_LEAF_EXTENDED + 1)
#define SUBLEAVES_7	(GW_XEN_MAX_SUBLEAF_7 + 1)
#define SUBLEAVES_D	2u

/* Vendors as ebx, ecx, edx of leaf 0. */
#define INTEL                                                                                      \
	{                                                                                          \
		0x756e6547, 0x6c65746e, 0x49656e69                                                 \
	}
#define AMD                                                                                        \
	{                                                                                          \
		0x68747541, 0x444d4163, 0x69746e65                                                 \
	}

/* fpu vme de pse tsc msr pae cx8 sep pge cmov pat pse36 clflush mmx fxsr sse sse2: what every
 * x86-64 processor has, without what only firmware and drivers use (apic, mtrr, mce, acpi). */
#define BASELINE_1D UINT32_C(0x078ba97f)
/* sse3 cx16 hypervisor: every processor that can run Xen's HVM guests. */
#define BASELINE_1C UINT32_C(0x80002001)
/* pclmulqdq ssse3 sse4_1 sse4_2 movbe popcnt aesni rdrand */
#define RECENT_1C UINT32_C(0x42d80202)
/* fsgsbase bmi1 bmi2 erms adx clflushopt clwb */
#define RECENT_7B UINT32_C(0x01880309)
#define LONG_MODE UINT32_C(0x20000000)
#define RDTSCP	  UINT32_C(0x08000000)
#define MMXEXT	  UINT32_C(0x00400000)
#define LAHF	  UINT32_C(1)
#define ABM	  UINT32_C(0x20)
#define SSE4A	  UINT32_C(0x40)
#define PREFETCH  UINT32_C(0x100)

/* A model and its features; signature: eax of leaf 1 (family, model, stepping). */
static const struct model {
	struct gw_cpu_model public;
	bool all; /* everything that the host offers */
	uint32_t vendor[3], signature;
	uint32_t max_basic, max_extended;
	uint32_t ecx_1, edx_1, ebx_7, ecx_extended, edx_extended;
} models[] = {
	{.public = {"portable", "what every x86-64 processor has, vendor AMD"},
	 .vendor = AMD,
	 .signature = 0x00060fb1,
	 .max_basic = 1,
	 .max_extended = 0x80000008,
	 .ecx_1 = BASELINE_1C,
	 .edx_1 = BASELINE_1D,
	 .ecx_extended = LAHF,
	 .edx_extended = (BASELINE_1D & GW_CPU_FEATURES_COPIED) | LONG_MODE},
	{.public = {"portable-intel", "the same, vendor Intel"},
	 .vendor = INTEL,
	 .signature = 0x00000f61,
	 .max_basic = 1,
	 .max_extended = 0x80000008,
	 .ecx_1 = BASELINE_1C,
	 .edx_1 = BASELINE_1D,
	 .ecx_extended = LAHF,
	 .edx_extended = LONG_MODE},
	{.public = {"amd", "what the machine implements of a recent AMD processor"},
	 .vendor = AMD,
	 .signature = 0x00800f12,
	 .max_basic = 7,
	 .max_extended = 0x80000008,
	 .ecx_1 = BASELINE_1C | RECENT_1C,
	 .edx_1 = BASELINE_1D,
	 .ebx_7 = RECENT_7B,
	 .ecx_extended = LAHF | ABM | SSE4A | PREFETCH,
	 .edx_extended = (BASELINE_1D & GW_CPU_FEATURES_COPIED) | MMXEXT | RDTSCP | LONG_MODE},
	{.public = {"intel", "what the machine implements of a recent Intel processor"},
	 .vendor = INTEL,
	 .signature = 0x00050654,
	 .max_basic = 7,
	 .max_extended = 0x80000008,
	 .ecx_1 = BASELINE_1C | RECENT_1C,
	 .edx_1 = BASELINE_1D,
	 .ebx_7 = RECENT_7B,
	 .ecx_extended = LAHF | ABM | PREFETCH,
	 .edx_extended = RDTSCP | LONG_MODE},
	{.public = {"host", "everything that the host offers, for moves between such hosts"},
	 .all = true,
	 .vendor = AMD},
};

/* A policy with a place for every leaf that Xen keeps, without those of hypervisors. */
struct whole {
	struct gw_cpuid_leaf basic[BASIC_LEAVES], features[SUBLEAVES_7], xstate[SUBLEAVES_D];
	struct gw_cpuid_leaf extended[EXTENDED_LEAVES];
	uint64_t platform_info, arch_caps;
	uint32_t max_basic, max_extended, max_subleaf;
};

const struct gw_cpu_model *gw_cpu_model(size_t i)
{
	return i < GW_ARRAY_SIZE(models) ? &models[i].public : NULL;
}

static struct gw_cpuid_leaf *place(struct whole *w, uint32_t leaf, uint32_t subleaf)
{
	bool first = subleaf == 0 || subleaf == NONE;

	if (leaf == 7)
		return first		       ? &w->features[0]
		       : subleaf < SUBLEAVES_7 ? &w->features[subleaf]
					       : NULL;
	if (leaf == 0xd)
		return first ? &w->xstate[0] : subleaf < SUBLEAVES_D ? &w->xstate[subleaf] : NULL;
	if (leaf < BASIC_LEAVES)
		return first ? &w->basic[leaf] : NULL;
	if (leaf - GW_LEAF_EXTENDED < EXTENDED_LEAVES)
		return first ? &w->extended[leaf - GW_LEAF_EXTENDED] : NULL;
	return NULL;
}

static void take_offered(struct whole *w, const struct gw_policy *offered)
{
	const struct gw_msr_entry *info = gw_policy_msr(offered, GW_MSR_PLATFORM_INFO);
	const struct gw_msr_entry *caps = gw_policy_msr(offered, GW_MSR_ARCH_CAPABILITIES);

	for (size_t i = 0; i < offered->nr_leaves; i++) {
		const struct gw_cpuid_leaf *l = &offered->leaves[i];
		struct gw_cpuid_leaf *to = place(w, l->leaf, l->subleaf);

		if (to)
			*to = *l;
	}
	w->max_basic = w->basic[0].a;
	w->max_extended = w->extended[0].a;
	w->max_subleaf = w->features[0].a;
	w->platform_info = info ? info->value : 0;
	w->arch_caps = caps ? caps->value : 0;
}

static void take_model(struct whole *w, const struct model *m, const struct gw_policy *offered)
{
	uint32_t any = offered->nr_leaves == 0 ? UINT32_MAX : 0;
	struct whole host = {0};

	take_offered(&host, offered);
	w->max_basic = m->max_basic;
	w->max_extended = m->max_extended;
	w->basic[1].a = m->signature;
	w->basic[1].b = host.basic[1].b;
	w->basic[1].c = m->ecx_1 & (host.basic[1].c | any);
	w->basic[1].d = m->edx_1 & (host.basic[1].d | any);
	w->features[0].b = m->ebx_7 & (host.features[0].b | any);
	w->extended[1].a = m->signature;
	w->extended[1].c = m->ecx_extended & (host.extended[1].c | any);
	w->extended[1].d = m->edx_extended & (host.extended[1].d | any);
	for (int i = 2; i <= 4; i++) /* the processor's name */
		w->extended[i] = host.extended[i];
	w->extended[8].a = host.extended[8].a; /* widths of addresses */
}

static void set_vendor(struct whole *w, const uint32_t vendor[3])
{
	/* Where the host names one, everything that it offers is that vendor's. */
	if (w->basic[0].b | w->basic[0].c | w->basic[0].d)
		return;
	w->basic[0].b = vendor[0];
	w->basic[0].c = vendor[1];
	w->basic[0].d = vendor[2];
	if (memcmp(vendor, (const uint32_t[])AMD, 3 * sizeof(*vendor)) != 0)
		return;
	/* AMD repeats it. */
	w->extended[0].b = vendor[0];
	w->extended[0].c = vendor[1];
	w->extended[0].d = vendor[2];
}

static void add_leaf(struct gw_policy *policy, const struct gw_cpuid_leaf *l, uint32_t leaf,
		     uint32_t subleaf)
{
	struct gw_cpuid_leaf *to = &policy->leaves[policy->nr_leaves++];

	*to = *l;
	to->leaf = leaf;
	to->subleaf = subleaf;
}

static int finish(struct whole *w, struct gw_policy *policy, struct gw_error *err)
{
	const size_t most = BASIC_LEAVES + SUBLEAVES_7 + SUBLEAVES_D + EXTENDED_LEAVES;

	*policy = (struct gw_policy){.leaves = calloc(most, sizeof(*policy->leaves)),
				     .msrs = calloc(2, sizeof(*policy->msrs))};
	if (!policy->leaves || !policy->msrs) {
		gw_policy_free(policy);
		return gw_fail(err, GW_NO_MEMORY, "no memory for a CPU policy");
	}
	w->basic[0].a = w->max_basic;
	w->extended[0].a = w->max_extended;
	w->features[0].a = w->max_subleaf;
	for (uint32_t leaf = 0; leaf <= w->max_basic && leaf < BASIC_LEAVES; leaf++) {
		if (leaf == 7)
			for (uint32_t i = 0; i <= w->max_subleaf && i < SUBLEAVES_7; i++)
				add_leaf(policy, &w->features[i], leaf, i);
		else if (leaf == 0xd)
			for (uint32_t i = 0; i < SUBLEAVES_D; i++)
				add_leaf(policy, &w->xstate[i], leaf, i);
		else
			add_leaf(policy, &w->basic[leaf], leaf,
				 leaf == 4 || leaf == 0xb ? 0 : NONE);
	}
	for (uint32_t i = 0; i < EXTENDED_LEAVES && GW_LEAF_EXTENDED + i <= w->max_extended; i++)
		add_leaf(policy, &w->extended[i], GW_LEAF_EXTENDED + i, NONE);
	policy->msrs[0] = (struct gw_msr_entry){GW_MSR_PLATFORM_INFO, 0, w->platform_info};
	policy->msrs[1] = (struct gw_msr_entry){GW_MSR_ARCH_CAPABILITIES, 0, w->arch_caps};
	policy->nr_msrs = 2;
	return 0;
}

/* The highest leaves include that of the feature. */
static void raise_maxima(struct whole *w, const struct gw_cpu_feature *f)
{
	if (f->leaf >= GW_LEAF_EXTENDED)
		w->max_extended = GW_MAX(w->max_extended, f->leaf);
	else
		w->max_basic = GW_MAX(w->max_basic, f->leaf);
	if (f->leaf == GW_LEAF_FEATURES && f->subleaf != NONE)
		w->max_subleaf = GW_MAX(w->max_subleaf, f->subleaf);
}

static void set_bit(uint32_t *to, unsigned bit, bool on)
{
	*to = (*to & ~(UINT32_C(1) << bit)) | (uint32_t)on << bit;
}

static void set_feature(struct whole *w, const struct gw_cpu_feature *f, bool on)
{
	struct gw_cpuid_leaf *l = place(w, f->leaf, f->subleaf);
	uint32_t *const regs[] = {&l->a, &l->b, &l->c, &l->d};

	set_bit(regs[f->reg], f->bit, on);
	/* AMD's copies */
	if (f->leaf == 1 && f->reg == GW_EDX && GW_CPU_FEATURES_COPIED >> f->bit & 1 &&
	    (w->extended[0].b || !on))
		set_bit(&w->extended[1].d, f->bit, on);
	if (on)
		raise_maxima(w, f);
}

static int apply_word(struct whole *w, const char *word, const struct gw_policy *offered,
		      struct gw_error *err)
{
	struct gw_cpu_feature f;
	bool on = *word == '+';

	if ((*word != '+' && *word != '-') || !word[1])
		return gw_fail(
			err, GW_USAGE,
			"CPU \"%s\": expected a model first, then +NAME or -NAME, separated by commas",
			word);
	if (!gw_cpu_feature_find(word + 1, &f))
		return gw_fail(err, GW_USAGE, "there is no CPU feature \"%s\"", word + 1);
	if (on && offered->nr_leaves && !gw_policy_has_feature(offered, &f))
		return gw_fail(err, GW_REFUSED, "this host does not offer the CPU feature %s",
			       f.name);
	set_feature(w, &f, on);
	return 0;
}

static const struct model *find_model(const char *name)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(models); i++)
		if (!strcmp(models[i].public.name, name))
			return &models[i];
	return NULL;
}

int gw_cpu_model_policy(const char *words, const struct gw_policy *offered,
			struct gw_policy *policy, struct gw_error *err)
{
	GW_FREE_ON_EXIT char *copy = strdup(words ? words : GW_CPU_MODEL_DEFAULT);
	char *save = NULL, *word;
	const struct model *m;
	struct whole w = {0};

	*policy = (struct gw_policy){0};
	if (!copy)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a CPU policy");
	word = strtok_r(copy, ",", &save);
	m = word ? find_model(word) : NULL;
	if (m)
		word = strtok_r(NULL, ",", &save);
	else
		m = &models[0];
	if (m->all)
		take_offered(&w, offered);
	else
		take_model(&w, m, offered);
	set_vendor(&w, m->vendor);
	for (; word; word = strtok_r(NULL, ",", &save))
		if (apply_word(&w, word, offered, err) < 0)
			return -1;
	return finish(&w, policy, err);
}
