/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CPU policies as values: copies and frees them, finds leaves and features, and compares a guest's
 * policy with that of a host.
 */
#include "format/x86/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/x86/cpu_features.h"

void gw_policy_free(struct gw_policy *policy)
{
	free(policy->leaves);
	free(policy->msrs);
	*policy = (struct gw_policy){0};
}

/* Copies n elements of that size to *out; NULL for none. */
static int copy_array(void **out, const void *src, size_t n, size_t size, struct gw_error *err)
{
	*out = NULL;
	if (n == 0)
		return 0;
	*out = calloc(n, size);
	if (!*out)
		return gw_fail_errno(err, "copying a CPU policy of %zu entries", n);
	memcpy(*out, src, n * size);
	return 0;
}

int gw_policy_copy(struct gw_policy *dst, const struct gw_policy *src, struct gw_error *err)
{
	void *leaves, *msrs;

	if (copy_array(&leaves, src->leaves, src->nr_leaves, sizeof(*src->leaves), err) < 0)
		return -1;
	if (copy_array(&msrs, src->msrs, src->nr_msrs, sizeof(*src->msrs), err) < 0) {
		free(leaves);
		return -1;
	}
	*dst = (struct gw_policy){
		.leaves = leaves,
		.nr_leaves = src->nr_leaves,
		.msrs = msrs,
		.nr_msrs = src->nr_msrs,
	};
	return 0;
}

const struct gw_cpuid_leaf *gw_policy_leaf(const struct gw_policy *policy, uint32_t leaf,
					   uint32_t subleaf)
{
	for (size_t i = policy->nr_leaves; i-- > 0;)
		if (policy->leaves[i].leaf == leaf &&
		    gw_cpuid_same_subleaf(policy->leaves[i].subleaf, subleaf))
			return &policy->leaves[i];
	return NULL;
}

const struct gw_msr_entry *gw_policy_msr(const struct gw_policy *policy, uint32_t index)
{
	for (size_t i = policy->nr_msrs; i-- > 0;)
		if (policy->msrs[i].index == index)
			return &policy->msrs[i];
	return NULL;
}

uint32_t gw_cpuid_leaf_reg(const struct gw_cpuid_leaf *leaf, enum gw_cpuid_reg reg)
{
	const uint32_t regs[] = {leaf->a, leaf->b, leaf->c, leaf->d};

	return regs[reg];
}

/* 0 for a leaf that the policy lacks. */
static uint32_t reg_of(const struct gw_policy *policy, uint32_t leaf, uint32_t subleaf,
		       enum gw_cpuid_reg reg)
{
	const struct gw_cpuid_leaf *l = gw_policy_leaf(policy, leaf, subleaf);

	return l ? gw_cpuid_leaf_reg(l, reg) : 0;
}

bool gw_policy_has_feature(const struct gw_policy *policy, const struct gw_cpu_feature *feature)
{
	return reg_of(policy, feature->leaf, feature->subleaf, feature->reg) >> feature->bit & 1;
}

static int add_leaf(struct gw_policy *policy, uint32_t leaf, uint32_t subleaf, struct gw_error *err)
{
	struct gw_cpuid_leaf *leaves =
		realloc(policy->leaves, (policy->nr_leaves + 1) * sizeof(*leaves));

	if (!leaves)
		return gw_fail_errno(err, "adding a CPUID leaf to a policy");
	policy->leaves = leaves;
	leaves[policy->nr_leaves++] = (struct gw_cpuid_leaf){.leaf = leaf, .subleaf = subleaf};
	return 0;
}

/* Does nothing if the policy lacks the leaf. */
static void set_bit(struct gw_policy *policy, uint32_t leaf, uint32_t subleaf,
		    enum gw_cpuid_reg reg, unsigned bit, bool on)
{
	for (size_t i = 0; i < policy->nr_leaves; i++) {
		struct gw_cpuid_leaf *l = &policy->leaves[i];
		uint32_t *const regs[] = {&l->a, &l->b, &l->c, &l->d};

		if (l->leaf != leaf || !gw_cpuid_same_subleaf(l->subleaf, subleaf))
			continue;
		*regs[reg] &= ~(UINT32_C(1) << bit);
		*regs[reg] |= (uint32_t)on << bit;
	}
}

int gw_policy_set_feature(struct gw_policy *policy, const struct gw_cpu_feature *feature, bool on,
			  struct gw_error *err)
{
	if (on && !gw_policy_leaf(policy, feature->leaf, feature->subleaf) &&
	    add_leaf(policy, feature->leaf, feature->subleaf, err) < 0)
		return -1;
	set_bit(policy, feature->leaf, feature->subleaf, feature->reg, feature->bit, on);

	const struct gw_cpuid_leaf *vendor = gw_policy_leaf(policy, GW_LEAF_BASIC, 0);
	bool amd = vendor && vendor->d == UINT32_C(0x69746e65); /* "enti" of AuthenticAMD */

	if (feature->leaf == 1 && feature->reg == GW_EDX &&
	    GW_CPU_FEATURES_COPIED >> feature->bit & 1 && (amd || !on))
		set_bit(policy, GW_LEAF_EXTENDED + 1, 0, GW_EDX, feature->bit, on);
	return 0;
}

/* The state of a comparison. */
struct compare {
	const struct gw_policy *wanted, *offered;
	void (*report)(void *opaque, const struct gw_policy_lack *lack);
	void *opaque;
	int lacks;
};

static void lacks(struct compare *c, const struct gw_policy_lack *lack)
{
	c->lacks++;
	c->report(c->opaque, lack);
}

