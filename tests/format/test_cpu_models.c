/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the CPU models: what each demands of a Xen host, and the words that change one.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "format/x86/cpu_models.h"

#define NONE GW_CPUID_NO_SUBLEAF

static const struct gw_policy unlimited;

static struct gw_policy made(const char *words)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_policy policy;

	assert_ok(gw_cpu_model_policy(words, &unlimited, &policy, &err), &err);
	return policy;
}

static uint32_t highest(const struct gw_policy *policy, uint32_t leaf)
{
	return gw_policy_leaf(policy, leaf, leaf == 7 ? 0 : NONE)->a;
}

static bool has(const struct gw_policy *policy, const char *name)
{
	struct gw_cpu_feature f;

	assert_true(gw_cpu_feature_find(name, &f));
	return gw_policy_has_feature(policy, &f);
}

static void models_demand_little(void **state)
{
	static const struct {
		const char *name, *vendor;
		uint32_t basic, extended;
		bool recent;
	} models[] = {
		{"portable", "AuthenticAMD", 1, 0x80000008, false},
		{"portable-intel", "GenuineIntel", 1, 0x80000008, false},
		{"amd", "AuthenticAMD", 7, 0x80000008, true},
		{"intel", "GenuineIntel", 7, 0x80000008, true},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(models); i++) {
		struct gw_policy p = made(models[i].name);
		const struct gw_cpuid_leaf *l = gw_policy_leaf(&p, 0, NONE);
		char vendor[GW_CPU_VENDOR_SIZE];

		assert_string_equal(gw_cpu_model(i)->name, models[i].name);
		gw_cpu_vendor((const uint32_t[]){l->a, l->b, l->c, l->d}, vendor);
		assert_string_equal(vendor, models[i].vendor);
		assert_int_equal(highest(&p, 0), models[i].basic);
		assert_int_equal(highest(&p, 0x80000000), models[i].extended);
		assert_int_equal(gw_policy_msr(&p, 0xce)->value, 0);
		assert_true(has(&p, "lm") && has(&p, "sse2") && has(&p, "cx16"));
		assert_int_equal(has(&p, "sse4_2"), models[i].recent);
		assert_int_equal(has(&p, "sse4a"), i == 2);
		/* What the built-in machine does not implement. */
		assert_false(has(&p, "apic") || has(&p, "x2apic") || has(&p, "nx") ||
			     has(&p, "syscall") || has(&p, "umip") || has(&p, "mtrr"));
		/* One of each leaf up to the highest: Xen adds none of its own. */
		assert_int_equal(p.nr_leaves, models[i].basic + 1 + 9);
		gw_policy_free(&p);
	}
	assert_string_equal(gw_cpu_model(0)->name, GW_CPU_MODEL_DEFAULT);
	assert_string_equal(gw_cpu_model(4)->name, "host");
	assert_null(gw_cpu_model(5));
}

static void words_change_a_model(void **state)
{
	struct gw_policy p = made("+avx2,-sse3,+lfence_dispatch,-mmx");

	assert_true(has(&p, "avx2") && has(&p, "lfence_dispatch"));
	assert_false(has(&p, "sse3") || has(&p, "mmx"));
	assert_false(gw_policy_leaf(&p, 0x80000001, NONE)->d & 1u << 23);
	assert_int_equal(highest(&p, 0), 7);
	assert_int_equal(highest(&p, 7), 0);
	assert_int_equal(highest(&p, 0x80000000), 0x80000021);
	gw_policy_free(&p);
	p = made("intel,+avx_vnni,+vme");
	assert_int_equal(highest(&p, 7), 1);
	/* Only AMD repeats the bits of leaf 1. */
	assert_false(gw_policy_leaf(&p, 0x80000001, NONE)->d & 2);
	gw_policy_free(&p);
	p = made(NULL);
	assert_int_equal(highest(&p, 0), 1);
	gw_policy_free(&p);
}

static void hosts_limit_models(void **state)
{
	struct gw_cpuid_leaf leaves[] = {{0, NONE, 7, 0x756e6547, 0x6c65746e, 0x49656e69},
					 {1, NONE, 0, 0, 1u << 13, 1},
					 {7, 0, 0, 0, 0, 0},
					 {0x80000000, NONE, 0x80000001, 0, 0, 0},
					 {0x80000001, NONE, 0, 0, 0, 1u << 29}};
	const struct gw_policy host = {leaves, GW_ARRAY_SIZE(leaves), NULL, 0};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_policy p;

	assert_ok(gw_cpu_model_policy("portable", &host, &p, &err), &err);
	assert_true(has(&p, "fpu") && has(&p, "cx16") && has(&p, "lm"));
	assert_false(has(&p, "sse3") || has(&p, "sse2"));
	gw_policy_free(&p);
	assert_ok(gw_cpu_model_policy("host", &host, &p, &err), &err);
	assert_int_equal(gw_policy_leaf(&p, 0, NONE)->b, 0x756e6547);
	assert_int_equal(highest(&p, 0x80000000), 0x80000001);
	gw_policy_free(&p);
	assert_fails(gw_cpu_model_policy("+avx2", &host, &p, &err), &err, GW_REFUSED, "avx2");
	assert_fails(gw_cpu_model_policy("+warp", &host, &p, &err), &err, GW_USAGE, "warp");
	assert_fails(gw_cpu_model_policy("cray", &host, &p, &err), &err, GW_USAGE, "cray");
	assert_fails(gw_cpu_model_policy("+sse,amd", &host, &p, &err), &err, GW_REFUSED, "sse");
	assert_fails(gw_cpu_model_policy("+fpu,amd", &host, &p, &err), &err, GW_USAGE,
		     "model first");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(models_demand_little),
		cmocka_unit_test(words_change_a_model),
		cmocka_unit_test(hosts_limit_models),
	};

	return cmocka_run_group_tests_name("cpu_models", tests, NULL, NULL);
}
