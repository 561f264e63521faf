/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs a domain's process, and sends requests to one.
 */
#include "cli/domain.h"
#include "cli/connect.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/title.h"
#include "migrate/progress_json.h"
#include "vmm/config.h"
#include "vmm/logs.h"

/* The first line of a domain's log. */
static void begin_log(struct gw_domain_verb *dv, const char *name)
{
	struct gw_output *out = &dv->cli->out;

	if (!dv->peer) {
		gw_output_to_log(out, "%s", name);
		gw_output_error(out, "the domain is in place");
		return;
	}
	gw_output_to_log(out, "%s (from %s)", name, dv->peer);
	gw_output_error(out, "the domain has arrived");
}

static void in_place(void *opaque, const char *name)
{
	struct gw_domain_verb *dv = opaque;
	struct gw_runtime rt;
	int log = -1;

	gw_output_erase(&dv->cli->out);
	gw_listener_close(dv->listener);
	dv->listener = NULL;
	gw_receiver_leave(&dv->receiver);
	gw_output_peer(&dv->cli->out, NULL);
	gw_turns_close(&dv->turns);
	gw_title_set("domain", name);
	if (dv->own_log && gw_runtime_open(&rt, NULL) == 0) {
		log = gw_log_open_domain(&rt, name, NULL);
		gw_runtime_close(&rt);
	}
	if (dv->say_name) {
		printf("%s\n", name);
		fflush(stdout);
	}
	if (dv->bg.fd >= 0) {
		gw_background_leave(&dv->bg, name, log);
	} else if (dv->own_log && log >= 0) {
		setsid();
		gw_background_redirect(log);
	}
	if (dv->own_log && log >= 0)
		begin_log(dv, name);
	if (dv->own_log)
		gw_arrival_detach(&dv->arrival);
}

static void on_progress(void *opaque, const struct gw_progress *progress)
{
	struct gw_domain_verb *dv = opaque;

	gw_output_progress(&dv->cli->out, progress);
}

static void on_progress_over(void *opaque)
{
	struct gw_domain_verb *dv = opaque;

	gw_output_erase(&dv->cli->out);
}

/* A host that runs no guest is one for tests and for tools. */
static void warn_of_host(const struct gw_cli *cli)
{
	if (gw_connect_is(cli, "memory"))
		gw_logf(&cli->out.log, GW_LOG_WARNING,
			"memory: only holds the domain: its guest does not run");
}

void gw_domain_verb_args(struct gw_domain_verb *dv, const char *name, bool paused, bool console,
			 struct gw_process_args *args)
{
	warn_of_host(dv->cli);
	*args = (struct gw_process_args){
		.connect = dv->cli->connect,
		.name = name,
		.paused = paused,
		.acceptance = dv->acceptance,
		.console_fd = console ? STDOUT_FILENO : -1,
		.in_place = in_place,
		.progress = on_progress,
		.progress_over = on_progress_over,
		.opaque = dv,
		.log = dv->cli->out.log,
		.cancel = dv->cli->cancel,
	};
}

int gw_domain_verb_accept(struct gw_domain_verb *dv, const struct gw_args *args,
			  struct gw_error *err)
{
	if (gw_acceptance_load(&dv->acceptance, err) < 0)
		return -1;
	return gw_acceptance_override(&dv->acceptance, gw_args_text(args, "accept"), err);
}

void gw_domain_name_input(const struct gw_domain_verb *dv, struct gw_error *err)
{
	const char *name = dv->input && !strcmp(dv->input, "-") ? "standard input" : dv->input;

	if (name && strncmp(err->text, name, strlen(name)) != 0 &&
	    (err->code == GW_INVALID || err->code == GW_TRUNCATED || err->code == GW_UNSUPPORTED ||
	     err->code == GW_REFUSED))
		gw_fail_in(err, "%s", name);
}

static int say_end(struct gw_cli *cli, enum gw_process_end end, const struct gw_error *err)
{
	static const char *const words[] = {
		[GW_END_POWEROFF] = "the guest powered off",
		[GW_END_REBOOT] = "the guest asked for a reboot, and its domain ended",
		[GW_END_CRASHED] = "the guest crashed",
		[GW_END_DESTROYED] = "the domain was destroyed",
		[GW_END_SAVED] = "the domain was saved and ended here",
		[GW_END_MOVED] = "the domain has moved to another host",
		[GW_END_DROPPED] = "the protection has ended, and the copy was destroyed",
	};

	gw_output_erase(&cli->out);
	if (end == GW_END_NONE)
		return gw_cli_fail(cli, err);
	if (end == GW_END_CRASHED)
		return gw_cli_error(cli, GW_EXIT_FAILED, "%s%s%s", words[end],
				    err->code ? ": " : "", err->text);
	if (!cli->quiet)
		gw_output_error(&cli->out, words[end]);
	return GW_EXIT_OK;
}

