/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests CPU policies: names of features, and which features one host has and another lacks.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "format/libxc/image.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_features),
		cmocka_unit_test(lack_of_features_is_named),
		cmocka_unit_test(copies_of_leaf_1_follow),
		cmocka_unit_test(vendors_leaves_and_msrs),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
