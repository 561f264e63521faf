/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests CPU policies: names of features, and which features one host has and another lacks.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "format/libxc/image.h"
#include "format/x86/cpu_features.h"
#include "format/x86/policy.h"
#include "lib/realdata.h"

#define NONE GW_CPUID_NO_SUBLEAF

static void finds(const char *name, uint32_t leaf, uint32_t subleaf, enum gw_cpuid_reg reg,
		  unsigned bit)
{
	struct gw_cpu_feature f;

	if (!gw_cpu_feature_find(name, &f))
		fail_msg("%s is not found", name);
	assert_int_equal(f.leaf, leaf);
	assert_int_equal(f.subleaf, subleaf);
	assert_int_equal(f.reg, reg);
	assert_int_equal(f.bit, bit);
}

static void names_of_features(void **state)
{
	struct gw_cpu_feature f, again;
	size_t n;

	finds("sse4.2", 1, NONE, GW_ECX, 20);
	finds("SSE4_2", 1, NONE, GW_ECX, 20);
	finds("sse42", 1, NONE, GW_ECX, 20);
	finds("pni", 1, NONE, GW_ECX, 0);
	finds("fpu", 1, NONE, GW_EDX, 0);
	finds("avx2", 7, 0, GW_EBX, 5);
	finds("avx512-vbmi", 7, 0, GW_ECX, 1);
	finds("ssbd", 7, 0, GW_EDX, 31);
	finds("avx512_bf16", 7, 1, GW_EAX, 5);
	finds("lm", 0x80000001, NONE, GW_EDX, 29);
	finds("lahf_lm", 0x80000001, NONE, GW_ECX, 0);
	finds("invtsc", 0x80000007, NONE, GW_EDX, 8);
	finds("ibpb", 0x80000008, NONE, GW_EBX, 12);
	finds("xsaveopt", 0xd, 1, GW_EAX, 0);
	finds("avx512f", 7, 0, GW_EBX, 16);
	assert_false(gw_cpu_feature_find("sse4.3", &f));
	assert_false(gw_cpu_feature_find("", &f));
	assert_false(gw_cpu_feature_find("sse", &f) && f.bit != 25);

	assert_string_equal(gw_cpu_feature_name(1, NONE, GW_ECX, 20), "sse4_2");
	assert_string_equal(gw_cpu_feature_name(1, 0, GW_ECX, 20), "sse4_2");
	assert_null(gw_cpu_feature_name(1, NONE, GW_ECX, 16));
	assert_null(gw_cpu_feature_name(1, NONE, GW_EAX, 0));
	assert_null(gw_cpu_feature_name(1, NONE, GW_ECX, 32));

	/* Each name gives its own bit. */
	for (n = 0; gw_cpu_feature_get(n, &f); n++) {
		assert_true(gw_cpu_feature_find(f.name, &again));
		assert_memory_equal(&again, &f, sizeof(f));
		assert_ptr_equal(gw_cpu_feature_name(f.leaf, f.subleaf, f.reg, f.bit), f.name);
	}
	assert_true(n > 250);
}

struct seen {
	char text[2000];
	struct gw_policy_lack last;
};

static void note(void *opaque, const struct gw_policy_lack *lack)
{
	struct seen *seen = opaque;

	snprintf(seen->text + strlen(seen->text), sizeof(seen->text) - strlen(seen->text), "%s; ",
		 lack->text);
	seen->last = *lack;
}

/* The policy of a guest of Xen 4.17 on an emulated AMD machine. */
static struct gw_policy real_policy(void)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer file = realdata_load(realdata_path("xen417/tiny-pvh.save.xz"));
	size_t image = realdata_image(&file);
	struct gw_record cpuid = realdata_record(&file, image, GW_REC_X86_CPUID_POLICY);
	struct gw_record msr = realdata_record(&file, image, GW_REC_X86_MSR_POLICY);
	struct gw_policy policy = {0};

	assert_ok(gw_cpuid_policy_decode(&cpuid, &policy, &err), &err);
	assert_ok(gw_msr_policy_decode(&msr, &policy, &err), &err);
	gw_buffer_free(&file);
	return policy;
}

