/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit job: shows the operation in progress of a domain.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/estimate.h"
#include "cli/domain.h"
#include "cli/json.h"
#include "cli/xl.h"
#include "migrate/progress_json.h"

static void print_sent(const struct gw_progress *p)
{
	uint64_t seconds = gw_progress_seconds_left(p);

	printf("  moved      %.1f MiB", (double)p->bytes / 1048576);
	if (p->bytes_total)
		printf(" of %.1f MiB, %u %%", (double)p->bytes_total / 1048576, p->percent);
	printf("\n");
	if (p->bytes_total)
		printf("  remaining  %.1f MiB", (double)gw_progress_bytes_left(p) / 1048576);
	if (p->bytes_total && seconds != UINT64_MAX)
		printf(", %" PRIu64 " s", seconds);
	if (p->bytes_total)
		printf("\n");
	printf("  rate       %.1f MiB/s\n", (double)p->bytes_per_s / 1048576);
}

static void print_job(const char *domain, const json_t *job)
{
	const struct gw_progress p = gw_progress_from_json(job);
	const char *state = json_string_value(json_object_get(job, "state"));

	printf("%s: %s, %s, round %u\n", domain, state ? state : "", gw_stage_name(p.stage),
	       p.round);
	print_sent(&p);
	if (p.dirty_per_s)
		printf("  dirty      %" PRIu64 " pages/s\n", p.dirty_per_s);
	if (p.expected_downtime_ns)
		printf("  downtime   %.1f ms expected\n", (double)p.expected_downtime_ns / 1e6);
	if (p.throttle)
		printf("  throttle   vCPUs slowed by %u %%\n", p.throttle);
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	const char *domain = gw_args_positional(args, 0);
	json_t *reply = NULL;
	const json_t *job;
	int status = GW_EXIT_OK;

	if (gw_domain_ask(cli, domain, json_pack("{s:s}", "request", "job"), &reply, &status) < 0)
		return status;
	job = json_object_get(reply, "job");
	if (!json_is_object(job))
		status = GW_EXIT_BAD;
	if (gw_args_flag(args, "json")) {
		gw_json_print(job, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY, stdout);
	} else if (status == GW_EXIT_OK) {
		print_job(domain, job);
	} else {
		printf("%s: no operation runs\n", domain);
	}
	json_decref(reply);
	return status;
}

const struct gw_verb gw_verb_job = {
	.name = "job",
	.group = GW_GROUP_MOVING,
	.summary = "show the operation in progress of a domain",
	.description =
		"Shows the save, migration, protection, restore or receive of the domain, also one that another command "
		"started: its stage and round, what has moved and what remains, the rate over the last seconds, the pages "
		"that the guest writes a second, and the downtime that is expected if it were suspended now. "
		"The last two are known after the first round. The exit status is 1 if no operation runs.\n\n"
		"With --json: the members of a progress event (docs/control.md), operation and state; null "
		"if no operation runs.\n\n"
		"With \"-c xen:\" libxl's operations are not known.",
	.options =
		(const struct gw_option[]){
			{"json", 0, GW_KIND_FLAG, .help = "write a JSON object"},
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"DOMAIN", GW_KIND_DOMAIN, "its name or id"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit job g1", "Shows how far the migration of g1 is."},
			{0},
		},
	.bad = "no operation runs",
	.run = run,
	.run_xen = gw_xl_verb_no_jobs,
};
