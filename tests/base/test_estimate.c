/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the rate and the percentage of an operation, with a simulated clock.
 */
#include "lib/gwtest.h"

#include "base/estimate.h"

#define MIB  (UINT64_C(1) << 20)
#define MSEC UINT64_C(1000000)
#define SEC  (1000 * MSEC)

static struct gw_progress at(struct gw_estimate *e, uint64_t ns, uint64_t bytes, uint64_t total)
{
	struct gw_progress p = {.stage = GW_STAGE_MEMORY, .bytes = bytes, .bytes_total = total};

	gw_estimate(e, &p, ns);
	return p;
}

/* 12 MiB a second in steps of 100 ms: the rate is there before the first second is over. */
static void test_steady(void **state)
{
	struct gw_estimate e = {0};
	unsigned before = 0;

	for (uint64_t i = 0; i <= 100; i++) {
		struct gw_progress p =
			at(&e, 7 * SEC + i * 100 * MSEC, i * 12 * MIB / 10, 120 * MIB);

		if (i == 0) {
			assert_int_equal(p.bytes_per_s, 0);
			assert_true(gw_progress_seconds_left(&p) == UINT64_MAX);
		} else {
			assert_in_range(p.bytes_per_s, 12 * MIB - 2, 12 * MIB + 2);
			assert_int_equal(gw_progress_bytes_left(&p), 120 * MIB - p.bytes);
			assert_in_range(gw_progress_seconds_left(&p), (100 - i) / 10,
					(100 - i) / 10 + 1);
		}
		assert_in_range(p.percent, before, before + 2);
		assert_in_range(p.percent, i > 0 ? i - 1 : 0, i);
		before = p.percent;
	}
	/* All has moved, but it is not over. */
	assert_int_equal(before, 99);
}

/* The rate is that of the last seconds, not of the whole time. */
static void test_follows_changes(void **state)
{
	struct gw_estimate e = {0};
	struct gw_progress p = {0};
	uint64_t ns = 0, bytes = 0;

	for (int i = 0; i < 600; i++)
		p = at(&e, ns += 100 * MSEC, bytes += MIB, 0);
	assert_in_range(p.bytes_per_s, 10 * MIB - 2, 10 * MIB + 2);
	for (int i = 0; i < 40; i++)
		p = at(&e, ns += 100 * MSEC, bytes += 10 * MIB, 0);
	assert_in_range(p.bytes_per_s, 100 * MIB - 2, 100 * MIB + 2);
	/* Nothing moves: it falls, and is 0 when nothing has moved for the whole window. */
	p = at(&e, ns += 3 * SEC / 2, bytes, 0);
	assert_in_range(p.bytes_per_s, 1, 60 * MIB);
	for (int i = 0; i < 20; i++)
		p = at(&e, ns += 250 * MSEC, bytes, 0);
	assert_int_equal(p.bytes_per_s, 0);
}

/* Large steps with long waits between them, as a low limit makes them. */
static void test_bursts(void **state)
{
	struct gw_estimate e = {0};
	struct gw_progress p = at(&e, 0, 0, 0);

	for (uint64_t i = 1; i <= 8; i++) {
		at(&e, i * 8 * SEC - 8 * SEC + MSEC, i * 4 * MIB, 0);
		p = at(&e, i * 8 * SEC, i * 4 * MIB, 0);
		assert_in_range(p.bytes_per_s, MIB / 2 - MIB / 32, MIB / 2 + MIB / 32);
	}
}

/* Calls without end at short intervals do not shorten the window. */
static void test_many_calls(void **state)
{
	struct gw_estimate e = {0};
	struct gw_progress p = {0};

	for (uint64_t i = 0; i < 20000; i++)
		p = at(&e, i * MSEC, i * 1000, 0);
	assert_in_range(p.bytes_per_s, 999000, 1001000);
	assert_true(p.bytes - e.samples[e.first].bytes >= 3 * UINT64_C(1000000));
}

/* A guest that writes raises the total; what was shown does not go back. */
static void test_total_grows(void **state)
{
	struct gw_estimate e = {0};
	struct gw_progress p = at(&e, SEC, 80 * MIB, 100 * MIB);

	assert_int_equal(p.percent, 80);
	p = at(&e, 2 * SEC, 90 * MIB, 180 * MIB);
	assert_int_equal(p.percent, 80);
	assert_int_equal(gw_progress_bytes_left(&p), 90 * MIB);
	p = at(&e, 3 * SEC, 170 * MIB, 180 * MIB);
	assert_int_equal(p.percent, 94);
	/* More than was expected: nothing is left, and no percentage above 100. */
	p = at(&e, 4 * SEC, 200 * MIB, 180 * MIB);
	assert_int_equal(p.percent, 99);
	assert_int_equal(p.bytes_total, 200 * MIB);
	assert_int_equal(gw_progress_bytes_left(&p), 0);
	assert_int_equal(gw_progress_seconds_left(&p), 0);
	p.stage = GW_STAGE_DONE;
	gw_estimate(&e, &p, 5 * SEC);
	assert_int_equal(p.percent, 100);
}

static void test_total_unknown(void **state)
{
	struct gw_estimate e = {0};
	struct gw_progress p = at(&e, SEC, 80 * MIB, 0);

	p = at(&e, 2 * SEC, 90 * MIB, 0);
	assert_int_equal(p.bytes_total, 0);
	assert_int_equal(p.bytes_per_s, 10 * MIB);
	assert_int_equal(gw_progress_bytes_left(&p), 0);
	assert_true(gw_progress_seconds_left(&p) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steady),	    cmocka_unit_test(test_follows_changes),
		cmocka_unit_test(test_bursts),	    cmocka_unit_test(test_many_calls),
		cmocka_unit_test(test_total_grows), cmocka_unit_test(test_total_unknown),
	};

	return cmocka_run_group_tests_name("estimate", tests, NULL, NULL);
}
