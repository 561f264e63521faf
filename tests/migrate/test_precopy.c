/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the precopy policy with recorded traces, and the pacing with a simulated clock.
 */
#include "lib/gwtest.h"

#include "migrate/precopy.h"

#define MIB  (UINT64_C(1) << 20)
#define MSEC UINT64_C(1000000)

/* One pass through a channel of mib_per_s, in which the guest left dirty pages. */
static struct gw_precopy_round pass(uint64_t pages, uint64_t mib_per_s, uint64_t dirty)
{
	uint64_t bytes = pages * 4104;
	uint64_t ns = bytes * 1000 / mib_per_s * 1000000 / MIB;

	return (struct gw_precopy_round){.pages = pages,
					 .due = pages,
					 .bytes = bytes,
					 .busy_ns = ns,
					 .wall_ns = ns,
					 .dirty = dirty};
}

/* Feeds a trace pass by pass. Returns the number of passes after which the policy ended, 0 if it
 * never did. */
static unsigned stops_after(const struct gw_precopy *policy, const struct gw_precopy_round *trace,
			    unsigned n, struct gw_precopy_verdict *verdict)
{
	for (unsigned i = 1; i <= n; i++) {
		*verdict = gw_precopy_decide(policy, trace, i);
		if (verdict->action != GW_PRECOPY_GO_ON)
			return i;
	}
	return 0;
}

/* 1 GiB at 1000 MiB/s, with a guest whose dirty set shrinks with the length of the pass. */
static const uint64_t shrinking[][2] = {
	{262144, 190000}, {190000, 140000}, {140000, 100000}, {100000, 70000}, {70000, 10000}};

static void fill_shrinking(struct gw_precopy_round trace[5])
{
	for (int i = 0; i < 5; i++)
		trace[i] = pass(shrinking[i][0], 1000, shrinking[i][1]);
	/* The limit of the total is not what is tested. */
	trace[0].due = 1000000;
}

static void test_converges(void **state)
{
	struct gw_precopy policy = {0};
	struct gw_precopy_round trace[5];
	struct gw_precopy_verdict v;

	fill_shrinking(trace);
	/* 70000 pages are 274 MiB: 274 ms, the first that is below 300. */
	assert_int_equal(stops_after(&policy, trace, 5, &v), 4);
	assert_int_equal(v.action, GW_PRECOPY_SWITCH_OVER);
	assert_int_equal(v.reason, GW_STOP_DOWNTIME);
	assert_in_range(v.expected_downtime_ns, 265 * MSEC, 285 * MSEC);
	policy.downtime_ms = 50;
	assert_int_equal(stops_after(&policy, trace, 5, &v), 5);
	policy.downtime_ms = 1;
	assert_int_equal(stops_after(&policy, trace, 5, &v), 0);
	assert_int_equal(v.reason, GW_STOP_NONE);
}

/* The target is an upper bound of all parts of the downtime, to the nanosecond. */
static void test_fixed_part_counts(void **state)
{
	struct gw_precopy policy = {0};
	struct gw_precopy_round trace[5];
	struct gw_precopy_verdict v;

	fill_shrinking(trace);
	for (int i = 0; i < 5; i++)
		trace[i].fixed_ns = 40 * MSEC;
	assert_int_equal(stops_after(&policy, trace, 5, &v), 5);
	assert_in_range(v.expected_downtime_ns, 40 * MSEC + 38 * MSEC, 40 * MSEC + 41 * MSEC);
	trace[0] = pass(1000, 100, 0);
	trace[0].fixed_ns = 300 * MSEC;
	v = gw_precopy_decide(&policy, trace, 1);
	assert_int_equal(v.reason, GW_STOP_DOWNTIME);
	trace[0].fixed_ns++;
	v = gw_precopy_decide(&policy, trace, 1);
	assert_int_equal(v.reason, GW_STOP_STALLED);
	assert_int_equal(v.expected_downtime_ns, 300 * MSEC + 1);
}

static void test_cost(void **state)
{
	struct gw_precopy_cost cost = {0};

	/* What was never measured is assumed; a file has no receiver. */
	assert_int_equal(gw_precopy_fixed_ns(&cost), GW_PRECOPY_SUSPEND_NS + GW_PRECOPY_STATE_NS);
	cost = (struct gw_precopy_cost){.suspend_ns = 100, .state_ns = 20, .handover_ns = 3};
	assert_int_equal(gw_precopy_fixed_ns(&cost), 120);
	cost.has_receiver = true;
	assert_int_equal(gw_precopy_fixed_ns(&cost), 123 + GW_PRECOPY_RECEIVER_NS);
	cost.receiver_ns = 4000;
	assert_int_equal(gw_precopy_fixed_ns(&cost), 4123);
}

