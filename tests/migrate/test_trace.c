/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests dirty traces: the recorded ones are decided again as they were decided live, and a damaged
 * one is refused with the line.
 */
#include "lib/gwtest.h"

#include <stdio.h>

#include "base/util.h"
#include "channel/memory.h"
#include "migrate/trace.h"

static const char *const recorded[] = {"slow-32",   "slow-96", "medium-32",
				       "medium-96", "fast-32", "fast-96"};

static struct gw_trace load(const char *name)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_trace trace;
	struct gw_channel *in;
	char path[500];

	snprintf(path, sizeof(path), "%s/traces/%s.trace", getenv("GODWIT_TEST_DATA"), name);
	in = gw_channel_open(path, &err);
	if (!in)
		fail_msg("%s", err.text);
	assert_ok(gw_trace_read(in, &trace, &err), &err);
	gw_channel_close(in);
	return trace;
}

/* The policy knows nothing but the trace, so that each decision has to come out as it did. */
static void test_recorded(void **state)
{
	unsigned actions[GW_NR_PRECOPY_ACTIONS] = {0};

	for (size_t i = 0; i < GW_ARRAY_SIZE(recorded); i++) {
		struct gw_trace t = load(recorded[i]);

		for (unsigned n = 1; n <= t.n; n++) {
			struct gw_precopy_verdict v = gw_precopy_decide(&t.policy, t.passes, n);

			if (!gw_trace_agrees(&v, &t.verdicts[n - 1]))
				fail_msg("%s, pass %u: %s, recorded %s", recorded[i], n - 1,
					 gw_precopy_action_name(v.action),
					 gw_precopy_action_name(t.verdicts[n - 1].action));
			actions[v.action]++;
		}
		gw_trace_free(&t);
	}
	/* They have seen everything that the policy can say. */
	for (unsigned i = 0; i < GW_NR_PRECOPY_ACTIONS; i++)
		assert_true(actions[i] > 0);
}

static void add(struct gw_channel *ch, json_t *line)
{
	struct gw_error err = GW_ERROR_INIT;
	char *text = json_dumps(line, JSON_COMPACT);

	assert_ok(gw_channel_write(ch, text, strlen(text), &err), &err);
	assert_ok(gw_channel_write(ch, "\n", 1, &err), &err);
	free(text);
	json_decref(line);
}

static void test_there_and_back(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_precopy policy = {.downtime_ms = 7,
				    .timeout_ms = 8000,
				    .max_rounds = 9,
				    .bandwidth = 10,
				    .on_stall = GW_ON_STALL_ABORT};
	struct gw_precopy_round pass = {1, 2, 3, 4, 5, 6, 7, 8};
	struct gw_precopy_verdict v = {
		.action = GW_PRECOPY_SLOW_DOWN, .throttle = 50, .expected_downtime_ns = 12345};
	struct gw_precopy_verdict last = {.action = GW_PRECOPY_GIVE_UP,
					  .reason = GW_STOP_STALLED,
					  .expected_downtime_ns = UINT64_MAX};
	struct gw_channel *ch = gw_channel_memory("trace", &err);
	struct gw_trace t;

	add(ch, gw_trace_policy_json(&policy));
	add(ch, gw_trace_pass_json(0, &pass, &v));
	add(ch, gw_trace_pass_json(1, &pass, &last));
	assert_ok(gw_trace_read(ch, &t, &err), &err);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.policy.downtime_ms, 7);
	assert_int_equal(t.policy.timeout_ms, 8000);
	assert_int_equal(t.policy.max_rounds, 9);
	assert_int_equal(t.policy.bandwidth, 10);
	assert_int_equal(t.policy.on_stall, GW_ON_STALL_ABORT);
	assert_int_equal(t.passes[0].busy_ns, pass.busy_ns);
	assert_int_equal(t.passes[0].wall_ns, pass.wall_ns);
	assert_int_equal(t.passes[0].due, pass.due);
	assert_int_equal(t.passes[1].dirty, pass.dirty);
	assert_int_equal(t.passes[1].fixed_ns, pass.fixed_ns);
	assert_int_equal(t.passes[1].throttle, pass.throttle);
	assert_true(gw_trace_agrees(&t.verdicts[0], &v));
	assert_true(gw_trace_agrees(&t.verdicts[1], &last));
	assert_false(gw_trace_agrees(&v, &last));
	gw_trace_free(&t);
	gw_channel_close(ch);
}

#define POLICY                                                                                     \
	"{\"trace\":1,\"downtime_ms\":1,\"timeout_ms\":0,\"max_rounds\":0,\"bandwidth\":0,"        \
	"\"on_stall\":\"switch\"}\n"
#define PASS(n, dirty)                                                                             \
	"{\"pass\":" n                                                                             \
	",\"due\":1,\"pages\":1,\"bytes\":1,\"busy_ns\":1,\"wall_ns\":1,\"dirty\":" dirty          \
	",\"fixed_ns\":1,\"throttle\":0,\"decision\":\"switch\",\"reason\":\"downtime\","          \
	"\"next_throttle\":0,\"expected_downtime_ns\":1}\n"

static void test_damaged(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"", "no pass"},
		{"\n", "line 1: it is no JSON object"},
		{"{}\n", "line 1: it is no trace of version 1"},
		{"[]\n", "line 1: it is no JSON object"},
		{POLICY, "no pass"},
		{POLICY "{}\n", "line 2: \"pass\" is missing"},
		{POLICY PASS("0", "1") PASS("0", "1"), "line 3: it is pass 0, expected 1"},
		{POLICY PASS("0", "1") PASS("2", "1"), "line 3: it is pass 2, expected 1"},
		{POLICY PASS("0", "-1"), "line 2: \"dirty\" is missing or no number"},
		{POLICY PASS("0", "1e9"), "line 2: \"dirty\""},
		{POLICY PASS("0", "1152921504606846977"), "line 2: \"dirty\""},
		{POLICY PASS("0", "1") "{\"pass\":1", "line 3: it is no JSON object"},
		{"{\"trace\":2}\n", "line 1: it is no trace of version 1"},
		{"{\"trace\":1,\"downtime_ms\":1,\"timeout_ms\":0,\"max_rounds\":0,\"bandwidth\":0,"
		 "\"on_stall\":\"hope\"}\n",
		 "\"on_stall\""},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_channel *ch = gw_channel_memory("trace", &err);
		struct gw_trace t;

		if (cases[i].text[0])
			assert_ok(gw_channel_write(ch, cases[i].text, strlen(cases[i].text), &err),
				  &err);
		assert_fails(gw_trace_read(ch, &t, &err), &err, GW_INVALID, cases[i].says);
		gw_trace_free(&t);
		gw_channel_close(ch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
