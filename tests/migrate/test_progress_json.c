/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests progress as JSON and back, with what is unknown.
 */
#include "lib/gwtest.h"

#include "migrate/progress_json.h"

/* Both become the same JSON, which has all members. */
static void check_same(struct gw_progress a, struct gw_progress b)
{
	json_t *x = gw_progress_to_json(&a), *y = gw_progress_to_json(&b);

	assert_true(json_equal(x, y));
	json_decref(x);
	json_decref(y);
}

static void test_there_and_back(void **state)
{
	struct gw_progress p = {
		.stage = GW_STAGE_MEMORY,
		.round = 3,
		.pages_done = 10,
		.pages_total = 40,
		.bytes = 1000,
		.bytes_per_s = 300,
		.dirty_pages = 40,
		.bytes_total = 2000,
		.percent = 50,
		.dirty_per_s = 77,
		.expected_downtime_ns = 123456789,
	};
	json_t *event = gw_progress_to_json(&p);
	struct gw_progress back = gw_progress_from_json(event);

	assert_string_equal(json_string_value(json_object_get(event, "event")), "progress");
	assert_int_equal(json_integer_value(json_object_get(event, "bytes_left")), 1000);
	assert_int_equal(json_integer_value(json_object_get(event, "seconds_left")), 4);
	check_same(back, p);
	json_decref(event);
}

static void test_unknown_is_null(void **state)
{
	static const char *const keys[] = {"bytes_total",  "bytes_left",  "percent",
					   "seconds_left", "dirty_per_s", "expected_downtime_ns"};
	struct gw_progress p = {.stage = GW_STAGE_READING, .bytes = 5};
	json_t *event = gw_progress_to_json(&p);
	struct gw_progress back = gw_progress_from_json(event);

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_true(json_is_null(json_object_get(event, keys[i])));
	check_same(back, p);
	json_decref(event);
}

/* Another process wrote it. */
static void test_foreign(void **state)
{
	json_t *event = json_loads(
		"{\"stage\":\"no such\",\"round\":\"x\",\"bytes\":-5,\"percent\":null}", 0, NULL);
	struct gw_progress none = {0};

	check_same(gw_progress_from_json(event), none);
	json_decref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_unknown_is_null),
		cmocka_unit_test(test_foreign),
	};

	return cmocka_run_group_tests_name("progress_json", tests, NULL, NULL);
}
