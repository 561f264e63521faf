/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the precopy policy with recorded traces, and the pacing with a simulated clock.
 */
#include "lib/gwtest.h"

#include "migrate/precopy.h"

#define MIB  (UINT64_C(1) << 20)
#define MSEC UINT64_C(1000000)

/* One pass through a channel of mib_per_s. */
static struct gw_precopy_round pass(uint64_t pages, uint64_t mib_per_s, uint64_t dirty)
{
	uint64_t bytes = pages * 4104;
	uint64_t ns = bytes * 1000 / mib_per_s * 1000000 / MIB;

	return (struct gw_precopy_round){
		.pages = pages, .bytes = bytes, .busy_ns = ns, .wall_ns = ns, .dirty = dirty};
}

/* Feeds a trace pass by pass. Returns the number of passes after which the policy stopped, 0 if it
 * never did. */
static unsigned stops_after(const struct gw_precopy *policy, const struct gw_precopy_round *trace,
			    unsigned n, struct gw_precopy_verdict *verdict)
{
	for (unsigned i = 1; i <= n; i++) {
		*verdict = gw_precopy_decide(policy, trace, i);
		if (verdict->stop)
			return i;
	}
	return 0;
}

/* 1 GiB at 1000 MiB/s, with a guest whose dirty set shrinks with the length of the pass. */
static const uint64_t shrinking[][2] = {
	{262144, 200000}, {200000, 150000}, {150000, 110000}, {110000, 70000}, {70000, 10000}};

static void test_converges(void **state)
{
	struct gw_precopy policy = {0};
	struct gw_precopy_round trace[5];
	struct gw_precopy_verdict v;

	for (int i = 0; i < 5; i++)
		trace[i] = pass(shrinking[i][0], 1000, shrinking[i][1]);
	/* 70000 pages are 273 MiB: 273 ms, the first that is below 300. */
	assert_int_equal(stops_after(&policy, trace, 5, &v), 4);
	assert_int_equal(v.stop, GW_STOP_DOWNTIME);
	assert_in_range(v.expected_downtime_ns, 265 * MSEC, 285 * MSEC);
	policy.downtime_ms = 50;
	assert_int_equal(stops_after(&policy, trace, 5, &v), 5);
	policy.downtime_ms = 1;
	assert_int_equal(stops_after(&policy, trace, 5, &v), 0);
}

static void test_idle_guest_stops_at_once(void **state)
{
	struct gw_precopy policy = {.downtime_ms = 1};
	struct gw_precopy_round trace[1] = {pass(262144, 100, 0)};
	struct gw_precopy_verdict v;

	assert_int_equal(stops_after(&policy, trace, 1, &v), 1);
	assert_int_equal(v.stop, GW_STOP_DOWNTIME);
	assert_int_equal(v.expected_downtime_ns, 0);
}

static void test_gives_up(void **state)
{
	struct gw_precopy policy = {.max_rounds = 7};
	struct gw_precopy_round trace[40];
	struct gw_precopy_verdict v;

	for (int i = 0; i < 40; i++)
		trace[i] = pass(200000, 500, 200000);
	assert_int_equal(stops_after(&policy, trace, 40, &v), 7);
	assert_int_equal(v.stop, GW_STOP_MAX_ROUNDS);
	policy.max_rounds = 0;
	assert_int_equal(stops_after(&policy, trace, 40, &v), GW_PRECOPY_MAX_ROUNDS);
	/* Each pass takes 1.56 s. */
	policy.timeout_ms = 5000;
	assert_int_equal(stops_after(&policy, trace, 40, &v), 4);
	assert_int_equal(v.stop, GW_STOP_TIMEOUT);
	/* The timeout still applies in its last millisecond. */
	trace[0].wall_ns = 5000 * MSEC;
	assert_int_equal(stops_after(&policy, trace, 40, &v), 1);
	trace[0].wall_ns = 4999 * MSEC;
	assert_int_equal(stops_after(&policy, trace, 40, &v), 2);
}

/* A few pages that go into an empty pipe at 50 GiB/s say nothing about the rate for 100 MiB. */
static void test_small_pass_is_not_believed(void **state)
{
	struct gw_precopy policy = {0};
	struct gw_precopy_round trace[2] = {pass(262144, 100, 100), pass(100, 50000, 25600)};
	struct gw_precopy_verdict v = gw_precopy_decide(&policy, trace, 2);

	assert_false(v.stop);
	assert_in_range(v.bytes_per_s, 99 * MIB, 102 * MIB);
	assert_in_range(v.expected_downtime_ns, 950 * MSEC, 1050 * MSEC);
}

/* Time spent in pacing does not lower the measured rate of the channel. */
static void test_pacing_does_not_count(void **state)
{
	struct gw_precopy policy = {0};
	struct gw_precopy_round trace[1] = {pass(262144, 1000, 60000)};

	trace[0].wall_ns *= 50;
	assert_true(gw_precopy_decide(&policy, trace, 1).stop);
}

static void test_nothing_measured(void **state)
{
	struct gw_precopy policy = {0};
	struct gw_precopy_round trace[1] = {{.dirty = 5}};
	struct gw_precopy_verdict v = gw_precopy_decide(&policy, trace, 1);

	assert_false(v.stop);
	assert_true(v.expected_downtime_ns == UINT64_MAX);
}

/* Sends chunks as fast as pacing allows; returns the bytes sent in that time. */
static uint64_t paced_bytes(struct gw_pacing *pacing, uint64_t chunk, uint64_t ns)
{
	uint64_t now = 5000 * MSEC, end = now + ns, sent = 0;

	while (now < end) {
		sent += chunk;
		now += gw_pacing_wait_ns(pacing, chunk, now) + 1000;
	}
	return sent;
}

static void test_pacing(void **state)
{
	struct gw_pacing pacing = {.bytes_per_s = 10 * MIB};
	struct gw_pacing none = {0};

	/* 10 s at 10 MiB/s, plus the credit of a tenth of a second and one chunk. */
	assert_in_range(paced_bytes(&pacing, MIB, 10000 * MSEC), 100 * MIB, 103 * MIB);
	assert_int_equal(gw_pacing_wait_ns(&none, 1 << 30, 1), 0);
	/* An hour without sending gives no more credit than a tenth of a second. */
	pacing.ready_ns = MSEC;
	assert_in_range(gw_pacing_wait_ns(&pacing, 10 * MIB, 3600000 * MSEC), 890 * MSEC,
			910 * MSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_converges),
		cmocka_unit_test(test_idle_guest_stops_at_once),
		cmocka_unit_test(test_gives_up),
		cmocka_unit_test(test_small_pass_is_not_believed),
		cmocka_unit_test(test_pacing_does_not_count),
		cmocka_unit_test(test_nothing_measured),
		cmocka_unit_test(test_pacing),
	};

	return cmocka_run_group_tests_name("precopy", tests, NULL, NULL);
}
