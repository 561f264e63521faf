/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The operation in progress of a domain's process: at most one, in a thread of its own. What it
 * does is in save.c, migrate.c, restore.c and receive.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "vmm/options.h"
#include "vmm/process_private.h"
#include "migrate/report.h"

struct gw_job *gw_job_new(struct gw_process *p, const struct gw_job_kind *kind)
{
	struct gw_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->kind = kind;
	job->process = p;
	job->toolstack.domain = p->domain;
	job->toolstack.suspend_timeout_ms = GW_SUSPEND_TIMEOUT_MS;
	job->toolstack.log = p->args.log;
	return job;
}

void gw_job_free(struct gw_job *job)
{
	gw_channel_close(job->ch);
	free(job);
}

static int read_options(struct gw_job *job, const json_t *message, struct gw_error *err)
{
	uint64_t suspend_ms = GW_SUSPEND_TIMEOUT_MS, downtime = 0, rounds = 0;

	if (gw_option_bool(message, "live", &job->live, err) < 0 ||
	    gw_option_bool(message, "force_pause", &job->toolstack.force, err) < 0 ||
	    gw_option_number(message, "suspend_timeout_ms", 3600000, &suspend_ms, err) < 0 ||
	    gw_option_number(message, "downtime_ms", 3600000, &downtime, err) < 0 ||
	    gw_option_number(message, "timeout_ms", UINT64_C(1) << 40, &job->precopy.timeout_ms,
			     err) < 0 ||
	    gw_option_number(message, "max_rounds", 1000000, &rounds, err) < 0 ||
	    gw_option_number(message, "bandwidth", UINT64_C(1) << 60, &job->precopy.bandwidth,
			     err) < 0)
		return -1;
	job->toolstack.suspend_timeout_ms = (int)suspend_ms;
	job->precopy.downtime_ms = (unsigned)downtime;
	job->precopy.max_rounds = (unsigned)rounds;
	return 0;
}

int gw_job_from_request(struct gw_process *p, struct gw_session *s, const json_t *message,
			const struct gw_job_kind *kind, struct gw_job **job, struct gw_error *err)
{
	int fd = gw_conn_take_fd(&s->conn);

	*job = NULL;
	if (fd < 0)
		return gw_fail(err, GW_USAGE, "%s: no descriptor came with the request",
			       kind->name);
	*job = gw_job_new(p, kind);
	if (!*job) {
		close(fd);
		return gw_fail(err, GW_NO_MEMORY, "no memory");
	}
	(*job)->owner = s;
	(*job)->ch = gw_channel_from_fd(fd, true, kind->channel, err);
	if (!(*job)->ch) {
		close(fd);
	} else if (read_options(*job, message, err) == 0) {
		return 0;
	}
	gw_job_free(*job);
	*job = NULL;
	return -1;
}

int gw_job_start(struct gw_process *p, struct gw_job *job, struct gw_error *err)
{
	/* The thread may look at it before start has returned. */
	p->job = job;
	job->op = gw_operation_start(job->kind->name, job->kind->run, job, err);
	if (job->op)
		return 0;
	p->job = NULL;
	gw_job_free(job);
	return -1;
}

void gw_job_done(struct gw_process *p)
{
	struct gw_job *job = p->job;
	struct gw_error err = GW_ERROR_INIT;
	int ret = gw_operation_wait(job->op, &err);

	p->job = NULL;
	job->op = NULL;
	job->kind->done(p, job, ret, &err);
	gw_job_free(job);
	gw_process_look(p);
	if (p->destroy_wanted && !p->ended)
		gw_process_finish(p, GW_END_DESTROYED);
}

void gw_job_toolstack(struct gw_job *job, struct gw_operation *op, struct gw_toolstack *table)
{
	job->toolstack.cancel = gw_operation_cancel_token(op);
	gw_domain_toolstack_init(&job->toolstack, table);
}

json_t *gw_job_report(const struct gw_job *job)
{
	struct gw_buffer json = {0}, text = {0};
	json_t *reply = NULL;

	if (gw_report_json(&job->report, job->kind->name, &json, NULL) == 0 &&
	    gw_report_text(&job->report, &text, NULL) == 0)
		reply = json_pack("{s:o, s:s%}", "report",
				  json_loadb((const char *)json.data, json.len, 0, NULL), "summary",
				  text.data, text.len);
	gw_buffer_free(&json);
	gw_buffer_free(&text);
	return reply ? reply : json_object();
}

void gw_job_report_progress(struct gw_process *p)
{
	struct gw_progress now;

	gw_operation_progress(p->job->op, &now);
	if (now.stage == GW_STAGE_NONE)
		return;
	if (!p->job->owner && p->args.progress)
		p->args.progress(p->args.opaque, &now);
	gw_session_event(
		p->job->owner,
		json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "event", "progress", "stage",
			  gw_stage_name(now.stage), "round", (json_int_t)now.round, "pages_done",
			  (json_int_t)now.pages_done, "pages_total", (json_int_t)now.pages_total,
			  "bytes", (json_int_t)now.bytes, "bytes_per_s",
			  (json_int_t)now.bytes_per_s, "dirty_pages", (json_int_t)now.dirty_pages));
}

void gw_migration_id_format(const struct gw_migration_id *id, char out[33])
{
	for (int i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", id->bytes[i]);
}