static void test_idle_guest_stops_at_once(void **state)
{
	struct gw_precopy policy = {.downtime_ms = 1};
	struct gw_precopy_round trace[1] = {pass(262144, 100, 0)};
	struct gw_precopy_verdict v;

	assert_int_equal(stops_after(&policy, trace, 1, &v), 1);
	assert_int_equal(v.reason, GW_STOP_DOWNTIME);
	assert_int_equal(v.expected_downtime_ns, 0);
}

/* Rounds that always shrink by half never stall; here nothing else ends them but the limits. */
static void test_limits(void **state)
{
	struct gw_precopy policy = {.max_rounds = 7, .downtime_ms = 1};
	struct gw_precopy_round trace[40];
	struct gw_precopy_verdict v;

	for (int i = 0; i < 40; i++) {
		trace[i] = pass(200000, 500, 100000);
		trace[i].fixed_ns = 5 * MSEC;
	}
	trace[0].due = UINT64_C(1) << 40;
	assert_int_equal(stops_after(&policy, trace, 40, &v), 7);
	assert_int_equal(v.reason, GW_STOP_MAX_ROUNDS);
	policy.max_rounds = 0;
	assert_int_equal(stops_after(&policy, trace, 40, &v), GW_PRECOPY_MAX_ROUNDS);
	/* Each pass takes 1.56 s. */
	policy.timeout_ms = 5000;
	assert_int_equal(stops_after(&policy, trace, 40, &v), 4);
	assert_int_equal(v.reason, GW_STOP_TIMEOUT);
	/* The timeout still applies in its last millisecond. */
	trace[0].wall_ns = 5000 * MSEC;
	assert_int_equal(stops_after(&policy, trace, 40, &v), 1);
	trace[0].wall_ns = 4999 * MSEC;
	assert_int_equal(stops_after(&policy, trace, 40, &v), 2);
}

/* A round that is smaller by a quarter is progress, one that is not is a stall. */
static void test_stalls_at_a_quarter(void **state)
{
	struct gw_precopy policy = {.downtime_ms = 10};
	struct gw_precopy_round trace[1] = {pass(100000, 100, 75000)};
	struct gw_precopy_verdict v = gw_precopy_decide(&policy, trace, 1);

	assert_int_equal(v.action, GW_PRECOPY_GO_ON);
	assert_int_equal(v.reason, GW_STOP_NONE);
	trace[0].dirty = 75001;
	v = gw_precopy_decide(&policy, trace, 1);
	assert_int_equal(v.action, GW_PRECOPY_SWITCH_OVER);
	assert_int_equal(v.reason, GW_STOP_STALLED);
}

/* Twice the memory is enough, however well the rounds shrink. */
static void test_total(void **state)
{
	struct gw_precopy policy = {.downtime_ms = 10};
	struct gw_precopy_round trace[3] = {pass(100000, 100, 60000), pass(60000, 100, 40000),
					    pass(39999, 100, 29999)};
	struct gw_precopy_verdict v;

	assert_int_equal(stops_after(&policy, trace, 3, &v), 0);
	trace[2].pages++;
	assert_int_equal(stops_after(&policy, trace, 3, &v), 3);
	assert_int_equal(v.reason, GW_STOP_STALLED);
}

static void test_abort(void **state)
{
	struct gw_precopy policy = {.on_stall = GW_ON_STALL_ABORT};
	struct gw_precopy_round trace[1] = {pass(200000, 100, 190000)};
	struct gw_precopy_verdict v = gw_precopy_decide(&policy, trace, 1);

	assert_int_equal(v.action, GW_PRECOPY_GIVE_UP);
	assert_int_equal(v.reason, GW_STOP_STALLED);
	/* A limit that the user set is no stall. */
	policy.max_rounds = 1;
	v = gw_precopy_decide(&policy, trace, 1);
	assert_int_equal(v.action, GW_PRECOPY_SWITCH_OVER);
	assert_int_equal(v.reason, GW_STOP_MAX_ROUNDS);
}

