/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The options of a save or migration as members of its request.
 */
#include "cli/save_options.h"

#include <stdlib.h>
#include <string.h>

#include "cli/domain.h"
#include "cli/json.h"

static void set_number(json_t *request, const char *member, const struct gw_args *args,
		       const char *option, unsigned scale)
{
	if (gw_args_text(args, option))
		json_object_set_new(
			request, member,
			json_integer((json_int_t)(gw_args_number(args, option, 0) * scale)));
}

json_t *gw_save_options_request(const struct gw_args *args, const char *name, bool live)
{
	bool force_pause = gw_args_flag(args, "force-pause") > 0;
	json_t *request =
		json_pack("{s:s, s:b, s:b, s:b}", "request", name, "live", live, "force_pause",
			  force_pause, "allow_loss", gw_args_flag(args, "allow-loss") > 0);

	set_number(request, "suspend_timeout_ms", args, "suspend-timeout", 1000);
	set_number(request, "downtime_ms", args, "downtime", 1);
	set_number(request, "timeout_ms", args, "timeout", 1000);
	set_number(request, "max_rounds", args, "max-rounds", 1);
	set_number(request, "bandwidth", args, "bandwidth", 1);
	if (!strcmp(name, "save") && (force_pause || gw_args_flag(args, "allow-forced") > 0))
		json_object_set_new(request, "allow_forced", json_true());
	if (gw_args_text(args, "on-stall"))
		json_object_set_new(request, "on_stall",
				    json_string(gw_args_text(args, "on-stall")));
	if (gw_args_text(args, "trace"))
		json_object_set_new(request, "trace", json_true());
	if (!strcmp(name, "migrate"))
		set_number(request, "silence_ms", args, "silence", 1000);
	return request;
}

int gw_save_events_begin(struct gw_save_events *events, struct gw_cli *cli,
			 const struct gw_args *args, struct gw_error *err)
{
	const char *path = gw_args_text(args, "trace");

	*events = (struct gw_save_events){.cli = cli};
	if (path)
		events->trace = gw_channel_create(path, err);
	return path && !events->trace ? -1 : 0;
}

/* An event without the member that makes it one. */
static int write_trace_line(struct gw_channel *ch, const json_t *event, struct gw_error *err)
{
	json_t *line = json_copy((json_t *)(uintptr_t)event);
	char *text;
	int rc;

	json_object_del(line, "event");
	text = gw_json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(line);
	if (!text)
		return gw_fail(err, GW_NO_MEMORY, "writing a trace: out of memory");
	rc = gw_channel_write(ch, text, strlen(text), err);
	if (rc == 0)
		rc = gw_channel_write(ch, "\n", 1, err);
	free(text);
	return rc;
}

void gw_save_event(void *opaque, const json_t *event)
{
	struct gw_save_events *events = opaque;
	const char *name = json_string_value(json_object_get(event, "event"));

	if (!name || strcmp(name, "trace") != 0) {
		gw_domain_event(events->cli, event);
		return;
	}
	if (events->trace && !events->err.code)
		write_trace_line(events->trace, event, &events->err);
}

void gw_save_events_end(struct gw_save_events *events)
{
	if (events->trace && !events->err.code)
		gw_channel_finish(events->trace, &events->err);
	gw_channel_close(events->trace);
	events->trace = NULL;
	if (events->err.code)
		gw_logf(&events->cli->out.log, GW_LOG_WARNING, "the trace is lost: %s",
			events->err.text);
}

static double ms(const json_t *object, const char *key)
{
	return (double)json_integer_value(json_object_get(object, key)) / 1e6;
}

void gw_save_warn_missed(struct gw_cli *cli, const json_t *report)
{
	const json_t *downtime = json_object_get(report, "downtime");

	if (json_is_true(json_object_get(downtime, "missed")))
		gw_logf(&cli->out.log, GW_LOG_WARNING,
			"the downtime of %.1f ms missed the target of %.0f ms",
			ms(downtime, "total_ns"), ms(downtime, "target_ns"));
}
