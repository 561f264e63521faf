/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit list: lists the domains of this user on this host.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "base/visible.h"
#include "cli/connect.h"
#include "cli/domain.h"
#include "cli/json.h"
#include "cli/xl.h"
#include "vmm/config.h"
#include "vmm/logs.h"

#define ANSWER_MS 2000
#define AT_ONCE	  64 /* processes that are asked at the same time */

/* The process's answer about its domain, or that it does not answer. */
static json_t *ask(struct gw_runtime *rt, const char *name)
{
	struct gw_client client;
	json_t *info = NULL;

	if (gw_client_connect(&client, rt, name, NULL) < 0)
		return json_pack("{s:s, s:s}", "name", name, "state", "not answering");
	if (gw_client_call(&client, json_pack("{s:s}", "request", "info"), -1, NULL, NULL, NULL,
			   ANSWER_MS, &info, NULL) < 0)
		info = json_pack("{s:s, s:s}", "name", name, "state", "not answering");
	json_object_del(info, "reply");
	json_object_del(info, "ok");
	gw_client_close(&client);
	return info;
}

/* A process, asked in a thread of its own: one that does not answer costs the others no time. */
struct question {
	struct gw_runtime *rt;
	const char *name;
	pthread_t thread;
	bool in_thread;
	json_t *info;
};

static void *question_main(void *opaque)
{
	struct question *q = opaque;

	q->info = ask(q->rt, q->name);
	return NULL;
}

static void ask_some(struct gw_cli *cli, struct gw_runtime *rt, char **names, size_t n, json_t *all)
{
	struct question questions[AT_ONCE];

	for (size_t i = 0; i < n; i++) {
		struct question *q = &questions[i];

		*q = (struct question){.rt = rt, .name = names[i]};
		q->in_thread = pthread_create(&q->thread, NULL, question_main, q) == 0;
		if (!q->in_thread)
			question_main(q);
	}
	for (size_t i = 0; i < n; i++) {
		if (questions[i].in_thread)
			pthread_join(questions[i].thread, NULL);
		if (gw_connect_has(cli, questions[i].info))
			json_array_append(all, questions[i].info);
		json_decref(questions[i].info);
	}
}

static const char *text(const json_t *info, const char *key)
{
	const char *value = json_string_value(json_object_get(info, key));

	return value ? value : "";
}

enum { NAME, ID, MEMORY, UPTIME, STATE, COLUMNS };

/* A line of the list. */
struct row {
	char cells[COLUMNS][400];
};

/* "protected by ADDRESS, 230 ms behind"; "backup of ADDRESS, 230 ms behind". */
static void put_protection(const json_t *protection, char *cell, size_t size)
{
	bool backup = !strcmp(text(protection, "role"), "backup");

	snprintf(cell, size, "%s %s, %lld ms behind", backup ? "backup of" : "protected by",
		 text(protection, "peer"),
		 (long long)json_integer_value(json_object_get(protection, "behind_ms")));
}

/* "running"; "paused: migration 0123... source side undecided". */
static void put_state(const json_t *info, char *cell, size_t size)
{
	const json_t *migration = json_object_get(info, "migration");
	const json_t *protection = json_object_get(info, "protection");

	if (json_is_true(json_object_get(migration, "undecided")))
		snprintf(cell, size, "paused: migration %s %s side undecided",
			 text(migration, "id"), text(migration, "side"));
	else if (json_is_object(protection))
		put_protection(protection, cell, size);
	else
		snprintf(cell, size, "%s", text(info, "state"));
}

static void put_domain(const json_t *info, struct row *row)
{
	json_int_t kb = json_integer_value(json_object_get(info, "memory_kb"));
	json_int_t s = json_integer_value(json_object_get(info, "uptime_ms")) / 1000;

	snprintf(row->cells[NAME], sizeof(row->cells[0]), "%s", text(info, "name"));
	snprintf(row->cells[MEMORY], sizeof(row->cells[0]), kb % 1024 ? "%lldK" : "%lldM",
		 (long long)(kb % 1024 ? kb : kb / 1024));
	snprintf(row->cells[UPTIME], sizeof(row->cells[0]), "%lld:%02lld:%02lld",
		 (long long)(s / 3600), (long long)(s / 60 % 60), (long long)(s % 60));
	put_state(info, row->cells[STATE], sizeof(row->cells[0]));
}

static void put_receiver(const json_t *info, struct row *row)
{
	strcpy(row->cells[NAME], "(receiver)");
	strcpy(row->cells[MEMORY], "-");
	strcpy(row->cells[UPTIME], "-");
	snprintf(row->cells[STATE], sizeof(row->cells[0]), "listening at %s",
		 text(info, "address"));
}

