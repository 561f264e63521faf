/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The walk through a libxl stream, and in and out of the image inside: once for a plain one, again
 * and again for one with checkpoints.
 */
#include "examine/walk.h"

#include "base/util.h"

#define BODY_AT_ONCE 16384u

static struct gw_examined_record record_of(const struct gw_walk *w)
{
	return (struct gw_examined_record){
		.layer = GW_LAYER_LIBXL,
		.offset = w->stream_base + w->stream.rec.offset,
		.rec = &w->stream.rec,
		.body_head = w->stream.rec.data ? NULL : w->stream.body_head,
	};
}

static void stream_record(struct gw_walk *w)
{
	struct gw_examined_record record = record_of(w);
	enum gw_guest_type guest =
		w->sum->has_image ? (enum gw_guest_type)w->sum->image.type : GW_GUEST_NONE;

	w->sum->stream_records++;
	if (w->sink->record)
		w->sink->record(w->sink->opaque, &record);
	if (w->stream.rec.data)
		gw_stream_rules_record(w->stream_rules, &w->stream.rec, guest, NULL);
	else
		gw_stream_rules_body(w->stream_rules, &w->stream, guest, NULL);
}

/*
 * After CHECKPOINT_END the image goes on, except that COLO puts one more record of this layer
 * first. Its type, 5, is that of a record only PV guests have, which COLO does not protect. 1 it
 * comes, 0, -1.
 */
static int checkpoint_state_follows(struct gw_walk *w, struct gw_error *err)
{
	uint8_t head[GW_RECORD_HEADER_SIZE];
	uint32_t type, length;
	ssize_t n = gw_walk_peek(w, head, sizeof(head), err);

	if (n < 0)
		return -1;
	if ((size_t)n < sizeof(head) || w->sum->image.type != GW_GUEST_X86_HVM)
		return 0;
	gw_record_header_decode(head, &type, &length);
	return type == GW_STREAM_CHECKPOINT_STATE;
}

/* The image goes on where a checkpoint interrupted it. */
static enum gw_walk_outcome resume_image(struct gw_walk *w, uint64_t left_at, struct gw_error *err)
{
	/* The image's offsets count from its first byte, and the libxl records between are in the
	 * way. */
	w->image.offset += w->in->read_pos - left_at;
	return gw_walk_image(w, err);
}

/* What stands between a CHECKPOINT of the image and its next record was read: true if the image is
 * next. */
static int image_is_next(struct gw_walk *w, bool in_checkpoint, struct gw_error *err)
{
	int follows;

	if (!in_checkpoint)
		return 0;
	if (w->stream.rec.type == GW_STREAM_CHECKPOINT_STATE)
		return 1;
	if (w->stream.rec.type != GW_STREAM_CHECKPOINT_END)
		return 0;
	follows = checkpoint_state_follows(w, err);
	return follows < 0 ? -1 : !follows;
}

struct checkpoint {
	bool open;	  /* the libxl layer is at work inside a checkpoint */
	uint64_t left_at; /* where the image was left */
};

/* The image, from its begin or behind a checkpoint, and what its end means to this layer. */
static enum gw_walk_outcome enter_image(struct gw_walk *w, struct checkpoint *cp,
					struct gw_error *err)
{
	uint64_t entered_at = w->in->read_pos;
	enum gw_walk_outcome outcome;

	if (cp->open) {
		outcome = resume_image(w, cp->left_at, err);
	} else {
		if (gw_walk_image_begin(w, GW_IMAGE_ANY, err) < 0)
			return GW_WALK_FAILED;
		outcome = gw_walk_image(w, err);
	}
	cp->open = outcome == GW_WALK_CHECKPOINT;
	cp->left_at = w->in->read_pos;
	if (cp->open)
		gw_stream_rules_checkpoint(w->stream_rules);
	gw_stream_reader_resume(&w->stream, w->in->read_pos - entered_at);
	return outcome;
}

static enum gw_walk_outcome stream_cut(struct gw_walk *w)
{
	bool between = gw_stream_reader_at_boundary(&w->stream);

	gw_stream_rules_end(w->stream_rules, between && !w->read_some,
			    between || !w->sum->has_stream ? NULL : &w->stream.rec,
			    w->in->read_pos - w->stream_base, NULL);
	return GW_WALK_LOST;
}

static enum gw_walk_outcome stream_lost(struct gw_walk *w, const struct gw_error *failure)
{
	if (failure->code != GW_UNSUPPORTED)
		gw_report(&w->findings, "stream-framing", w->in->read_pos, NULL, "%s",
			  failure->text);
	return GW_WALK_LOST;
}

