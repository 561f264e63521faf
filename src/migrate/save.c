/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes a libxc image: the order of its records, and the cleanup after success or failure. Memory
 * is in save_memory.c.
 */
#include "migrate/save_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "hypervisor/domain.h"

/*
 * The writer's Xen version in the domain header: the release of this image specification. No reader
 * may conclude anything from it, but 0 would mean "converted from a legacy stream".
 */
#define WRITER_MAJOR 4
#define WRITER_MINOR 22

/* The static data is on its way: a layer that waits for an answer to it needs it to have left. */
static int static_data_written(struct gw_save *s, struct gw_error *err)
{
	gw_for_each_layer (l, s)
		if (l->static_data_written && (gw_channel_drain(s->args->out, err) < 0 ||
					       l->static_data_written(l->opaque, err) < 0))
			return -1;
	return 0;
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

	s->progress.stage = GW_STAGE_STATIC_DATA;
	gw_save_progress(s, true);
	gw_image_header_encode(&header, raw);
	if (gw_buffer_append(&s->records, raw, sizeof(raw), err) < 0 ||
	    s->guest.ops->static_data(&s->guest, &s->records, err) < 0 ||
	    gw_record_append(&s->records, GW_REC_STATIC_DATA_END, NULL, 0, err) < 0 ||
	    gw_save_write_records(s, err) < 0 || static_data_written(s, err) < 0)
		return -1;
	if (s->guest.ops->start_of_stream(&s->guest, &s->records, err) < 0)
		return -1;
	return gw_save_write_records(s, err);
}

/* Writes the layers' records for a CHECKPOINT or, if last, for END. */
static int close_layers(struct gw_save *s, bool last, struct gw_error *err)
{
	gw_for_each_layer (l, s)
		if (l->checkpoint && l->checkpoint(l->opaque, last, err) < 0)
			return -1;
	return 0;
}

static int take_device_state(struct gw_save *s, struct gw_error *err)
{
	if (s->guest.ops->end_of_checkpoint(&s->guest, &s->records, err) < 0)
		return -1;
	gw_for_each_layer (l, s)
		if (l->take_device_state && l->take_device_state(l->opaque, &s->toolstack, err) < 0)
			return -1;
	return 0;
}

/* Writes the suspended guest's state, and then last: the record that ends this round. */
static int write_state(struct gw_save *s, uint32_t last, struct gw_error *err)
{
	uint64_t start = gw_clock_ns(), gathered;

	s->progress.stage = GW_STAGE_DEVICE_STATE;
	gw_save_progress(s, true);
	if (take_device_state(s, err) < 0 || gw_record_append(&s->records, last, NULL, 0, err) < 0)
		return -1;
	gathered = gw_clock_ns();
	s->report->device_state_ns = gathered - start;
	if (gw_save_write_records(s, err) < 0 ||
	    (last == GW_REC_END && close_layers(s, true, err) < 0) ||
	    gw_channel_drain(s->args->out, err) < 0)
		return -1;
	s->report->transfer_ns = gw_clock_ns() - gathered;
	gw_save_progress(s, true);
	return 0;
}

static int resume(struct gw_save *s, struct gw_error *err)
{
	const struct gw_toolstack *ts = &s->toolstack;
	uint64_t start = gw_clock_ns();

	if (ts->postcopy(ts->owner, err) < 0)
		return gw_fail_in(err, "resuming domain %u", s->domain->domid);
	s->report->resume_ns = gw_clock_ns() - start;
	return 0;
}

/* The records of the outer layers, and then it is their owners' turn. */
static int end_checkpoint(struct gw_save *s, struct gw_error *err)
{
	const struct gw_toolstack *ts = &s->toolstack;

	if (close_layers(s, false, err) < 0 || gw_channel_drain(s->args->out, err) < 0)
		return -1;
	return ts->checkpoint(ts->owner, err);
}

/* A checkpoint stands on the channel: lets the guest run and asks whether there shall be another.
 * The verdict, or -1. */