/* Step by step to the slowest, then the guest is suspended. */
static void test_throttle(void **state)
{
	static const unsigned steps[] = {25, 50, 75, 90, 97};
	struct gw_precopy policy = {.on_stall = GW_ON_STALL_THROTTLE};
	struct gw_precopy_round trace[6];
	struct gw_precopy_verdict v;
	unsigned throttle = 0;

	for (unsigned i = 0; i < 6; i++) {
		trace[i] = pass(200000, 100, 190000);
		trace[i].throttle = throttle;
		v = gw_precopy_decide(&policy, trace, i + 1);
		if (i == 5)
			break;
		assert_int_equal(v.action, GW_PRECOPY_SLOW_DOWN);
		assert_int_equal(v.reason, GW_STOP_NONE);
		assert_int_equal(v.throttle, steps[i]);
		throttle = v.throttle;
	}
	assert_int_equal(v.action, GW_PRECOPY_SWITCH_OVER);
	assert_int_equal(v.reason, GW_STOP_STALLED);
	/* A slower guest would not make the fixed part shorter. */
	trace[0].dirty = 0;
	trace[0].fixed_ns = 400 * MSEC;
	v = gw_precopy_decide(&policy, trace, 1);
	assert_int_equal(v.action, GW_PRECOPY_SWITCH_OVER);
	assert_int_equal(v.throttle, 0);
}

/* A few pages that go into an empty pipe at 50 GiB/s say nothing about the rate for 100 MiB. */
static void test_small_pass_is_not_believed(void **state)
{
	struct gw_precopy policy = {0};
	struct gw_precopy_round trace[2] = {pass(262144, 100, 100), pass(100, 50000, 25600)};
	struct gw_precopy_verdict v = gw_precopy_decide(&policy, trace, 2);

	assert_int_equal(v.reason, GW_STOP_STALLED);
	assert_in_range(v.bytes_per_s, 99 * MIB, 102 * MIB);
	assert_in_range(v.expected_downtime_ns, 950 * MSEC, 1050 * MSEC);
}

/* Time spent in pacing does not lower the measured rate of the channel. */
static void test_pacing_does_not_count(void **state)
{
	struct gw_precopy policy = {0};
	struct gw_precopy_round trace[1] = {pass(262144, 1000, 60000)};

	trace[0].wall_ns *= 50;
	assert_int_equal(gw_precopy_decide(&policy, trace, 1).reason, GW_STOP_DOWNTIME);
}

static void test_nothing_measured(void **state)
{
	struct gw_precopy policy = {0};
	struct gw_precopy_round trace[1] = {{.due = 100, .dirty = 5}};
	struct gw_precopy_verdict v = gw_precopy_decide(&policy, trace, 1);

	assert_int_equal(v.action, GW_PRECOPY_GO_ON);
	assert_true(v.expected_downtime_ns == UINT64_MAX);
}

/* Measurements of any size: a trace can come from anywhere. */
static void test_huge_numbers(void **state)
{
	struct gw_precopy policy = {.timeout_ms = UINT64_MAX};
	const uint64_t big = UINT64_C(1) << 60;
	const struct gw_precopy_round round = {.pages = big,
					       .due = big,
					       .bytes = big,
					       .busy_ns = big,
					       .wall_ns = big,
					       .dirty = big,
					       .fixed_ns = big,
					       .throttle = 99};
	struct gw_precopy_round trace[40];
	struct gw_precopy_verdict v;

	for (int i = 0; i < 40; i++)
		trace[i] = round;
	v = gw_precopy_decide(&policy, trace, 20);
	assert_int_equal(v.reason, GW_STOP_STALLED);
	assert_true(v.expected_downtime_ns == UINT64_MAX);
}

static void test_names(void **state)
{
	enum gw_on_stall on_stall = GW_ON_STALL_ABORT;

	for (unsigned i = 1; i < GW_NR_STOP_REASONS; i++)
		assert_int_equal(gw_stop_reason_from_name(gw_stop_reason_name(i)), i);
	assert_int_equal(gw_stop_reason_from_name("x"), GW_STOP_NONE);
	assert_int_equal(gw_stop_reason_from_name(NULL), GW_STOP_NONE);
	assert_true(gw_on_stall_from_name("throttle", &on_stall));
	assert_int_equal(on_stall, GW_ON_STALL_THROTTLE);
	assert_false(gw_on_stall_from_name("x", &on_stall));
	assert_false(gw_on_stall_from_name(NULL, &on_stall));
	assert_int_equal(on_stall, GW_ON_STALL_THROTTLE);
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
		cmocka_unit_test(test_fixed_part_counts),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_idle_guest_stops_at_once),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_stalls_at_a_quarter),
		cmocka_unit_test(test_total),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_throttle),
		cmocka_unit_test(test_small_pass_is_not_believed),
		cmocka_unit_test(test_pacing_does_not_count),
		cmocka_unit_test(test_nothing_measured),
		cmocka_unit_test(test_huge_numbers),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_pacing),
	};

	return cmocka_run_group_tests_name("precopy", tests, NULL, NULL);
}
