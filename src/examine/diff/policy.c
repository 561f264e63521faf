/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two CPU policies, leaf by leaf and MSR by MSR, and two sets of HVM params. An image without a
 * policy has an empty one.
 */
#include "examine/diff/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/x86/cpu_features.h"

/* Leaves without subleaves are written with either number. */
static uint64_t leaf_key(const struct gw_cpuid_leaf *l)
{
	return (uint64_t)l->leaf << 32 | (l->subleaf == GW_CPUID_NO_SUBLEAF ? 0 : l->subleaf);
}

static int by_leaf(const void *x, const void *y)
{
	uint64_t a = leaf_key(x), b = leaf_key(y);

	return (a > b) - (a < b);
}

static int by_msr(const void *x, const void *y)
{
	uint32_t a = ((const struct gw_msr_entry *)x)->index,
		 b = ((const struct gw_msr_entry *)y)->index;

	return (a > b) - (a < b);
}

static int by_param(const void *x, const void *y)
{
	uint64_t a = ((const struct gw_param *)x)->index, b = ((const struct gw_param *)y)->index;

	return (a > b) - (a < b);
}

/* A register of a leaf, for the names of its bits. */
struct word {
	const struct gw_cpuid_leaf *leaf;
	enum gw_cpuid_reg reg;
};

static const char *feature(const void *opaque, unsigned bit)
{
	const struct word *w = opaque;

	return bit < 32 ? gw_cpu_feature_name(w->leaf->leaf, w->leaf->subleaf, w->reg, bit) : NULL;
}

static void compare_leaf(struct gw_diff *d, const struct gw_cpuid_leaf *a,
			 const struct gw_cpuid_leaf *b)
{
	static const char *const regs[] = {"eax", "ebx", "ecx", "edx"};
	const struct gw_cpuid_leaf *one = gw_diff_either(a, b);
	struct gw_difference x = {
		.part = GW_DIFF_CPUID,
		.number = one->leaf,
		.subleaf = one->subleaf,
	};
	char text[80];

	if (!a || !b) {
		snprintf(text, sizeof(text),
			 "eax %08" PRIx32 " ebx %08" PRIx32 " ecx %08" PRIx32 " edx %08" PRIx32,
			 one->a, one->b, one->c, one->d);
		gw_diff_texts(d, &x, a ? text : NULL, b ? text : NULL);
		return;
	}
	for (unsigned reg = GW_EAX; reg <= GW_EDX; reg++) {
		const struct word w = {a, (enum gw_cpuid_reg)reg};

		x.field = regs[reg];
		gw_diff_bits(d, &x, gw_cpuid_leaf_reg(a, reg), gw_cpuid_leaf_reg(b, reg), feature,
			     &w);
	}
}

static const char *arch_cap(const void *opaque, unsigned bit)
{
	return *(const uint32_t *)opaque == GW_MSR_ARCH_CAPABILITIES ? gw_arch_caps_names[bit]
								     : NULL;
}

static void compare_msr(struct gw_diff *d, const struct gw_msr_entry *a,
			const struct gw_msr_entry *b)
{
	const struct gw_msr_entry *one = gw_diff_either(a, b);
	const struct gw_difference x = {
		.part = GW_DIFF_MSR_POLICY,
		.number = one->index,
		.field = gw_msr_name(one->index),
	};
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, one->value);
	if (!a || !b)
		gw_diff_texts(d, &x, a ? text : NULL, b ? text : NULL);
	else
		gw_diff_bits(d, &x, a->value, b->value, arch_cap, &one->index);
}

static void compare_param(struct gw_diff *d, const struct gw_param *a, const struct gw_param *b)
{
	const struct gw_param *one = gw_diff_either(a, b);
	const struct gw_difference x = {
		.part = GW_DIFF_PARAM,
		.number = (uint32_t)one->index,
		.field = gw_hvm_param_name(one->index),
	};
	char text_a[24], text_b[24];

	snprintf(text_a, sizeof(text_a), "0x%" PRIx64, a ? a->value : 0);
	snprintf(text_b, sizeof(text_b), "0x%" PRIx64, b ? b->value : 0);
	gw_diff_texts(d, &x, a ? text_a : NULL, b ? text_b : NULL);
}

static int compare_leaves(struct gw_diff *d, const struct gw_policy *a, const struct gw_policy *b,
			  struct gw_error *err)
{
	struct gw_diff_pair *pairs;
	ssize_t n = gw_diff_match(a->leaves, a->nr_leaves, b->leaves, b->nr_leaves,
				  sizeof(*a->leaves), by_leaf, &pairs, err);

	for (ssize_t i = 0; i < n; i++)
		compare_leaf(d, pairs[i].a < 0 ? NULL : &a->leaves[pairs[i].a],
			     pairs[i].b < 0 ? NULL : &b->leaves[pairs[i].b]);
	free(pairs);
	return n < 0 ? -1 : 0;
}

static int compare_msrs(struct gw_diff *d, const struct gw_policy *a, const struct gw_policy *b,
			struct gw_error *err)
{
	struct gw_diff_pair *pairs;
	ssize_t n = gw_diff_match(a->msrs, a->nr_msrs, b->msrs, b->nr_msrs, sizeof(*a->msrs),
				  by_msr, &pairs, err);

	for (ssize_t i = 0; i < n; i++)
		compare_msr(d, pairs[i].a < 0 ? NULL : &a->msrs[pairs[i].a],
			    pairs[i].b < 0 ? NULL : &b->msrs[pairs[i].b]);
	free(pairs);
	return n < 0 ? -1 : 0;
}

int gw_diff_policy(struct gw_diff *d, struct gw_error *err)
{
	const struct gw_policy *a = &d->a.summary.policy, *b = &d->b.summary.policy;
	struct gw_difference x = {.part = GW_DIFF_CPUID, .subleaf = GW_CPUID_NO_SUBLEAF};
	int rc = 0;

	if (a->nr_leaves > GW_DIFF_LIST_MAX || b->nr_leaves > GW_DIFF_LIST_MAX)
		gw_diff_buffers(d, &x, a->leaves, a->nr_leaves * sizeof(*a->leaves), b->leaves,
				b->nr_leaves * sizeof(*b->leaves));
	else
		rc = compare_leaves(d, a, b, err);
	if (rc < 0)
		return -1;
	x.part = GW_DIFF_MSR_POLICY;
	if (a->nr_msrs <= GW_DIFF_LIST_MAX && b->nr_msrs <= GW_DIFF_LIST_MAX)
		return compare_msrs(d, a, b, err);
	gw_diff_buffers(d, &x, a->msrs, a->nr_msrs * sizeof(*a->msrs), b->msrs,
			b->nr_msrs * sizeof(*b->msrs));
	return 0;
}

int gw_diff_params(struct gw_diff *d, struct gw_error *err)
{
	const struct gw_summary *a = &d->a.summary, *b = &d->b.summary;
	struct gw_diff_pair *pairs;
	ssize_t n = gw_diff_match(a->params, a->nr_params, b->params, b->nr_params,
				  sizeof(*a->params), by_param, &pairs, err);

	for (ssize_t i = 0; i < n; i++)
		compare_param(d, pairs[i].a < 0 ? NULL : &a->params[pairs[i].a],
			      pairs[i].b < 0 ? NULL : &b->params[pairs[i].b]);
	free(pairs);
	return n < 0 ? -1 : 0;
}
