/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Saving a domain into a descriptor that a client passed, in two steps: the image is written and
 * the domain stays suspended until the client says that the image is kept, and what is to become of
 * the domain. Only the client knows whether the file got its name.
 */
#include <string.h>

#include "hypervisor/control.h"
#include "vmm/process_private.h"
#include "format/xl/file.h"

static int write_header(struct gw_job *job, struct gw_error *err)
{
	const struct gw_config *config = &job->process->config;
	struct gw_buffer head = {0};
	int ret = gw_xlfile_append(&head, GW_XLFILE_JSON | GW_XLFILE_STREAM_V2, config->text,
				   config->text_len, err);

	if (ret == 0)
		ret = gw_channel_write(job->ch, head.data, head.len, err);
	gw_buffer_free(&head);
	return ret;
}

static int run_save(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct gw_job *job = opaque;
	struct gw_toolstack toolstack;
	struct gw_save_args args = {
		.domain = job->process->domain,
		.out = job->ch,
		.toolstack = &toolstack,
		.op = op,
		.live = job->live,
		.precopy = job->precopy,
	};

	gw_job_toolstack(job, op, &toolstack);
	gw_channel_set_cancel(job->ch, gw_operation_cancel_token(op));
	if (write_header(job, err) < 0 || gw_save_stream(&args, &job->report, err) < 0)
		return -1;
	return gw_channel_drain(job->ch, err);
}

/* Nothing was saved: the domain goes on as if nobody had asked. */
static void back_to_life(struct gw_process *p, struct gw_domain_toolstack *ts)
{
	struct gw_error err = GW_ERROR_INIT;

	if (gw_domain_toolstack_undo(ts, &err) < 0)
		gw_logf(&p->args.log, GW_LOG_ERROR, "the domain cannot be resumed: %s", err.text);
}

static void save_done(struct gw_process *p, struct gw_job *job, int ret, struct gw_error *err)
{
	struct gw_session *owner = job->owner;
	json_t *reply;

	if (ret < 0 || !owner || p->destroy_wanted) {
		back_to_life(p, &job->toolstack);
		if (ret < 0) {
			gw_domain_say_state(err, p->paused);
			gw_session_fail(owner, "save", err);
		}
		return;
	}
	p->saved = job->toolstack;
	p->saver = owner;
	atomic_store(&p->phase, GW_PHASE_SAVED);
	reply = gw_job_report(job);
	json_object_set_new(reply, "forced", json_boolean(job->toolstack.forced));
	gw_session_reply(owner, "save", reply);
}

void gw_save_settle(struct gw_process *p, const char *keep)
{
	struct gw_session *saver = p->saver;

	p->saver = NULL;
	if (keep && strcmp(keep, "destroy") == 0) {
		gw_process_finish(p, GW_END_SAVED);
		gw_session_reply(saver, "keep", NULL);
		return;
	}
	/* Before it is taken back to life, so that it does not run a single instruction. */
	if (keep && strcmp(keep, "pause") == 0 && !p->paused)
		p->paused = gw_control_pause(p->domain->control, NULL) == 0;
	back_to_life(p, &p->saved);
	atomic_store(&p->phase, GW_PHASE_LIVE);
	if (keep)
		gw_session_reply(saver, "keep",
				 json_pack("{s:I}", "resume_ns", (json_int_t)p->saved.resume_ns));
}

static const struct gw_job_kind save_kind = {"save", "saving", "the image", run_save, save_done};

int gw_save_request(struct gw_process *p, struct gw_session *s, const json_t *message,
		    struct gw_error *err)
{
	struct gw_job *job;

	if (gw_job_from_request(p, s, message, &save_kind, &job, err) < 0)
		return -1;
	/* A guest that its owner paused cannot be asked to do anything. */
	if (p->paused)
		job->toolstack.force = true;
	return gw_job_start(p, job, err);
}
