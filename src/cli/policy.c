/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit policy: decides a recorded dirty trace again.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/args.h"
#include "cli/input.h"
#include "cli/json.h"
#include "cli/save_options.h"
#include "migrate/trace.h"

/* The options replace the policy of the trace. True if any was given. */
static bool override_policy(const struct gw_args *args, struct gw_precopy *policy)
{
	const struct gw_precopy before = *policy;

	policy->downtime_ms = (unsigned)gw_args_number(args, "downtime", before.downtime_ms);
	policy->max_rounds = (unsigned)gw_args_number(args, "max-rounds", before.max_rounds);
	policy->timeout_ms = gw_args_number(args, "timeout", before.timeout_ms / 1000) * 1000;
	if (!gw_args_text(args, "timeout"))
		policy->timeout_ms = before.timeout_ms;
	gw_on_stall_from_name(gw_args_text(args, "on-stall"), &policy->on_stall);
	return gw_args_text(args, "downtime") || gw_args_text(args, "max-rounds") ||
	       gw_args_text(args, "timeout") || gw_args_text(args, "on-stall");
}

static void print_pass(unsigned i, const struct gw_precopy_round *pass,
		       const struct gw_precopy_verdict *now, const struct gw_precopy_verdict *then)
{
	const char *reason = gw_stop_reason_name(now->reason);

	printf("%5u %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %9.1f ", i, pass->due, pass->pages,
	       pass->dirty, (double)pass->wall_ns / 1e6);
	if (now->expected_downtime_ns == UINT64_MAX)
		printf("%9s", "?");
	else
		printf("%9.1f", (double)now->expected_downtime_ns / 1e6);
	printf("  %s", gw_precopy_action_name(now->action));
	if (reason)
		printf(": %s", reason);
	if (now->throttle)
		printf(" by %u %%", now->throttle);
	if (!gw_trace_agrees(now, then))
		printf("  (recorded: %s)", gw_precopy_action_name(then->action));
	printf("\n");
}

static json_t *pass_json(unsigned i, const struct gw_precopy_round *pass,
			 const struct gw_precopy_verdict *now,
			 const struct gw_precopy_verdict *then)
{
	json_t *entry = gw_trace_pass_json(i, pass, now);

	json_object_set_new(entry, "recorded", json_string(gw_precopy_action_name(then->action)));
	json_object_set_new(entry, "agrees", json_boolean(gw_trace_agrees(now, then)));
	return entry;
}

/* Decides each pass and prints it: the number of those that were decided otherwise. Ends where this
 * policy would have ended. */
static unsigned replay(const struct gw_trace *t, struct gw_json_writer *json)
{
	unsigned differ = 0;

	if (!json)
		printf("%5s %10s %10s %10s %9s %9s  %s\n", "PASS", "DUE", "SENT", "WRITTEN", "MS",
		       "DOWNTIME", "DECISION");
	for (unsigned i = 0; i < t->n; i++) {
		struct gw_precopy_verdict now = gw_precopy_decide(&t->policy, t->passes, i + 1);

		differ += !gw_trace_agrees(&now, &t->verdicts[i]);
		if (json)
			gw_json_element(json, pass_json(i, &t->passes[i], &now, &t->verdicts[i]));
		else
			print_pass(i, &t->passes[i], &now, &t->verdicts[i]);
		if (now.action == GW_PRECOPY_SWITCH_OVER || now.action == GW_PRECOPY_GIVE_UP)
			break;
	}
	return differ;
}

static unsigned replay_json(const struct gw_trace *t)
{
	struct gw_json_writer w = {0};
	unsigned differ;

	gw_json_begin(&w);
	gw_json_member(&w, "policy", gw_trace_policy_json(&t->policy));
	gw_json_list(&w, "passes");
	differ = replay(t, &w);
	gw_json_list_end(&w);
	gw_json_member(&w, "differ", json_integer(differ));
	gw_json_end(&w);
	return differ;
}

static unsigned replay_text(const struct gw_trace *t)
{
	unsigned differ;

	printf("target %u ms, on stall %s\n", gw_precopy_target_ms(&t->policy),
	       gw_on_stall_name(t->policy.on_stall));
	differ = replay(t, NULL);
	if (differ == 0)
		printf("each decision is the recorded one\n");
	else
		printf("%u %s not the recorded one\n", differ,
		       differ == 1 ? "decision is" : "decisions are");
	return differ;
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_channel *in;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_trace trace = {0};
	unsigned differ;
	bool other;
	int rc;

	in = gw_cli_open(cli, gw_args_positional(args, 0), &err);
	rc = in ? gw_trace_read(in, &trace, &err) : -1;
	gw_channel_close(in);
	if (rc < 0) {
		gw_trace_free(&trace);
		return gw_cli_fail(cli, &err);
	}
	other = override_policy(args, &trace.policy);
	differ = gw_args_flag(args, "json") ? replay_json(&trace) : replay_text(&trace);
	gw_trace_free(&trace);
	return differ && !other ? GW_EXIT_BAD : GW_EXIT_OK;
}

const struct gw_verb gw_verb_policy = {
	.name = "policy",
	.group = GW_GROUP_MOVING,
	.summary = "decide a recorded dirty trace again, without a domain",
	.description =
		"Reads a trace that --trace of \"godwit migrate\" or \"godwit save --live\" wrote, and decides "
		"after each recorded round: go on, throttle, switch (suspend the guest) or abort, and why. "
		"The exit status is 1 if a decision differs from the recorded one.\n\n"
		"The options replace those of the trace, which shows what another target would have done, as "
		"far as the recorded rounds go; then other decisions are no failure.\n\n"
		"The rules, in this order: the expected downtime (the dirty pages at the measured rate, the "
		"guest's state and the receiver's part) is within the target; --max-rounds; --timeout; "
		"the rounds stall: the next one would not be smaller by a quarter, or the memory was sent "
		"twice, or no page is left and the target is below the rest of the downtime.",
	.options =
		(const struct gw_option[]){
			{"json", 0, GW_KIND_FLAG, .help = "write a JSON object"},
			{"downtime", 0, GW_KIND_NUMBER, "MS", "upper bound of the downtime",
			 .min = 1, .max = 3600000},
			{"timeout", 0, GW_KIND_NUMBER, "SECONDS", "limit of the live phase",
			 .min = 1, .max = 1000000},
			{"max-rounds", 0, GW_KIND_NUMBER, "N", "limit of the rounds", .min = 1,
			 .max = 1000000},
			{"on-stall", 0, GW_KIND_CHOICE, .choices = "switch|abort|throttle",
			 .help = "what a stall leads to"},
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"TRACE", GW_KIND_FILE, "the trace; \"-\" is standard input"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit policy g1.trace", "Shows each decision of a migration again."},
			{"godwit policy --downtime 50 g1.trace",
			 "Shows what a target of 50 ms would have done."},
			{0},
		},
	.connects = GW_CONNECTS_NOTHING,
	.bad = "a decision differs from the recorded one, or the file is no trace",
	.run = run,
};
