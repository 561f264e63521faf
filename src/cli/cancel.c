/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit cancel: cancels the operation in progress of a domain.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/domain.h"
#include "cli/json.h"
#include "cli/xl.h"

#define ASK_AGAIN_US 20000
#define END_MS	     60000 /* for an operation that was cancelled to end */

/* The operation in progress: 0 with its description (null: none), or -1. */
static int ask_job(struct gw_client *client, json_t **job, struct gw_error *err)
{
	json_t *reply;

	if (gw_client_call(client, json_pack("{s:s}", "request", "job"), -1, NULL, NULL, NULL, -1,
			   &reply, err) < 0)
		return -1;
	*job = json_incref(json_object_get(reply, "job"));
	json_decref(reply);
	return 0;
}

/* Waits until no operation runs. The process may end with a domain that was still arriving. */
static int wait_for_end(struct gw_client *client, struct gw_error *err)
{
	uint64_t until = gw_clock_ms() + END_MS;

	for (;;) {
		struct gw_error gone = GW_ERROR_INIT;
		json_t *job;
		bool runs;

		if (ask_job(client, &job, &gone) < 0)
			return 0;
		runs = json_is_object(job);
		json_decref(job);
		if (!runs)
			return 0;
		if (gw_clock_ms() > until)
			return gw_fail(
				err, GW_BUSY,
				"the operation was asked to end %d seconds ago and still runs",
				END_MS / 1000);
		usleep(ASK_AGAIN_US);
	}
}

/* *operation: what was cancelled. */
static int cancel(struct gw_client *client, char operation[32], struct gw_error *err)
{
	json_t *job;
	const char *name;

	if (ask_job(client, &job, err) < 0)
		return -1;
	name = json_string_value(json_object_get(job, "operation"));
	snprintf(operation, 32, "%s", name ? name : "");
	json_decref(job);
	if (gw_client_call(client, json_pack("{s:s}", "request", "cancel"), -1, NULL, NULL, NULL,
			   -1, NULL, err) < 0)
		return -1;
	return wait_for_end(client, err);
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	const char *domain = gw_args_positional(args, 0);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_client client;
	char operation[32];
	int status = GW_EXIT_OK;

	if (gw_domain_connect(cli, domain, &client, &status) < 0)
		return status;
	if (cancel(&client, operation, &err) < 0)
		status = gw_domain_fail(cli, &err);
	else if (gw_args_flag(args, "json")) {
		json_t *result = json_pack("{s:s, s:s}", "domain", domain, "cancelled", operation);

		gw_json_print(result, JSON_COMPACT | JSON_PRESERVE_ORDER, stdout);
		json_decref(result);
	}
	gw_client_close(&client);
	return status;
}

const struct gw_verb gw_verb_cancel = {
	.name = "cancel",
	.group = GW_GROUP_MOVING,
	.summary = "cancel the operation in progress of a domain",
	.description =
		"Cancels the save, migration, protection, restore or receive that \"godwit job\" shows, also one "
		"that another command started, and waits until it has ended. A domain that was being saved or migrated runs on "
		"where it was; one that was arriving is gone. A protection ends in an orderly way: the domain runs on, and its copy is gone. During the handover of a migration it is too "
		"late, and the exit status is 3, as it is when no operation runs.\n\n"
		"With \"-c xen:\" libxl's operations are not known: send SIGTERM to the command that runs.",
	.options =
		(const struct gw_option[]){
			{"json", 0, GW_KIND_FLAG,
			 .help = "write a JSON object that names what was cancelled"},
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"DOMAIN", GW_KIND_DOMAIN, "its name or id"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit cancel g1", "Cancels the migration of g1, which runs on here."},
			{0},
		},
	.run = run,
	.run_xen = gw_xl_verb_no_jobs,
};