static int between_checkpoints(struct gw_save *s, struct gw_error *err)
{
	const struct gw_toolstack *ts = &s->toolstack;
	int verdict;

	if (s->args->stream_type == GW_STREAM_REMUS)
		return resume(s, err) < 0 ? -1 : end_checkpoint(s, err);
	/* COLO: neither side runs before both have the checkpoint. */
	verdict = end_checkpoint(s, err);
	if (verdict != GW_CHECKPOINT_GO_ON)
		return verdict;
	return resume(s, err) < 0 ? -1 : ts->wait_checkpoint(ts->owner, err);
}

static int write_checkpoints(struct gw_save *s, struct gw_error *err)
{
	const struct gw_save_guest_ops *ops = s->guest.ops;
	int verdict;

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
		verdict = between_checkpoints(s, err);
		if (verdict != GW_CHECKPOINT_GO_ON)
			return GW_MIN(verdict, 0);
	}
}

static int complete_toolstack(struct gw_save *s, struct gw_error *err)
{
	enum gw_stream_type type = s->args->stream_type;
	unsigned needed = s->args->static_only ? 0 : GW_TOOLSTACK_SUSPENDS;

	if (type != GW_STREAM_PLAIN)
		needed |= GW_TOOLSTACK_CHECKPOINTS;
	if (type == GW_STREAM_COLO)
		needed |= GW_TOOLSTACK_BACK_CHANNEL;
	return gw_toolstack_complete(&s->toolstack, s->args->toolstack, needed, err);
}

/* Undoes the changes that a save makes to a domain. A suspended domain stays suspended: its owner
 * resumes it. */
static void clean_up(struct gw_save *s)
{
	const struct gw_toolstack *ts = &s->toolstack;

	gw_save_memory_free(s);
	gw_save_end_throttle(s);
	if (s->logging)
		gw_domain_logdirty_stop(s->domain);
	if (s->model_logging)
		ts->logdirty_switch(ts->owner, 0, NULL);
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
	if (gw_save_check_throttle(s, err) < 0)
		return -1;
	if (ops->setup(&s->guest, err) < 0 || gw_save_memory_init(s, err) < 0 ||
	    write_static_data(s, err) < 0)
		return -1;
	return s->args->static_only ? gw_channel_drain(s->args->out, err)
				    : write_checkpoints(s, err);
}

/* A guest that has shut down is the reason for any other failure, or more important. */
static void find_cause(struct gw_save *s, struct gw_error *err)
{
	struct gw_error ended = GW_ERROR_INIT;

	if (err && gw_save_check_guest(s, &ended) < 0 && ended.code == GW_GONE &&
	    err->code != GW_GONE)
		*err = ended;
}

static void sum_up(struct gw_save *s)
{
	struct gw_report *r = s->report;

	r->total_ns = gw_clock_ns() - s->start_ns;
	r->downtime_ns = r->pause_ns + r->final_round_ns + r->device_state_ns + r->transfer_ns +
			 r->resume_ns;
}

int gw_save_image(const struct gw_save_args *args, struct gw_report *report, struct gw_error *err)
{
	struct gw_report own_report = {0};
	struct gw_save s = {
		.args = args,
		.cancel = args->cancel ? args->cancel : gw_operation_cancel_token(args->op),
		.domain = args->domain,
		.guest = {.domain = args->domain},
		.live = args->live || args->stream_type != GW_STREAM_PLAIN,
		.report = report ? report : &own_report,
		.start_ns = gw_clock_ns(),
	};
	const struct gw_cancel *before = args->out->cancel;
	int rc;

	*s.report = (struct gw_report){0};
	if (complete_toolstack(&s, err) < 0)
		return -1;
	if (s.cancel)
		gw_channel_set_cancel(args->out, s.cancel);
	rc = save(&s, err);
	if (rc < 0)
		find_cause(&s, err);
	clean_up(&s);
	gw_channel_set_cancel(args->out, before);
	sum_up(&s);
	return rc;
}
