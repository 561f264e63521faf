/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writing a libxc image: the order of its records, and what has to be put back whatever
 * happens. Memory is in save_memory.c.
 */
#include "migrate/save_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "hypervisor/domain.h"

/*
 * What the domain header calls the writer's Xen: the release whose image specification this is.
 * Nothing may be concluded from it, but 0 would say "converted from a legacy stream".
 */
#define WRITER_MAJOR 4
#define WRITER_MINOR 22

int gw_save_write_records(struct gw_save *s, struct gw_error *err)
{
	s->report->bytes += s->records.len;
	if (s->records.len > 0 &&
	    gw_channel_write(s->args->out, s->records.data, s->records.len, err) < 0)
		return -1;
	gw_buffer_reset(&s->records);
	return 0;
}

/* A guest that is neither suspended nor held still would be torn: its memory and its vCPUs of
 * different moments. */
static int check_suspended(struct gw_save *s, struct gw_error *err)
{
	struct gw_domain_info info;

	if (gw_domain_info(s->domain, &info, err) < 0)
		return -1;
	if (info.shutdown == GW_SHUTDOWN_SUSPEND ||
	    (info.shutdown == GW_SHUTDOWN_NONE && info.paused))
		return 0;
	if (info.shutdown == GW_SHUTDOWN_NONE)
		return gw_fail(err, GW_GUEST, "domain %u still runs after it was suspended",
			       s->domain->domid);
	return gw_fail(err, GW_GUEST, "domain %u shut down for reason %d, expected %d (suspend)",
		       s->domain->domid, info.shutdown, GW_SHUTDOWN_SUSPEND);
}

int gw_save_suspend(struct gw_save *s, struct gw_error *err)
{
	const struct gw_toolstack *ts = s->args->toolstack;
	uint64_t start;

	if (s->args->switchover && !s->switched && s->args->switchover(s->args->opaque, err) < 0)
		return -1;
	s->switched = true;
	s->progress.stage = "suspend";
	gw_save_progress(s, true);
	start = gw_clock_ns();
	if (ts->suspend(ts->opaque, err) < 0)
		return gw_fail_in(err, "suspending domain %u", s->domain->domid);
	s->report->pause_ns = gw_clock_ns() - start;
	return check_suspended(s, err);
}

static int write_static_data(struct gw_save *s, struct gw_error *err)
{
	struct gw_image_header header = {
		.version = 3,
		.type = s->domain->type,
		.page_shift = GW_PAGE_SHIFT,
		.xen_major = WRITER_MAJOR,
		.xen_minor = WRITER_MINOR,
	};
	uint8_t raw[GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE];

	s->progress.stage = "static data";
	gw_save_progress(s, true);
	gw_image_header_encode(&header, raw);
	if (gw_buffer_append(&s->records, raw, sizeof(raw), err) < 0 ||
	    s->guest.ops->static_data(&s->guest, &s->records, err) < 0 ||
	    gw_record_append(&s->records, GW_REC_STATIC_DATA_END, NULL, 0, err) < 0 ||
	    gw_save_write_records(s, err) < 0)
		return -1;
	if (s->args->static_data_sent && (gw_channel_drain(s->args->out, err) < 0 ||
					  s->args->static_data_sent(s->args->opaque, err) < 0))
		return -1;
	if (s->guest.ops->start_of_stream(&s->guest, &s->records, err) < 0)
		return -1;
	return gw_save_write_records(s, err);
}

/* The suspended guest's state, and last: the record that closes this round. */
static int write_state(struct gw_save *s, uint32_t last, struct gw_error *err)
{
	uint64_t start = gw_clock_ns(), gathered;

	s->progress.stage = "device state";
	gw_save_progress(s, true);
	if (s->guest.ops->end_of_checkpoint(&s->guest, &s->records, err) < 0 ||
	    gw_record_append(&s->records, last, NULL, 0, err) < 0)
		return -1;
	gathered = gw_clock_ns();
	s->report->device_state_ns = gathered - start;
	if (gw_save_write_records(s, err) < 0 || gw_channel_drain(s->args->out, err) < 0)
		return -1;
	s->report->transfer_ns = gw_clock_ns() - gathered;
	return 0;
}