int gw_domain_verb_run(struct gw_domain_verb *dv, struct gw_process *p)
{
	struct gw_error err = GW_ERROR_INIT;
	enum gw_process_end end = gw_process_run(p, &err);

	gw_process_free(p);
	if (end == GW_END_NONE)
		gw_domain_name_input(dv, &err);
	return say_end(dv->cli, end, &err);
}

int gw_domain_fail(struct gw_cli *cli, const struct gw_error *err)
{
	int status = gw_cli_fail(cli, err);

	return status == GW_EXIT_BAD ? GW_EXIT_FAILED : status;
}

/* The domain must be one of the hypervisor that -c names. */
static int check_host(struct gw_cli *cli, const char *domain, struct gw_client *client,
		      struct gw_error *err)
{
	json_t *info = NULL;
	int ret = gw_client_call(client, json_pack("{s:s}", "request", "info"), -1, NULL, NULL,
				 NULL, -1, &info, err);

	if (ret == 0 && !gw_connect_has(cli, info))
		ret = gw_fail(err, GW_REFUSED, "%s is a domain of %s:, not of %s", domain,
			      json_string_value(json_object_get(info, "host")), cli->connect);
	json_decref(info);
	return ret;
}

int gw_domain_connect(struct gw_cli *cli, const char *domain, struct gw_client *client, int *status)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_runtime rt;
	int ret = gw_runtime_open(&rt, &err);

	if (ret == 0) {
		ret = gw_client_connect(client, &rt, domain, &err);
		gw_runtime_close(&rt);
	}
	if (ret == 0 && cli->connect_given && check_host(cli, domain, client, &err) < 0) {
		gw_client_close(client);
		ret = -1;
	}
	if (ret < 0)
		*status = gw_domain_fail(cli, &err);
	return ret;
}

int gw_domain_ask(struct gw_cli *cli, const char *domain, json_t *request, json_t **reply,
		  int *status)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_client client;
	int ret = gw_domain_connect(cli, domain, &client, status);

	if (ret < 0) {
		json_decref(request);
		return -1;
	}
	ret = gw_client_call(&client, request, -1, NULL, NULL, NULL, -1, reply, &err);
	if (ret < 0)
		*status = gw_domain_fail(cli, &err);
	gw_client_close(&client);
	return ret;
}

/* Once in a migration. */
static void say_that_it_waits(struct gw_cli *cli)
{
	static bool said;

	if (!said && !cli->quiet)
		gw_output_error(
			&cli->out,
			"the receiver is busy with other migrations: waiting for the turn of this one");
	said = true;
}

void gw_domain_event(void *opaque, const json_t *event)
{
	struct gw_cli *cli = opaque;
	const json_t *error = json_object_get(event, "error");
	const struct gw_progress progress = gw_progress_from_json(event);

	if (progress.stage == GW_STAGE_WAITING)
		say_that_it_waits(cli);
	else if (progress.stage != GW_STAGE_NONE)
		gw_output_progress(&cli->out, &progress);
	else if (error) /* the answer to our own cancel */
		gw_output_error(&cli->out, json_string_value(json_object_get(error, "message")));
}

void gw_domain_summary(const struct gw_cli *cli, const struct gw_args *args, const char *fmt, ...)
{
	const char *report = gw_args_text(args, "report");
	va_list ap;

	if (cli->quiet)
		return;
	va_start(ap, fmt);
	vfprintf(report && !strcmp(report, "-") ? stderr : stdout, fmt, ap);
	va_end(ap);
}

int gw_domain_write_report(const char *path, const json_t *report, struct gw_error *err)
{
	struct gw_channel *ch;
	char *text;
	int ret = -1;

	if (!path)
		return 0;
	text = gw_json_dumps(report, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	ch = text ? gw_channel_create(path, err) : NULL;
	if (ch) {
		ret = gw_channel_write(ch, text, strlen(text), err);
		if (ret == 0)
			ret = gw_channel_write(ch, "\n", 1, err);
		if (ret == 0)
			ret = gw_channel_finish(ch, err);
		gw_channel_close(ch);
	}
	free(text);
	return ret;
}
