/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the rules for CPUID and MSR policies: each limit at its last good and first bad value, as
 * Xen's x86_cpuid_copy_from_buffer(), x86_msr_copy_from_buffer() and
 * x86_cpu_policies_are_compatible() have it.
 */
#include "rules_policy.h"

#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/policy.h"
#include "rulecheck.h"

#define NONE GW_CPUID_NO_SUBLEAF

/* What the rules say of a policy alone, judged as Xen 4.xen. */
static void judge(uint32_t type, const void *body, size_t len, unsigned xen, const char *ids)
{
	const struct gw_image_header header = {
		.version = 3, .type = GW_GUEST_X86_HVM, .page_shift = 12, .xen_major = 4};
	struct seen seen = {0};
	const struct gw_findings out = {rulecheck_report, &seen, xen};
	struct gw_image_rules *rules = gw_image_rules_new(&out, 0, GW_IMAGE_ANY, 0);
	const struct gw_record rec = {
		.type = type, .length = (uint32_t)len, .data = body, .offset = 24};
	struct gw_error err = GW_ERROR_INIT;
	int rc;

	assert_ok(gw_image_rules_header(rules, &header, &err), &err);
	rc = gw_image_rules_record(rules, &rec, &err);
	if (*seen.ids)
		seen.ids[strlen(seen.ids) - 1] = 0;
	if (strcmp(seen.ids, ids) != 0)
		fail_msg("\"%s\", expected \"%s\" (%s)", seen.ids, ids, seen.last.text);
	assert_int_equal(rc < 0, err.code != GW_OK);
	gw_image_rules_free(rules);
}

static void leaves(const struct gw_cpuid_leaf *l, size_t n, unsigned xen, const char *ids)
{
	uint8_t *raw = malloc(n * 24);

	assert_non_null(raw);
	for (size_t i = 0; i < n; i++) {
		const uint32_t words[] = {l[i].leaf, l[i].subleaf, l[i].a, l[i].b, l[i].c, l[i].d};

		for (int k = 0; k < 6; k++)
			gw_put_le32(raw + 24 * i + 4 * k, words[k]);
	}
	judge(GW_REC_X86_CPUID_POLICY, raw, n * 24, xen, ids);
	free(raw);
}

static void leaf(uint32_t number, uint32_t subleaf, uint32_t eax, const char *ids)
{
	const struct gw_cpuid_leaf l = {number, subleaf, eax, 0, 0, 0};

	leaves(&l, 1, 0, ids);
}

static void msrs(const struct gw_msr_entry *m, size_t n, const char *ids)
{
	uint8_t raw[8 * 16];

	assert_true(n <= 8);
	for (size_t i = 0; i < n; i++) {
		gw_put_le32(raw + 16 * i, m[i].index);
		gw_put_le32(raw + 16 * i + 4, m[i].flags);
		gw_put_le64(raw + 16 * i + 8, m[i].value);
	}
	judge(GW_REC_X86_MSR_POLICY, raw, n * 16, 0, ids);
}

/* One of each leaf that Xen keeps: 120, the most that it takes. */
static size_t all_leaves(struct gw_cpuid_leaf *l)
{
	static const struct {
		uint32_t first, last, subleaves;
	} ranges[] = {{0, 3, 0},
		      {4, 4, 6},
		      {5, 6, 0},
		      {7, 7, 3},
		      {8, 0xa, 0},
		      {0xb, 0xb, 2},
		      {0xc, 0xc, 0},
		      {0xd, 0xd, 63},
		      {0x40000000, 0x40000000, 0},
		      {0x40000100, 0x40000100, 0},
		      {0x80000000, 0x80000021, 0}};
	size_t n = 0;

	for (size_t i = 0; i < GW_ARRAY_SIZE(ranges); i++)
		for (uint32_t k = ranges[i].first; k <= ranges[i].last; k++)
			for (uint32_t s = 0; s < GW_MAX(ranges[i].subleaves, 1u); s++)
				l[n++] = (struct gw_cpuid_leaf){
					.leaf = k, .subleaf = ranges[i].subleaves ? s : NONE};
	return n;
}

void policies_of_every_size(void **state)
{
	struct gw_cpuid_leaf l[121];
	size_t n = all_leaves(l);

	assert_int_equal(n, 120);
	leaves(l, n, 0, "");
	/* Xen reads no leaf of a longer list, so nothing else is reported. */
	l[n] = (struct gw_cpuid_leaf){.leaf = 0x77};
	leaves(l, n + 1, 0, "policy-leaf-count");
	/* The order makes no difference. */
	l[n] = l[0];
	leaves(l + 1, n, 0, "");
	l[n] = l[5];
	leaves(l + 1, n, 0, "policy-entry-repeated");
}

