/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Saves the domain: the job that writes the image, and the second step that the client chooses.
 */
#include "vmm/save.h"

#include <string.h>

#include "base/util.h"
#include "channel/offset_io.h"
#include "format/xl/file.h"
#include "hypervisor/control.h"
#include "vmm/domain.h"
#include "vmm/outgoing.h"

/*
 * The image in a file begins at a multiple of 8, so that its pages can begin on page boundaries:
 * white space after the JSON, which every parser of it skips, fills the gap. A config that came
 * from such a file has the white space of that one.
 */
static int append_header(struct gw_buffer *head, const struct gw_config *config, bool align,
			 struct gw_error *err)
{
	static const char spaces[8] = "        ";
	struct gw_buffer text = {0};
	size_t len = config->text_len, pad;
	int ret;

	while (len > 0 && config->text[len - 1] == ' ')
		len--;
	pad = align ? -gw_xlfile_size(len) % sizeof(spaces) : 0;
	if (len + pad > GW_XLFILE_CONFIG_MAX - 5)
		pad = 0;
	ret = gw_buffer_append(&text, config->text, len, err);
	if (ret == 0)
		ret = gw_buffer_append(&text, spaces, pad, err);
	if (ret == 0)
		ret = gw_xlfile_append(head, GW_XLFILE_JSON | GW_XLFILE_STREAM_V2,
				       (const char *)text.data, text.len, err);
	gw_buffer_free(&text);
	return ret;
}

static int write_header(struct gw_channel *ch, const struct gw_config *config, bool align,
			struct gw_error *err)
{
	struct gw_buffer head = {0};
	int ret = append_header(&head, config, align, err);

	if (ret == 0)
		ret = gw_channel_write(ch, head.data, head.len, err);
	gw_buffer_free(&head);
	return ret;
}

static int run_save(struct gw_job *job, struct gw_error *err)
{
	struct gw_toolstack toolstack;
	int64_t at;
	struct gw_save_args args =
		gw_outgoing_save_args(gw_container_of(job, struct gw_outgoing, job), &toolstack);

	args.out = job->ch;
	at = gw_channel_file_offset(job->ch);
	args.align_pages = !args.live && !args.static_only && at >= 0 && at % 8 == 0;
	if (write_header(job->ch, &job->process->config, args.align_pages, err) < 0 ||
	    gw_save_stream(&args, &job->report, err) < 0)
		return -1;
	return gw_channel_drain(job->ch, err);
}

/* The domain is not saved after all: it continues as before the request. */
static void resume_domain(struct gw_process *p, struct gw_domain_toolstack *ts)
{
	struct gw_error err = GW_ERROR_INIT;

	if (gw_domain_toolstack_undo(ts, &err) < 0)
		gw_logf(&p->args.log, GW_LOG_ERROR, "the domain cannot be resumed: %s", err.text);
}

static void save_done(struct gw_job *job, int ret, struct gw_error *err)
{
	struct gw_process *p = job->process;

	gw_outgoing_note_cost(gw_container_of(job, struct gw_outgoing, job));
	if ((ret < 0 || p->destroy_wanted) && gw_process_is_gone(p, err)) {
		gw_session_fail(job->owner, "save", err);
		return;
	}
	if (ret < 0 || !job->owner) {
		resume_domain(p, &job->toolstack);
		if (ret < 0) {
			gw_domain_error_add_state(err, p->paused);
			gw_session_fail(job->owner, "save", err);
		}
		return;
	}
	p->stopped = job->toolstack;
	p->saver = job->owner;
	atomic_store(&p->phase, GW_PHASE_SAVED);
	gw_session_reply(job->owner, "save",
			 gw_outgoing_reply(gw_container_of(job, struct gw_outgoing, job)));
}

static const struct gw_job_kind save_kind = {
	.name = "save",
	.state = "saving",
	.channel = "the image",
	.size = sizeof(struct gw_outgoing),
	.run = run_save,
	.done = save_done,
};

/*
 * A guest that its owner paused cannot suspend itself, and what is saved of it then only godwit
 * restores. A PV guest is asked all the same, and so is one on a host that runs nothing: it is as
 * its image left it.
 */
static int check_paused(const struct gw_process *p, struct gw_outgoing *out, struct gw_error *err)
{
	struct gw_domain_toolstack *toolstack = &out->job.toolstack;

	if (!p->paused || out->static_only || toolstack->force ||
	    p->config.type == GW_GUEST_X86_PV || p->host->ops->never_runs)
		return 0;
	toolstack->force = toolstack->may_force;
	if (toolstack->force)
		return 0;
	return gw_fail(
		err, GW_REFUSED,
		"%s is paused and its guest cannot suspend itself, so that only godwit could restore the image: resume it first, or --allow-forced saves it all the same",
		p->claim.name);
}

int gw_save_request(struct gw_process *p, struct gw_session *s, const json_t *message,
		    struct gw_error *err)
{
	struct gw_outgoing *out = gw_outgoing_new(p, s, message, &save_kind, err);

	if (!out)
		return -1;
	if (check_paused(p, out, err) < 0) {
		gw_job_free(&out->job);
		return -1;
	}
	return gw_job_start(&out->job, err);
}

void gw_save_conclude(struct gw_process *p, const char *then)
{
	struct gw_session *saver = GW_STEAL(p->saver);

	if (then && strcmp(then, "destroy") == 0) {
		gw_process_end(p, GW_END_SAVED);
		gw_session_reply(saver, "keep", NULL);
		return;
	}
	/* Paused before it is resumed, so that it does not run a single instruction. */
	if (then && strcmp(then, "pause") == 0 && !p->paused)
		p->paused = gw_control_pause(p->domain->control, NULL) == 0;
	resume_domain(p, &p->stopped);
	atomic_store(&p->phase, GW_PHASE_LIVE);
	if (then)
		gw_session_reply(saver, "keep",
				 json_pack("{s:I}", "resume_ns", (json_int_t)p->stopped.resume_ns));
}