static void lack_of_features_is_named(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_policy wanted = real_policy(), offered;
	struct gw_cpu_feature f;
	struct seen seen = {0};

	assert_int_equal(gw_policy_compare(&wanted, &wanted, note, &seen), 0);
	assert_ok(gw_policy_copy(&offered, &wanted, &err), &err);

	assert_true(gw_cpu_feature_find("avx", &f));
	assert_false(gw_policy_has_feature(&wanted, &f));
	assert_true(gw_cpu_feature_find("cx16", &f));
	assert_true(gw_policy_has_feature(&wanted, &f));
	assert_ok(gw_policy_set_feature(&offered, &f, false, &err), &err);
	assert_false(gw_policy_has_feature(&offered, &f));
	assert_int_equal(gw_policy_compare(&wanted, &offered, note, &seen), 1);
	assert_string_equal(seen.text, "CPU feature cx16 (CPUID leaf 0x1 ecx bit 13); ");
	assert_string_equal(seen.last.name, "cx16");
	assert_int_equal(seen.last.bit, 13);
	/* Features that were not wanted make no difference. */
	assert_int_equal(gw_policy_compare(&offered, &wanted, note, &seen), 0);

	assert_ok(gw_policy_set_feature(&offered, &f, true, &err), &err);
	assert_int_equal(gw_policy_compare(&wanted, &offered, note, &seen), 0);

	/* A feature that this emulated AMD machine has: smep. */
	seen = (struct seen){0};
	assert_true(gw_cpu_feature_find("smep", &f));
	assert_true(gw_policy_has_feature(&wanted, &f) ==
		    !!(gw_policy_leaf(&wanted, 7, 0)->b & 0x80));
	assert_ok(gw_policy_set_feature(&offered, &f, false, &err), &err);
	assert_int_equal(gw_policy_compare(&wanted, &offered, note, &seen),
			 gw_policy_has_feature(&wanted, &f));
	gw_policy_free(&offered);
	gw_policy_free(&wanted);
}

static void copies_of_leaf_1_follow(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_policy p = real_policy();
	struct gw_cpu_feature f;

	assert_true(gw_cpu_feature_find("mmx", &f));
	assert_true(gw_policy_leaf(&p, 0x80000001, NONE)->d & 1u << 23);
	assert_ok(gw_policy_set_feature(&p, &f, false, &err), &err);
	assert_false(gw_policy_leaf(&p, 1, NONE)->d & 1u << 23);
	assert_false(gw_policy_leaf(&p, 0x80000001, NONE)->d & 1u << 23);
	assert_ok(gw_policy_set_feature(&p, &f, true, &err), &err);
	assert_true(gw_policy_leaf(&p, 0x80000001, NONE)->d & 1u << 23);

	/* A leaf that does not exist is added when a bit is set, and only then. */
	size_t n = p.nr_leaves;

	assert_true(gw_cpu_feature_find("avx_vnni", &f));
	assert_ok(gw_policy_set_feature(&p, &f, false, &err), &err);
	assert_int_equal(p.nr_leaves, n);
	assert_ok(gw_policy_set_feature(&p, &f, true, &err), &err);
	assert_int_equal(p.nr_leaves, n + 1);
	assert_true(gw_policy_has_feature(&p, &f));
	gw_policy_free(&p);
}

static void vendors_leaves_and_msrs(void **state)
{
	struct gw_cpuid_leaf intel[] = {{0, NONE, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69},
					{1, NONE, 0x306f2, 0, 1u << 27 | 1u << 31 | 1, 1u << 28},
					{7, 0, 2, 1u << 22, 0, 0},
					{0x80000000, NONE, 0x80000008, 0, 0, 0}};
	struct gw_cpuid_leaf amd[] = {{0, NONE, 7, 0x68747541, 0x444d4163, 0x69746e65},
				      {1, NONE, 0x60fb1, 0, 1, 0},
				      {7, 0, 0, 0, 0, 0},
				      {0x80000000, NONE, 0x80000021, 0, 0, 0}};
	struct gw_msr_entry wanted_msrs[] = {{0x10a, 0, 9}, {0xce, 0, 1u << 31}};
	struct gw_msr_entry offered_msrs[] = {{0x10a, 0, 8}};
	const struct gw_policy wanted = {intel, GW_ARRAY_SIZE(intel), wanted_msrs, 2};
	const struct gw_policy offered = {amd, GW_ARRAY_SIZE(amd), offered_msrs, 1};
	const struct gw_policy empty = {0};
	struct seen seen = {0};

	/* osxsave, hypervisor and htt do not count as wanted. */
	assert_int_equal(gw_policy_compare(&wanted, &offered, note, &seen), 6);
	assert_string_equal(
		seen.text,
		"a CPU of vendor GenuineIntel (CPUID leaf 0x0), the host's is AuthenticAMD; "
		"CPUID leaves up to 0xd (leaf 0x0 eax), the host has up to 0x7; "
		"CPUID subleaves up to 0x2 (leaf 0x7 eax), the host has up to 0x0; "
		"CPU feature (CPUID leaf 0x7.0 ebx bit 22); "
		"CPU feature rdcl_no (MSR 0x10a bit 0); "
		"CPU feature (MSR 0xce bit 31); ");
	assert_true(seen.last.is_msr);
	assert_int_equal(gw_policy_compare(&empty, &offered, note, &seen), 0);
	assert_true(gw_policy_compare(&wanted, &empty, note, &seen) > 3);
	assert_int_equal(gw_policy_msr(&wanted, 0xce)->value, 0x80000000);
	assert_null(gw_policy_msr(&wanted, 0xcf));
}

