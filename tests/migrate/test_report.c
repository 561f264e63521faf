/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests reports as JSON and as text, and the reasons of a preflight.
 */
#include "lib/gwtest.h"

#include <jansson.h>

#include "format/x86/policy.h"
#include "migrate/preflight.h"
#include "migrate/report.h"

static struct gw_report sample(void)
{
	return (struct gw_report){
		.rounds = 2,
		.round_pages = {1000, 24},
		.round_ns = {5000000, 600000},
		.pages = 1024,
		.bytes = 4202496,
		.total_ns = 8000000,
		.stopped_by = GW_STOP_DOWNTIME,
		.pause_ns = 1000000,
		.final_round_ns = 600000,
		.device_state_ns = 300000,
		.transfer_ns = 200000,
		.resume_ns = 100000,
		.downtime_ns = 2200000,
		.expected_downtime_ns = 700000,
		.target_downtime_ns = 2000000,
		.throttle = 25,
	};
}

static json_t *parse(const struct gw_report *r)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer out = {0};
	json_t *root;

	assert_ok(gw_report_json(r, "migrate", &out, &err), &err);
	root = json_loadb((char *)out.data, out.len, 0, NULL);
	gw_buffer_free(&out);
	assert_non_null(root);
	return root;
}

static json_int_t downtime(const json_t *root, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(root, "downtime"), key));
}

static void test_json(void **state)
{
	struct gw_report r = sample();
	json_t *root = parse(&r);
	json_t *rounds = json_object_get(root, "round");

	assert_string_equal(json_string_value(json_object_get(root, "operation")), "migrate");
	assert_int_equal(json_integer_value(json_object_get(root, "bytes")), 4202496);
	assert_string_equal(json_string_value(json_object_get(root, "stopped_by")), "downtime");
	assert_int_equal(json_array_size(rounds), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(rounds, 1), "pages")),
			 24);
	assert_int_equal(downtime(root, "total_ns"), 2200000);
	assert_int_equal(downtime(root, "expected_ns"), 700000);
	assert_int_equal(downtime(root, "off_ns"), 1500000);
	assert_int_equal(downtime(root, "target_ns"), 2000000);
	assert_true(json_is_true(json_object_get(json_object_get(root, "downtime"), "missed")));
	assert_int_equal(json_integer_value(json_object_get(root, "throttle")), 25);
	assert_int_equal(downtime(root, "pause_ns") + downtime(root, "final_round_ns") +
				 downtime(root, "device_state_ns") + downtime(root, "transfer_ns") +
				 downtime(root, "resume_ns"),
			 2200000);
	json_decref(root);
}

/* More rounds than slots, no expected downtime, no reason to stop. */
static void test_json_edges(void **state)
{
	struct gw_report r = sample();
	json_t *root;

	r.rounds = 500;
	r.stopped_by = GW_STOP_NONE;
	r.expected_downtime_ns = UINT64_MAX;
	r.target_downtime_ns = 0;
	root = parse(&r);
	assert_int_equal(json_array_size(json_object_get(root, "round")), 64);
	assert_true(json_is_null(json_object_get(root, "stopped_by")));
	assert_true(
		json_is_null(json_object_get(json_object_get(root, "downtime"), "expected_ns")));
	assert_true(json_is_null(json_object_get(json_object_get(root, "downtime"), "off_ns")));
	assert_true(json_is_null(json_object_get(json_object_get(root, "downtime"), "target_ns")));
	assert_true(json_is_null(json_object_get(json_object_get(root, "downtime"), "missed")));
	json_decref(root);
}

