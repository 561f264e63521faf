/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The loop over the records of a libxl stream, and in and out of the image inside: once for a plain
 * one, again after every checkpoint for one with checkpoints.
 */
#include "read/internal.h"

static uint64_t offset_in_stream(const struct gw_reading *r)
{
	return gw_input_offset(r->in) - r->stream_offset;
}

/* The input ended where the stream's reader stands. */
static enum gw_read_result cut(struct gw_reading *r, struct gw_error *err)
{
	bool between = gw_stream_reader_at_boundary(&r->stream);
	bool in_record = !between && r->stream.offset >= GW_STREAM_HEADER_SIZE;
	int rc;

	if (gw_read_is_lost(r, err))
		return GW_READ_FAILED;
	rc = gw_stream_rules_end(r->stream_rules, between && !r->in->cut_inside,
				 in_record ? &r->stream.rec : NULL, offset_in_stream(r),
				 gw_read_rules_err(r, err));
	return gw_read_judged(r, rc) == GW_READ_OK ? GW_READ_ENDED : GW_READ_FAILED;
}

/* The reader cannot go on: failure says why, unless the header's rules have said so already. */
static enum gw_read_result broken(struct gw_reading *r, const struct gw_error *failure,
				  struct gw_error *err)
{
	bool is_known =
		failure->code == GW_UNSUPPORTED || (failure->code != GW_INVALID && !r->all_errors);

	if (!is_known)
		gw_rules_report(r->findings, "stream-framing", gw_input_offset(r->in),
				gw_read_rules_err(r, err), "%s", failure->text);
	if (r->all_errors)
		return GW_READ_ENDED;
	gw_fail(err, failure->code, "%s", failure->text);
	return GW_READ_FAILED;
}

static enum gw_read_result next_event(struct gw_reading *r, enum gw_stream_event *event,
				      struct gw_error *err)
{
	do {
		struct gw_error failure = GW_ERROR_INIT;
		enum gw_read_result rc;
		size_t len;
		void *to;

		if (gw_stream_reader_want(&r->stream, &to, &len, err) < 0)
			return GW_READ_FAILED;
		rc = gw_input_read(r->in, to, len, err);
		if (rc != GW_READ_OK)
			return rc == GW_READ_ENDED ? cut(r, err) : rc;
		if (gw_stream_reader_got(&r->stream, event, &failure) < 0)
			return broken(r, &failure, err);
	} while (*event == GW_STREAM_MORE);
	return GW_READ_OK;
}

/*
 * After CHECKPOINT_END the image goes on, except that COLO puts one more record of this layer
 * first. Its type, 5, is that of a record only PV guests have, which COLO does not protect.
 * GW_READ_OK: it comes; GW_READ_ENDED: it does not.
 */
static enum gw_read_result look_for_state(struct gw_reading *r, struct gw_error *err)
{
	uint8_t head[GW_RECORD_HEADER_SIZE];
	uint32_t type, length;
	ssize_t n;

	if (r->colo != GW_READ_COLO_LOOK)
		return r->colo == GW_READ_COLO_YES ? GW_READ_OK : GW_READ_ENDED;
	n = gw_input_peek(r->in, head, sizeof(head), err);
	if (n < 0)
		return GW_READ_FAILED;
	if ((size_t)n < sizeof(head) || gw_reading_guest(r) != GW_GUEST_X86_HVM)
		return GW_READ_ENDED;
	gw_record_header_decode(head, &type, &length);
	return type == GW_STREAM_CHECKPOINT_STATE ? GW_READ_OK : GW_READ_ENDED;
}

/*
 * Goes into the image, at its beginning or where a checkpoint interrupted it. Offsets of both
 * layers count the bytes of the other one that stand between.
 */
static enum gw_read_result enter_image(struct gw_reading *r, struct gw_error *err)
{
	uint64_t entered = gw_input_offset(r->in);
	enum gw_read_result rc;
	bool at_checkpoint;

	if (!r->has_image) {
		if (gw_read_image_begin(r, err) < 0)
			return GW_READ_FAILED;
	} else {
		r->image.offset += entered - r->image_left;
	}
	r->image_waits = false;
	rc = gw_read_image_part(r, &at_checkpoint, err);
	r->image_left = gw_input_offset(r->in);
	gw_stream_reader_resume(&r->stream, r->image_left - entered);
	r->image_waits = rc == GW_READ_OK && at_checkpoint;
	if (r->image_waits)
		gw_stream_rules_checkpoint(r->stream_rules);
	return rc;
}

static enum gw_read_result on_header(struct gw_reading *r, struct gw_error *err)
{
	gw_read_arrived(r, GW_READ_STREAM_HEADER, GW_COUNTS_LATER);
	return gw_read_judged(r, gw_stream_rules_header(r->stream_rules, &r->stream.header,
							gw_read_rules_err(r, err)));
}

static enum gw_read_result on_record(struct gw_reading *r, struct gw_error *err)
{
	enum gw_counts counts =
		gw_checkpoints_record(&r->checkpoints, GW_LAYER_LIBXL, r->stream.rec.type);
	enum gw_read_result rc;