/*
 * Every bit that Xen names in public/arch-x86/cpufeatureset.h (master of August 2026, a superset of
 * 4.22's), and those of them that it marks '|': accumulated over the hosts of a pool, which no host
 * has to give.
 */
static const struct {
	uint32_t leaf, subleaf;
	enum gw_cpuid_reg reg;
	uint32_t named, accumulated;
} xen_words[] = {
	{1, NONE, GW_EDX, 0xbfebfbff, 0},
	{1, NONE, GW_ECX, 0xfffefbff, 0},
	{0x80000001, NONE, GW_EDX, 0xee500800, 0},
	{0x80000001, NONE, GW_ECX, 0x6469bfff, 0},
	{0xd, 1, GW_EAX, 0x0000001f, 0},
	{7, 0, GW_EBX, 0xffbfffff, 0},
	{7, 0, GW_ECX, 0xfb417fff, 0},
	{0x80000007, NONE, GW_EDX, 0x00000780, 0},
	{0x80000008, NONE, GW_EBX, 0x7f9fd205, 0x00100000},
	{7, 0, GW_EDX, 0xffddef3e, 0x00000400},
	{7, 1, GW_EAX, 0xccbe1df7, 0},
	{0x80000021, NONE, GW_EAX, 0xf89e0d67, 0x00000022},
	{7, 1, GW_EBX, 0x00000001, 0},
	{7, 2, GW_EDX, 0x0000007f, 0},
	{7, 1, GW_EDX, 0x01064530, 0},
	{0x80000021, NONE, GW_ECX, 0x00000006, 0},
};
#define ARCH_CAPS_NAMED	      UINT64_C(0x400000017fbfffff)
#define ARCH_CAPS_ACCUMULATED UINT64_C(0x10020000)
#define ARCH_CAPS_NEGATIVE    UINT64_C(0x00080004) /* rsba, rrsba */

static void names_are_xens(void **state)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(xen_words); i++)
		for (unsigned bit = 0; bit < 32; bit++)
			if (xen_words[i].named >> bit & 1 &&
			    !gw_cpu_feature_name(xen_words[i].leaf, xen_words[i].subleaf,
						 xen_words[i].reg, bit))
				fail_msg("leaf 0x%x.%d register %d bit %u has no name",
					 xen_words[i].leaf, (int)xen_words[i].subleaf,
					 xen_words[i].reg, bit);
	for (unsigned bit = 0; bit < 64; bit++)
		if (ARCH_CAPS_NAMED >> bit & 1 && !gw_arch_caps_names[bit])
			fail_msg("ARCH_CAPABILITIES bit %u has no name", bit);
	finds("tsa_sq_no", 0x80000021, NONE, GW_ECX, 1);
	finds("ddpd-u", 7, 2, GW_EDX, 3);
}

static uint32_t *reg_of(struct gw_cpuid_leaf *l, enum gw_cpuid_reg reg)
{
	uint32_t *const regs[] = {&l->a, &l->b, &l->c, &l->d};

	return regs[reg];
}

/* All bits of a word are wanted and none is offered: exactly the accumulated ones are not missed.
 */