/* What is left of a body, handed on or passed over. 1; 0 if the input ends inside; -1. */
static int stream_body(struct gw_walk *w, struct gw_error *err)
{
	const struct gw_examined_record record = record_of(w);
	uint64_t left = w->stream.body_left, padding = gw_record_padding(record.rec->length);

	if (!w->sink->body || left <= padding)
		return gw_walk_bring(w, NULL, left, err);
	left -= padding;
	while (left) {
		uint8_t piece[BODY_AT_ONCE];
		size_t n = (size_t)GW_MIN(left, (uint64_t)sizeof(piece));
		int rc = gw_walk_bring(w, piece, n, err);

		if (rc <= 0)
			return rc;
		if (w->sink->body(w->sink->opaque, &record, piece, n, err) < 0)
			return -1;
		left -= n;
	}
	return gw_walk_bring(w, NULL, padding, err);
}

/* A record was delivered whole. GW_WALK_OVER: go on. */
static enum gw_walk_outcome after_record(struct gw_walk *w, struct checkpoint *cp,
					 struct gw_error *err)
{
	int next = image_is_next(w, cp->open, err);

	if (next <= 0)
		return next < 0 ? GW_WALK_FAILED : GW_WALK_OVER;
	return enter_image(w, cp, err);
}

static enum gw_walk_outcome stream_event(struct gw_walk *w, enum gw_stream_event event,
					 struct checkpoint *cp, struct gw_error *err)
{
	int rc;

	switch (event) {
	case GW_STREAM_HEADER:
		w->sum->has_stream = true;
		w->sum->stream = w->stream.header;
		if (w->sink->stream)
			w->sink->stream(w->sink->opaque, w->stream_base, &w->stream.header);
		gw_stream_rules_header(w->stream_rules, &w->stream.header, NULL);
		return GW_WALK_OVER;
	case GW_STREAM_RECORD:
		stream_record(w);
		return after_record(w, cp, err);
	case GW_STREAM_BODY:
		stream_record(w);
		gw_walk_progress(w, "reading");
		rc = stream_body(w, err);
		if (rc <= 0)
			return rc < 0 ? GW_WALK_FAILED : stream_cut(w);
		gw_stream_reader_body_done(&w->stream);
		return GW_WALK_OVER;
	case GW_STREAM_CONTEXT:
		stream_record(w);
		if (w->image_rules) /* the rules have said what they think of a second one */
			return GW_WALK_LOST;
		return enter_image(w, cp, err);
	default:
		return GW_WALK_OVER;
	}
}

static enum gw_walk_outcome walk_stream_records(struct gw_walk *w, struct gw_error *err)
{
	struct checkpoint cp = {0};

	for (;;) {
		struct gw_error failure = GW_ERROR_INIT;
		enum gw_stream_event event;
		enum gw_walk_outcome outcome;
		size_t len;
		void *to;
		int rc;

		if (gw_stream_reader_want(&w->stream, &to, &len, err) < 0)
			return GW_WALK_FAILED;
		rc = gw_walk_bring(w, to, len, err);
		if (rc <= 0)
			return rc < 0 ? GW_WALK_FAILED : stream_cut(w);
		if (gw_stream_reader_got(&w->stream, &event, &failure) < 0)
			return stream_lost(w, &failure);
		if (event == GW_STREAM_DONE) {
			gw_stream_rules_end(w->stream_rules, true, NULL, w->stream.offset, NULL);
			return GW_WALK_OVER;
		}
		outcome = stream_event(w, event, &cp, err);
		if (outcome == GW_WALK_FAILED || outcome == GW_WALK_LOST)
			return outcome;
	}
}

enum gw_walk_outcome gw_walk_stream(struct gw_walk *w, struct gw_error *err)
{
	enum gw_walk_outcome outcome;

	w->stream_base = w->in->read_pos;
	w->in_stream = true;
	w->stream_rules = gw_stream_rules_new(&w->findings, w->stream_base);
	if (!w->stream_rules) {
		gw_fail(err, GW_NO_MEMORY, "no memory for the rules of a stream");
		return GW_WALK_FAILED;
	}
	if (w->pvh)
		gw_stream_rules_pvh(w->stream_rules);
	gw_stream_reader_init(&w->stream);
	outcome = walk_stream_records(w, err);
	gw_walk_image_end(w);
	gw_stream_reader_free(&w->stream);
	gw_stream_rules_free(w->stream_rules);
	return outcome;
}