/* A checkpoint stands on the channel: lets the guest run and asks whether there shall be another.
 * 1, 0 to end, -1. */
static int between_checkpoints(struct gw_save *s, struct gw_error *err)
{
	const struct gw_toolstack *ts = s->args->toolstack;
	uint64_t start = gw_clock_ns();
	int verdict;

	if (ts->resume(ts->opaque, err) < 0)
		return gw_fail_in(err, "resuming domain %u", s->domain->domid);
	s->report->resume_ns = gw_clock_ns() - start;
	verdict = ts->checkpoint(ts->opaque, err);
	if (verdict < 0)
		return -1;
	return verdict == GW_CHECKPOINT_GO_ON;
}

static int write_checkpoints(struct gw_save *s, struct gw_error *err)
{
	const struct gw_save_guest_ops *ops = s->guest.ops;
	int more;

	for (bool first = true;; first = false) {
		if (ops->start_of_checkpoint(&s->guest, &s->records, err) < 0 ||
		    gw_save_write_records(s, err) < 0 || ops->check_state(&s->guest, err) < 0)
			return -1;
		if ((first ? gw_save_memory(s, err) : gw_save_memory_again(s, err)) < 0)
			return -1;
		if (s->args->stream_type == GW_STREAM_PLAIN)
			return write_state(s, GW_REC_END, err);
		if (write_state(s, GW_REC_CHECKPOINT, err) < 0)
			return -1;
		more = between_checkpoints(s, err);
		if (more <= 0)
			return more;
	}
}

static int check_args(const struct gw_save_args *args, struct gw_error *err)
{
	const struct gw_toolstack *ts = args->toolstack;

	if (!ts || !ts->suspend)
		return gw_fail(err, GW_USAGE, "a save needs a toolstack that can suspend");
	if (args->stream_type == GW_STREAM_COLO)
		return gw_fail(err, GW_UNSUPPORTED, "COLO needs a back channel, a save has none");
	if (args->stream_type == GW_STREAM_REMUS && (!ts->resume || !ts->checkpoint))
		return gw_fail(err, GW_USAGE,
			       "checkpoints need a toolstack that can resume and checkpoint");
	return 0;
}

/* Undoes what a save does to a domain. It stays suspended if it was: resuming it is its owner's. */
static void clean_up(struct gw_save *s)
{
	const struct gw_toolstack *ts = s->args->toolstack;

	gw_save_memory_free(s);
	if (s->logging)
		gw_domain_logdirty_stop(s->domain);
	if (s->model_logging)
		ts->logdirty_switch(ts->opaque, 0, NULL);
	if (s->guest.ops)
		s->guest.ops->cleanup(&s->guest);
	gw_buffer_free(&s->records);
}

static int save(struct gw_save *s, struct gw_error *err)
{
	const struct gw_save_guest_ops *ops = gw_save_guest_ops(s->domain->type);

	if (!ops)
		return gw_fail(err, GW_UNSUPPORTED, "guests of type %d cannot be saved",
			       s->domain->type);
	s->guest.ops = ops;
	if (ops->setup(&s->guest, err) < 0 || gw_save_memory_init(s, err) < 0 ||
	    write_static_data(s, err) < 0)
		return -1;
	return write_checkpoints(s, err);
}

int gw_save_image(const struct gw_save_args *args, struct gw_error *err)
{
	struct gw_save s = {
		.args = args,
		.domain = args->domain,
		.guest = {.domain = args->domain},
		.live = args->live || args->stream_type != GW_STREAM_PLAIN,
		.start_ns = gw_clock_ns(),
	};
	const struct gw_cancel *before = args->out->cancel;
	int rc = check_args(args, err);

	if (rc < 0)
		return rc;
	s.report = args->report ? args->report : &s.own_report;
	*s.report = (struct gw_report){0};
	if (args->cancel)
		gw_channel_set_cancel(args->out, args->cancel);
	rc = save(&s, err);
	clean_up(&s);
	gw_channel_set_cancel(args->out, before);
	s.report->total_ns = gw_clock_ns() - s.start_ns;
	s.report->downtime_ns = s.report->pause_ns + s.report->final_round_ns +
				s.report->device_state_ns + s.report->transfer_ns +
				s.report->resume_ns;
	return rc;
}