static void accumulated_bits_are_not_demanded(void **state)
{
	const struct gw_policy none = {0};
	struct gw_msr_entry caps = {0x10a, 0, UINT64_MAX};
	struct gw_policy wanted = {.msrs = &caps, .nr_msrs = 1};
	struct seen seen = {0};

	for (size_t i = 0; i < GW_ARRAY_SIZE(xen_words); i++) {
		struct gw_cpuid_leaf l = {xen_words[i].leaf, xen_words[i].subleaf, 0, 0, 0, 0};
		const struct gw_policy one = {.leaves = &l, .nr_leaves = 1};

		*reg_of(&l, xen_words[i].reg) = xen_words[i].accumulated;
		assert_int_equal(gw_policy_compare(&one, &none, note, &seen), 0);
	}
	assert_int_equal(gw_policy_compare(&wanted, &none, note, &seen), 60);
	caps.value = ARCH_CAPS_ACCUMULATED | ARCH_CAPS_NEGATIVE;
	assert_int_equal(gw_policy_compare(&wanted, &none, note, &seen), 0);
}

/* Xen's own comparison refuses maxima, PLATFORM_INFO and since 4.22 vendors, and nothing else. */
static void what_xen_refuses(void **state)
{
	static const struct {
		struct gw_cpuid_leaf wanted, offered;
		uint8_t since;
	} cases[] = {
		{{0, NONE, 2, 0, 0, 0}, {0, NONE, 1, 0, 0, 0}, 14},
		{{7, 0, 1, 0, 0, 0}, {7, 0, 0, 0, 0, 0}, 15},
		{{0x80000000, NONE, 0x80000008, 0, 0, 0},
		 {0x80000000, NONE, 0x80000007, 0, 0, 0},
		 14},
		{{0, NONE, 1, 1, 0, 0}, {0, NONE, 1, 2, 0, 0}, 22},
		{{1, NONE, 0, 0, 1, 0}, {1, NONE, 0, 0, 0, 0}, 0},
		{{0x80000021, NONE, 0, 0, 2, 0}, {0x80000021, NONE, 0, 0, 0, 0}, 0},
	};
	struct gw_msr_entry faulting = {0xce, 0, UINT64_C(1) << 31}, caps = {0x10a, 0, 1};
	const struct gw_policy info = {.msrs = &faulting, .nr_msrs = 1}, empty = {0};
	const struct gw_policy arch = {.msrs = &caps, .nr_msrs = 1};
	struct seen seen = {0};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_cpuid_leaf w = cases[i].wanted, o = cases[i].offered;
		const struct gw_policy wanted = {&w, 1, NULL, 0}, offered = {&o, 1, NULL, 0};

		assert_int_equal(gw_policy_compare(&wanted, &offered, note, &seen), 1);
		assert_int_equal(seen.last.refused_since, cases[i].since);
	}
	assert_int_equal(gw_policy_compare(&info, &empty, note, &seen), 1);
	assert_int_equal(seen.last.refused_since, 14);
	assert_int_equal(gw_policy_compare(&arch, &empty, note, &seen), 1);
	assert_int_equal(seen.last.refused_since, 0);
}

static void hosts_for_any_vendor(void **state)
{
	struct gw_cpuid_leaf amd = {0, NONE, 1, 0x68747541, 0x444d4163, 0x69746e65};
	struct gw_cpuid_leaf any = {0, NONE, 1, 0, 0, 0};
	const struct gw_policy wanted = {&amd, 1, NULL, 0}, offered = {&any, 1, NULL, 0};
	struct seen seen = {0};

	assert_int_equal(gw_policy_compare(&wanted, &offered, note, &seen), 0);
	assert_int_equal(gw_policy_compare(&offered, &wanted, note, &seen), 1);
}

/* Xen copies one entry after another: the last of several counts. */
static void the_last_entry_counts(void **state)
{
	struct gw_cpuid_leaf leaves[] = {{1, NONE, 0, 0, 0, 1}, {1, NONE, 0, 0, 0, 2}};
	struct gw_msr_entry msrs[] = {{0xce, 0, 0}, {0xce, 0, 5}};
	const struct gw_policy policy = {leaves, 2, msrs, 2};

	assert_int_equal(gw_policy_leaf(&policy, 1, NONE)->d, 2);
	assert_int_equal(gw_policy_msr(&policy, 0xce)->value, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_features),
		cmocka_unit_test(lack_of_features_is_named),
		cmocka_unit_test(copies_of_leaf_1_follow),
		cmocka_unit_test(vendors_leaves_and_msrs),
		cmocka_unit_test(names_are_xens),
		cmocka_unit_test(accumulated_bits_are_not_demanded),
		cmocka_unit_test(what_xen_refuses),
		cmocka_unit_test(hosts_for_any_vendor),
		cmocka_unit_test(the_last_entry_counts),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