static void compare_word(struct compare *c, const struct gw_cpu_feature_word *word)
{
	static const char *const regs[] = {"eax", "ebx", "ecx", "edx"};
	uint32_t missing = reg_of(c->wanted, word->leaf, word->subleaf, word->reg) &
			   ~reg_of(c->offered, word->leaf, word->subleaf, word->reg) &
			   ~word->no_demand;

	for (int bit = 0; bit < 32; bit++) {
		if (!(missing >> bit & 1))
			continue;

		struct gw_policy_lack lack = {
			.leaf = word->leaf,
			.subleaf = word->subleaf,
			.reg = word->reg,
			.bit = bit,
			.name = word->names[bit],
		};
		char subleaf[16] = "";

		if (word->subleaf != GW_CPUID_NO_SUBLEAF)
			snprintf(subleaf, sizeof(subleaf), ".%u", word->subleaf);
		snprintf(lack.text, sizeof(lack.text),
			 "CPU feature %s%s(CPUID leaf 0x%x%s %s bit %d)",
			 lack.name ? lack.name : "", lack.name ? " " : "", word->leaf, subleaf,
			 regs[word->reg], bit);
		lacks(c, &lack);
	}
}

/* Compares eax of a leaf that gives the number of leaves or subleaves; Xen does since 4.since. */
static void compare_max(struct compare *c, uint32_t leaf, uint8_t since)
{
	uint32_t wanted = reg_of(c->wanted, leaf, 0, GW_EAX);
	uint32_t offered = reg_of(c->offered, leaf, 0, GW_EAX);
	struct gw_policy_lack lack = {
		.leaf = leaf, .bit = -1, .name = "max leaf", .refused_since = since};

	if (wanted <= offered)
		return;
	snprintf(lack.text, sizeof(lack.text),
		 "CPUID %s up to 0x%x (leaf 0x%x eax), the host has up to 0x%x",
		 leaf == GW_LEAF_FEATURES ? "subleaves" : "leaves", wanted, leaf, offered);
	lacks(c, &lack);
}

void gw_cpu_vendor(const uint32_t regs[4], char vendor[GW_CPU_VENDOR_SIZE])
{
	memcpy(vendor, &regs[GW_EBX], 4);
	memcpy(vendor + 4, &regs[GW_EDX], 4);
	memcpy(vendor + 8, &regs[GW_ECX], 4);
	vendor[12] = 0;
	for (int i = 0; i < 12; i++)
		if (vendor[i] < ' ' || vendor[i] > '~')
			vendor[i] = '?';
}

/* SYSCALL, SYSENTER and errata differ between vendors in ways that no feature bit shows. */
static void compare_vendor(struct compare *c)
{
	const struct gw_cpuid_leaf *wanted = gw_policy_leaf(c->wanted, GW_LEAF_BASIC, 0);
	const struct gw_cpuid_leaf *offered = gw_policy_leaf(c->offered, GW_LEAF_BASIC, 0);
	struct gw_policy_lack lack = {
		.leaf = GW_LEAF_BASIC, .bit = -1, .name = "vendor", .refused_since = 22};
	char w[GW_CPU_VENDOR_SIZE], o[GW_CPU_VENDOR_SIZE];

	if (!wanted || !offered || !(offered->b | offered->c | offered->d) ||
	    (wanted->b == offered->b && wanted->c == offered->c && wanted->d == offered->d))
		return;
	gw_cpu_vendor((const uint32_t[]){0, wanted->b, wanted->c, wanted->d}, w);
	gw_cpu_vendor((const uint32_t[]){0, offered->b, offered->c, offered->d}, o);
	snprintf(lack.text, sizeof(lack.text),
		 "a CPU of vendor %s (CPUID leaf 0x0), the host's is %s", w, o);
	lacks(c, &lack);
}

static void compare_msr(struct compare *c, const struct gw_msr_entry *wanted)
{
	const struct gw_msr_entry *offered = gw_policy_msr(c->offered, wanted->index);
	uint64_t missing = wanted->value & ~(offered ? offered->value : 0);
	bool arch_caps = wanted->index == GW_MSR_ARCH_CAPABILITIES;

	if (arch_caps)
		missing &= ~GW_ARCH_CAPS_NO_DEMAND;

	for (int bit = 0; bit < 64; bit++) {
		struct gw_policy_lack lack = {.is_msr = true, .leaf = wanted->index, .bit = bit};

		lack.refused_since = wanted->index == GW_MSR_PLATFORM_INFO ? 14 : 0;
		if (!(missing >> bit & 1))
			continue;
		if (arch_caps)
			lack.name = gw_arch_caps_names[bit];
		snprintf(lack.text, sizeof(lack.text), "CPU feature %s%s(MSR 0x%x bit %d)",
			 lack.name ? lack.name : "", lack.name ? " " : "", wanted->index, bit);
		lacks(c, &lack);
	}
}

int gw_policy_compare(const struct gw_policy *wanted, const struct gw_policy *offered,
		      void (*report)(void *opaque, const struct gw_policy_lack *lack), void *opaque)
{
	struct compare c = {wanted, offered, report, opaque, 0};

	compare_vendor(&c);
	compare_max(&c, GW_LEAF_BASIC, 14);
	compare_max(&c, GW_LEAF_FEATURES, 15);
	compare_max(&c, GW_LEAF_EXTENDED, 14);
	for (size_t i = 0; i < gw_cpu_nr_feature_words; i++)
		compare_word(&c, &gw_cpu_feature_words[i]);
	for (size_t i = 0; i < wanted->nr_msrs; i++)
		compare_msr(&c, &wanted->msrs[i]);
	return c.lacks;
}