static void test_text(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_report r = sample();
	struct gw_buffer out = {0};

	assert_ok(gw_report_text(&r, &out, &err), &err);
	assert_ok(gw_buffer_append(&out, "", 1, &err), &err);
	assert_non_null(strstr((char *)out.data, "1024 pages, 4.0 MiB in 0.01 s"));
	assert_non_null(strstr((char *)out.data, "round 1: 24 pages in 0.6 ms"));
	assert_non_null(strstr((char *)out.data, "downtime 2.2 ms: pause 1.0, final round 0.6"));
	assert_non_null(
		strstr((char *)out.data,
		       "stopped by: downtime; expected downtime 0.7 ms; vCPUs slowed by 25 %\n"));
	assert_non_null(strstr((char *)out.data, "the target of 2 ms was missed by 0.2 ms\n"));
	gw_buffer_reset(&out);
	r.target_downtime_ns = r.downtime_ns;
	r.throttle = 0;
	assert_ok(gw_report_text(&r, &out, &err), &err);
	assert_ok(gw_buffer_append(&out, "", 1, &err), &err);
	assert_non_null(strstr((char *)out.data, "expected downtime 0.7 ms\n"));
	assert_null(strstr((char *)out.data, "missed"));
	gw_buffer_free(&out);
}

static void set(struct gw_policy *policy, const char *name)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_cpu_feature feature;

	assert_true(gw_cpu_feature_find(name, &feature));
	assert_ok(gw_policy_set_feature(policy, &feature, true, &err), &err);
}

static int host_policy(struct gw_host *host, enum gw_guest_type type, struct gw_policy *policy,
		       struct gw_error *err)
{
	*policy = (struct gw_policy){0};
	set(policy, "sse3");
	return 0;
}

static unsigned host_types(struct gw_host *host)
{
	return 1u << GW_GUEST_X86_HVM;
}

static uint64_t host_room(struct gw_host *host)
{
	return 1000;
}

static bool has_reason(const struct gw_error *err, const char *text)
{
	for (unsigned i = 0; i < err->nr_reasons; i++)
		if (strstr(gw_error_reason(err, i), text))
			return true;
	return false;
}

static void test_preflight(void **state)
{
	static const struct gw_host_ops ops = {
		.name = "tiny",
		.policy = host_policy,
		.guest_types = host_types,
		.free_pages = host_room,
	};
	struct gw_host host = {.ops = &ops};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_policy policy = {0};
	struct gw_preflight wanted = {.type = GW_GUEST_X86_HVM, .policy = &policy, .pages = 1000};

	set(&policy, "sse3");
	assert_ok(gw_preflight(&host, &wanted, &err), &err);
	set(&policy, "avx2");
	assert_true(gw_preflight(&host, &wanted, &err) < 0);
	assert_int_equal(err.nr_reasons, 1);
	assert_true(has_reason(&err, "avx2"));
	assert_fails(-1, &err, GW_REFUSED, "this host cannot take the guest");
	set(&policy, "sse4_2");
	wanted.type = GW_GUEST_X86_PV;
	wanted.pages = 1001;
	assert_true(gw_preflight(&host, &wanted, &err) < 0);
	assert_true(has_reason(&err, "does not run x86 PV guests"));
	assert_true(has_reason(&err, "needs 1001 pages of memory, this host has room for 1000"));
	assert_true(has_reason(&err, "avx2"));
	assert_true(has_reason(&err, "sse4_2"));
	assert_int_equal(err.reasons_left_out, 0);
	gw_policy_free(&policy);
}

/* More reasons than an error can hold: those left out are counted. */
static void test_preflight_overflow(void **state)
{
	static const struct gw_host_ops ops = {
		.name = "tiny",
		.policy = host_policy,
		.guest_types = host_types,
		.free_pages = host_room,
	};
	struct gw_host host = {.ops = &ops};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_policy policy = {0};
	struct gw_preflight wanted = {.type = GW_GUEST_X86_HVM, .policy = &policy};
	struct gw_cpu_feature feature;

	for (size_t i = 0; gw_cpu_feature_get(i, &feature); i++)
		assert_ok(gw_policy_set_feature(&policy, &feature, true, &err), &err);
	assert_true(gw_preflight(&host, &wanted, &err) < 0);
	assert_true(err.nr_reasons > 0 && err.reasons_left_out > 0);
	gw_policy_free(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_edges),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_preflight),
		cmocka_unit_test(test_preflight_overflow),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