/* Each column is as wide as its widest cell: a long name moves all lines, not its own. */
static void print_rows(struct row *rows, size_t n)
{
	int widths[COLUMNS] = {0};
	char shown[sizeof(rows->cells[0])];

	for (size_t i = 0; i < n; i++) {
		for (int c = 0; c < COLUMNS; c++) {
			/* What a domain's process says of itself. */
			strcpy(rows[i].cells[c],
			       gw_visible(shown, sizeof(shown), rows[i].cells[c]));
			widths[c] = GW_MAX(widths[c], (int)strlen(rows[i].cells[c]));
		}
	}
	for (size_t i = 0; i < n; i++)
		printf("%-*s  %*s  %*s  %*s  %s\n", widths[NAME], rows[i].cells[NAME], widths[ID],
		       rows[i].cells[ID], widths[MEMORY], rows[i].cells[MEMORY], widths[UPTIME],
		       rows[i].cells[UPTIME], rows[i].cells[STATE]);
}

static int print_all(struct gw_cli *cli, const json_t *all)
{
	static const struct row head = {{"NAME", "ID", "MEMORY", "UPTIME", "STATE"}};
	struct row *rows = calloc(json_array_size(all) + 1, sizeof(*rows));
	const json_t *info;
	size_t i;

	if (!rows)
		return gw_cli_error(cli, GW_EXIT_FAILED, "no memory for the list");
	rows[0] = head;
	json_array_foreach (all, i, info) {
		snprintf(rows[i + 1].cells[ID], sizeof(rows[0].cells[0]), "%lld",
			 (long long)json_integer_value(json_object_get(info, "id")));
		if (json_object_get(info, "kind"))
			put_receiver(info, &rows[i + 1]);
		else
			put_domain(info, &rows[i + 1]);
	}
	print_rows(rows, json_array_size(all) + 1);
	free(rows);
	return GW_EXIT_OK;
}

static void add_receivers(struct gw_runtime *rt, json_t *all)
{
	struct gw_receiver *list = NULL;
	size_t n = 0;

	gw_receivers_list(rt, &list, &n, NULL);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			all, json_pack("{s:s, s:I, s:o, s:s}", "kind", "receiver", "id",
				       (json_int_t)list[i].pid, "address",
				       gw_json_text(list[i].address, strlen(list[i].address)),
				       "state", "listening"));
	free(list);
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_runtime rt;
	json_t *all = json_array();
	int status = GW_EXIT_OK;
	char **names;
	size_t n, i;

	if (gw_runtime_open(&rt, &err) < 0 || gw_runtime_list(&rt, &names, &n, &err) < 0) {
		json_decref(all);
		return gw_domain_fail(cli, &err);
	}
	gw_logs_remove_old(&rt);
	json_object_seed(0); /* before there are threads */
	for (i = 0; i < n; i += AT_ONCE)
		ask_some(cli, &rt, names + i, GW_MIN(n - i, (size_t)AT_ONCE), all);
	if (gw_args_flag(args, "all"))
		add_receivers(&rt, all);
	gw_runtime_free_list(names, n);
	gw_runtime_close(&rt);
	if (gw_args_flag(args, "json")) {
		gw_json_print(all, JSON_INDENT(2) | JSON_PRESERVE_ORDER, stdout);
	} else {
		status = print_all(cli, all);
	}
	json_decref(all);
	return status;
}

const struct gw_verb gw_verb_list = {
	.name = "list",
	.group = GW_GROUP_DOMAINS,
	.summary = "list the domains of this host",
	.description =
		"Lists this user's domains: name, id, memory, time since they started or arrived here, "
		"and state: running, paused, suspended, saving, migrating, restoring, receiving, or "
		"\"paused: migration ID source side undecided\" if the connection failed during the "
		"handover (decide with \"godwit resume --claim\" and \"godwit destroy\"). A protected domain "
		"runs: \"protected by ADDRESS\", and at ADDRESS \"backup of\" the other side, each with the age of the last checkpoint there.\n\n"
		"Files of dead processes in the runtime folder ($GODWIT_RUNTIME_DIR, /run/godwit for "
		"root, $XDG_RUNTIME_DIR/godwit) are removed.\n\n"
		"With \"-c xen:\" it lists the domains of this host's Xen, as \"xl list\" does.",
	.options =
		(const struct gw_option[]){
			{"all", 'a', GW_KIND_FLAG,
			 .help = "list the receivers, too: \"godwit receive --end\" ends one"},
			{"json", 0, GW_KIND_FLAG, .help = "write a JSON array of objects"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit list", "Lists the domains."},
			{0},
		},
	.json = "control.md",
	.run = run,
	.run_xen = gw_xl_verb_list,
};
