/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The operation in progress in a domain's process: its start, its progress, its end.
 */
#include "vmm/job.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/util.h"
#include "migrate/progress_json.h"
#include "vmm/domain.h"

#define ANSWER_MS 25 /* a job that is cancelled has ended by then, as a rule */

struct gw_job *gw_job_new(struct gw_process *p, const struct gw_job_kind *kind,
			  struct gw_channel *ch, struct gw_error *err)
{
	struct gw_job *job = calloc(1, kind->size);

	if (!job) {
		gw_channel_close(ch);
		gw_fail(err, GW_NO_MEMORY, "no memory for the operation %s", kind->name);
		return NULL;
	}
	job->kind = kind;
	job->process = p;
	pthread_mutex_init(&job->lock, NULL);
	job->posted = json_array();
	job->ch = ch;
	job->toolstack.suspend_timeout_ms = GW_SUSPEND_TIMEOUT_MS;
	job->toolstack.log = p->args.log;
	return job;
}

void gw_job_free(struct gw_job *job)
{
	gw_channel_close(job->ch);
	json_decref(job->posted);
	pthread_mutex_destroy(&job->lock);
	if (job->kind->release)
		job->kind->release(job);
	free(job);
}

static int run(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct gw_job *job = opaque;

	job->running = op;
	return job->kind->run(job, err);
}

int gw_job_start(struct gw_job *job, struct gw_error *err)
{
	struct gw_process *p = job->process;

	p->job = job;
	job->op = gw_operation_start(job->kind->name, run, job, err);
	if (job->op)
		return 0;
	p->job = NULL;
	gw_job_free(job);
	return -1;
}

void gw_job_post(struct gw_job *job, json_t *event)
{
	pthread_mutex_lock(&job->lock);
	json_array_append_new(job->posted, event);
	pthread_mutex_unlock(&job->lock);
}

void gw_job_post_some(struct gw_job *job, json_t *event, size_t most)
{
	pthread_mutex_lock(&job->lock);
	if (json_array_size(job->posted) < most)
		json_array_append_new(job->posted, event);
	else
		json_decref(event);
	pthread_mutex_unlock(&job->lock);
}

static void send_posted(struct gw_job *job)
{
	json_t *event;
	size_t i;

	pthread_mutex_lock(&job->lock);
	json_array_foreach (job->posted, i, event)
		gw_session_tell(job->owner, json_incref(event));
	json_array_clear(job->posted);
	pthread_mutex_unlock(&job->lock);
}

/* The last event of an operation that succeeded: last is what it had published. */
static void report_done(struct gw_process *p, struct gw_progress *last)
{
	last->stage = GW_STAGE_DONE;
	last->bytes_total = last->bytes;
	last->percent = 100;
	if (!p->job->owner && p->args.progress)
		p->args.progress(p->args.opaque, last);
	gw_session_tell(p->job->owner, gw_progress_to_json(last));
}

void gw_job_finish(struct gw_process *p)
{
	struct gw_job *job = p->job;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_progress last;
	int ret;

	gw_operation_progress(job->op, &last);
	ret = gw_operation_wait(GW_STEAL(job->op), &err);
	/* The token was freed with the operation. */
	gw_channel_set_cancel(job->ch, NULL);
	send_posted(job);
	if (ret == 0)
		report_done(p, &last);
	p->job = NULL;
	job->kind->done(job, ret, &err);
	gw_job_free(job);
	gw_process_refresh_info(p);
	if (p->destroy_wanted)
		gw_process_end(p, GW_END_DESTROYED);
}

int gw_job_cancel(struct gw_process *p, struct gw_error *err)
{
	if (!p->job)
		return 0;
	if (p->job->kind->cancel && p->job->kind->cancel(p->job))
		return 0;
	if (gw_operation_cancel(p->job->op, err) < 0)
		return -1;
	if (!p->job->cancelled_ms)
		p->job->cancelled_ms = gw_clock_ms();
	return 0;
}

bool gw_job_owes_answer(const struct gw_process *p)
{
	/* Of a domain that ends the answer is not that it runs on: it comes with the end. */
	return p->job && p->job->cancelled_ms && p->job->owner && !p->destroy_wanted &&
	       !atomic_load(&p->guest_ended);
}

void gw_job_answer_cancel(struct gw_process *p)
{
	struct gw_error err = GW_ERROR_INIT;

	if (!gw_job_owes_answer(p) || gw_clock_ms() - p->job->cancelled_ms < ANSWER_MS)
		return;
	gw_fail(&err, GW_CANCELLED,
		"cancelled; a call that cannot be interrupted has not returned yet: when it has, the domain %s here",
		p->paused ? "stays paused" : "runs on");
	gw_session_fail(p->job->owner, p->job->kind->name, &err);
	p->job->owner = NULL;
}

void gw_job_report_progress(struct gw_process *p)
{
	struct gw_progress now;

	send_posted(p->job);

	gw_operation_progress(p->job->op, &now);
	if (now.stage == GW_STAGE_NONE)
		return;
	if (!p->job->owner && p->args.progress)
		p->args.progress(p->args.opaque, &now);
	gw_session_event(p->job->owner, gw_progress_to_json(&now));
}

void gw_job_init_toolstack(struct gw_job *job, struct gw_toolstack *table)
{
	job->toolstack.domain = job->process->domain;
	job->toolstack.cancel = gw_job_cancel_token(job);
	gw_domain_toolstack_init(&job->toolstack, table);
	gw_channel_set_cancel(job->ch, job->toolstack.cancel);
}

const struct gw_cancel *gw_job_cancel_token(const struct gw_job *job)
{
	return gw_operation_cancel_token(job->running);
}

json_t *gw_job_report_json(const struct gw_job *job)
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