void policies_with_foreign_leaves(void **state)
{
	leaf(0xc, NONE, 0, "");
	leaf(0xe, NONE, 0, "policy-leaf");
	leaf(0x14, 0, 0, "policy-leaf");
	leaf(0x3fffffff, NONE, 0, "policy-leaf");
	leaf(0x40000001, NONE, 0, "policy-leaf");
	leaf(0x40000101, NONE, 0, "policy-leaf");
	leaf(0x7fffffff, NONE, 0, "policy-leaf");
	leaf(0x80000022, NONE, 0, "policy-leaf");
	leaf(0xffffffff, NONE, 0, "policy-leaf");

	/* Leaves without subleaves have the number for that, and those with subleaves never do. */
	leaf(0, 0, 0, "policy-leaf");
	leaf(1, 1, 0, "policy-leaf");
	leaf(0x40000000, 0, 0, "policy-leaf");
	leaf(0x80000008, 0, 0, "policy-leaf");
	leaf(4, 5, 0, "");
	leaf(4, 6, 0, "policy-leaf");
	leaf(4, NONE, 0, "policy-leaf");
	leaf(7, 2, 0, "");
	leaf(7, 3, 0, "policy-leaf");
	leaf(7, NONE, 0, "policy-leaf");
	leaf(0xb, 1, 0, "");
	leaf(0xb, 2, 0, "policy-leaf");
	leaf(0xd, 62, 0, "");
	leaf(0xd, 63, 0, "policy-leaf");
}

void policies_with_maxima(void **state)
{
	const struct gw_cpuid_leaf old[] = {{0, NONE, 6, 0, 0, 0}, {7, 0, 3, 0, 0, 0}};
	const struct gw_cpuid_leaf has_7[] = {{0, NONE, 7, 0, 0, 0}, {7, 0, 3, 0, 0, 0}};
	struct gw_cpuid_leaf above[] = {{0, NONE, 1, 0, 0, 0}, {5, NONE, 0, 0, 0, 1}};
	struct gw_cpuid_leaf extended[] = {{0x80000000, NONE, 0x80000008, 0, 0, 0},
					   {0x80000021, NONE, 4, 0, 0, 0}};
	const struct gw_cpuid_leaf subleaf[] = {{7, 0, 1, 0, 0, 0}, {7, 2, 0, 0, 0, 1}};

	leaf(0, NONE, 0xd, "");
	leaf(0, NONE, 0xe, "policy-max-leaf");
	leaf(0x80000000, NONE, 0, "");
	leaf(0x80000000, NONE, 0x80000021, "");
	leaf(0x80000000, NONE, 0x80000022, "policy-max-leaf");

	/* Xen 4.14 does not compare the subleaves of leaf 7; none does without a leaf 7. */
	leaf(7, 0, 2, "");
	leaf(7, 0, 3, "policy-max-subleaf");
	leaves(old, 2, 0, "policy-leaf-cleared");
	leaves(has_7, 2, 0, "policy-max-subleaf");

	leaves(above, 2, 0, "policy-leaf-cleared");
	above[0].a = 5;
	leaves(above, 2, 0, "");
	above[0].a = 1;
	above[1].d = 0;
	leaves(above, 2, 0, "");
	leaves(extended, 2, 0, "policy-leaf-cleared");
	extended[0].a = 0x80000021;
	leaves(extended, 2, 0, "");
	leaves(subleaf, 2, 0, "policy-leaf-cleared");
}

void policies_with_foreign_msrs(void **state)
{
	const struct gw_msr_entry both[] = {
		{0x10a, 0, UINT64_MAX}, {0xce, 0, 0x80000000}, {0xce, 0, 0}};
	const struct gw_msr_entry other = {0xcd, 0, 0}, flags = {0x10a, 1, 0};
	const struct gw_msr_entry wide = {0xce, 0, UINT64_C(1) << 32}, bit = {0xce, 0, 1};

	msrs(both, 2, "");
	msrs(both, 3, "policy-msr-count");
	msrs(both + 1, 2, "policy-entry-repeated");
	msrs(&other, 1, "policy-msr");
	msrs(&flags, 1, "policy-flags");
	msrs(&wide, 1, "policy-msr-value");
	msrs(&bit, 1, "policy-msr-value");
}

void policies_of_a_vendor(void **state)
{
	const struct gw_cpuid_leaf amd = {0, NONE, 1, 0x68747541, 0x444d4163, 0x69746e65};

	leaves(&amd, 1, 0, "");
	leaves(&amd, 1, 21, "");
	leaves(&amd, 1, 22, "policy-vendor");
	leaf(1, NONE, 0, "");
}