	gw_read_arrived(r, GW_READ_STREAM_RECORD, counts);
	rc = gw_read_judged(r,
			    gw_stream_rules_record(r->stream_rules, &r->stream.rec,
						   gw_reading_guest(r), gw_read_rules_err(r, err)));
	if (rc == GW_READ_OK && r->listener->stream_record)
		rc = r->listener->stream_record(r->owner, err);
	if (rc == GW_READ_OK && counts == GW_COUNTS_CHECKPOINT && r->listener->round_complete)
		rc = r->listener->round_complete(r->owner, err);
	return rc;
}

static int judge_bytes(void *owner, const void *data, size_t len, struct gw_error *err)
{
	const struct gw_reading *r = owner;

	return gw_stream_rules_bytes(r->stream_rules, data, len, err);
}

/* The listener takes the body, and the rules see its bytes on the way. */
static enum gw_read_result take_body(struct gw_reading *r, struct gw_error *err)
{
	enum gw_read_result rc;

	if (gw_stream_rules_body_begin(r->stream_rules, &r->stream, err) < 0)
		return GW_READ_FAILED;
	r->in->tap = judge_bytes;
	r->in->tap_owner = r;
	if (r->listener->stream_body)
		rc = r->listener->stream_body(r->owner, err);
	else
		rc = gw_input_skip(r->in, r->stream.body_left, err);
	r->in->tap = NULL;
	if (rc != GW_READ_OK)
		return rc;
	return gw_read_judged(r, gw_stream_rules_body_end(r->stream_rules, &r->stream,
							  gw_read_rules_err(r, err)));
}

static enum gw_read_result on_body(struct gw_reading *r, struct gw_error *err)
{
	enum gw_read_result rc;

	gw_read_arrived(r, GW_READ_STREAM_RECORD, GW_COUNTS_LATER);
	rc = gw_read_judged(r,
			    gw_stream_rules_body(r->stream_rules, &r->stream, gw_reading_guest(r),
						 gw_read_rules_err(r, err)));
	if (rc != GW_READ_OK)
		return rc;
	rc = take_body(r, err);
	if (rc == GW_READ_OK)
		gw_stream_reader_body_done(&r->stream);
	return rc == GW_READ_ENDED ? cut(r, err) : rc;
}

static enum gw_read_result on_context(struct gw_reading *r, struct gw_error *err)
{
	enum gw_read_result rc;

	gw_read_arrived(r, GW_READ_STREAM_RECORD, GW_COUNTS_LATER);
	rc = gw_read_judged(r,
			    gw_stream_rules_record(r->stream_rules, &r->stream.rec,
						   gw_reading_guest(r), gw_read_rules_err(r, err)));
	if (rc != GW_READ_OK)
		return rc;
	/* The rules have reported a second one. */
	return r->has_image ? GW_READ_ENDED : enter_image(r, err);
}

/* After a record inside of a checkpoint: is the image next? */
static enum gw_read_result after_record(struct gw_reading *r, struct gw_error *err)
{
	enum gw_read_result state;

	if (!r->image_waits)
		return GW_READ_OK;
	if (r->stream.rec.type == GW_STREAM_CHECKPOINT_STATE)
		return enter_image(r, err);
	if (r->stream.rec.type != GW_STREAM_CHECKPOINT_END)
		return GW_READ_OK;
	state = look_for_state(r, err);
	return state == GW_READ_ENDED ? enter_image(r, err) : state;
}

static enum gw_read_result on_event(struct gw_reading *r, enum gw_stream_event event,
				    struct gw_error *err)
{
	enum gw_read_result rc;

	switch (event) {
	case GW_STREAM_HEADER:
		return on_header(r, err);
	case GW_STREAM_RECORD:
		rc = on_record(r, err);
		return rc == GW_READ_OK ? after_record(r, err) : rc;
	case GW_STREAM_BODY:
		return on_body(r, err);
	case GW_STREAM_CONTEXT:
		return on_context(r, err);
	default:
		return GW_READ_OK;
	}
}

static enum gw_read_result read_records(struct gw_reading *r, struct gw_error *err)
{
	for (;;) {
		enum gw_stream_event event;
		enum gw_read_result rc = next_event(r, &event, err);

		if (rc == GW_READ_OK && event == GW_STREAM_DONE)
			return gw_read_judged(r, gw_stream_rules_end(r->stream_rules, true, NULL,
								     offset_in_stream(r),
								     gw_read_rules_err(r, err)));
		if (rc == GW_READ_OK)
			rc = on_event(r, event, err);
		if (rc != GW_READ_OK)
			return rc;
	}
}

enum gw_read_result gw_read_stream(struct gw_reading *r, struct gw_error *err)
{
	r->stream_offset = gw_input_offset(r->in);
	r->checkpoints.in_stream = true;
	r->checkpoints.state_completes = r->colo == GW_READ_COLO_YES;
	gw_stream_reader_init(&r->stream);
	r->stream_rules = gw_stream_rules_new(r->findings, r->stream_offset);
	if (!r->stream_rules) {
		gw_fail(err, GW_NO_MEMORY, "no memory for the rules of a stream");
		return GW_READ_FAILED;
	}
	gw_stream_rules_config(r->stream_rules, &r->config);
	return read_records(r, err);
}
