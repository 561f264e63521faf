/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A libxl stream on its way to one of today, or to the bare image that is in it. Of checkpoints it
 * has the last word: one counts when its CHECKPOINT_END is there.
 */
#include "convert/image.h"

#include <string.h>

#include "base/util.h"

struct stream {
	struct gw_conv *c;
	struct gw_stream_reader r;
	struct gw_stream_rules *rules;
	uint64_t base; /* where it begins in the input */
	struct gw_conv_image image;
	bool has_image;	    /* it began */
	bool in_checkpoint; /* what comes is of the checkpoint that the image has stopped at */
	uint64_t left_at;   /* where in the input that was */
};

enum go {
	GO_FAILED = -1,
	GO_ON,
	GO_OVER, /* the END of the stream, or the input broke off behind a complete checkpoint */
};

static enum gw_guest_type guest_of(const struct stream *s)
{
	return s->image.has_header ? (enum gw_guest_type)s->image.r.header.type : GW_GUEST_NONE;
}

static enum go cut(struct stream *s, struct gw_error *err)
{
	bool between = gw_stream_reader_at_boundary(&s->r);
	bool in_record = !between && s->r.offset >= GW_STREAM_HEADER_SIZE;

	if (gw_stream_rules_end(s->rules, between && !s->c->read_some, in_record ? &s->r.rec : NULL,
				s->c->in->read_pos - s->base, err) < 0)
		return GO_FAILED;
	return GO_OVER;
}

/* The emulator's records of a plain stream come behind the image as they do here; those of a
 * checkpoint wait for its end. */
static void tell_dropped(struct stream *s)
{
	const struct gw_record *rec = &s->r.rec;
	bool *told =
		rec->type == GW_STREAM_EMULATOR_CONTEXT ? &s->c->told_model : &s->c->told_xenstore;

	if (*told)
		return;
	*told = true;
	gw_conv_dropped(s->c, "%s is dropped, %u bytes: a bare image has no place for %s",
			gw_stream_record_name(rec->type), rec->length,
			rec->type == GW_STREAM_EMULATOR_CONTEXT
				? "the state of a device model"
				: "what a device model keeps in xenstore");
}

/* A record goes straight to the output: it is part of a plain stream. */
static bool passes_on(const struct stream *s)
{
	return gw_conv_has_stream(s->c) && !s->c->later && !s->in_checkpoint;
}

/* It is part of a checkpoint. What is neither stands behind an END that gives up the round before
 * it. */
static bool waits(const struct stream *s)
{
	return gw_conv_has_stream(s->c) && s->in_checkpoint;
}

/* A record of the emulator that was read whole. */
static int take_emulator(struct stream *s, struct gw_error *err)
{
	const struct gw_record *rec = &s->r.rec;
	struct gw_spool *spool = &s->c->held.now;
	uint8_t head[GW_RECORD_HEADER_SIZE];

	if (!gw_conv_has_stream(s->c)) {
		tell_dropped(s);
		return 0;
	}
	if (passes_on(s))
		return gw_conv_record(s->c, rec, err);
	if (!waits(s))
		return 0;
	gw_record_header_encode(head, rec->type, rec->length);
	if (gw_spool_put(spool, head, sizeof(head), err) < 0 ||
	    gw_spool_put(spool, rec->data, rec->length, err) < 0)
		return -1;
	return gw_spool_put(spool, rec->padding, gw_record_padding(rec->length), err);
}

/* The same of one whose body comes now. 1, 0, -1 as gw_conv_bring(). */
static int take_body(struct stream *s, struct gw_error *err)
{
	uint8_t head[GW_RECORD_HEADER_SIZE + sizeof(s->r.body_head)];
	size_t have =
		GW_RECORD_HEADER_SIZE + GW_MIN(s->r.rec.length, (uint32_t)sizeof(s->r.body_head));

	if (!gw_conv_has_stream(s->c))
		tell_dropped(s);
	if (!passes_on(s) && !waits(s))
		return gw_conv_bring(s->c, NULL, s->r.body_left, err);
	gw_record_header_encode(head, s->r.rec.type, s->r.rec.length);
	memcpy(head + GW_RECORD_HEADER_SIZE, s->r.body_head, sizeof(s->r.body_head));
	if (waits(s)) {
		if (gw_spool_put(&s->c->held.now, head, have, err) < 0)
			return -1;
		return gw_conv_spool(s->c, &s->c->held.now, s->r.body_left, err);
	}
	if (gw_conv_put(s->c, head, have, err) < 0)
		return -1;
	return gw_conv_move(s->c, s->r.body_left, err);
}

/*
 * Goes into the image, at its begin or where a checkpoint interrupted it: its offsets count from
 * its first byte, and the records between are in the way.
 */
static enum go enter_image(struct stream *s, struct gw_error *err)
{
	uint64_t entered_at = s->c->in->read_pos;
	enum gw_conv_image_pause pause;

	if (!s->has_image) {
		if (gw_conv_image_init(&s->image, s->c, err) < 0)
			return GO_FAILED;
		s->has_image = true;
	} else {
		s->image.r.offset += entered_at - s->left_at;
	}
	pause = gw_conv_image_go(&s->image, err);
	s->left_at = s->c->in->read_pos;
	gw_stream_reader_resume(&s->r, s->left_at - entered_at);
	switch (pause) {
	case GW_CONV_IMAGE_ENDED:
		s->in_checkpoint = false;
		return GO_ON;
	case GW_CONV_IMAGE_CHECKPOINT:
		s->in_checkpoint = true;
		gw_stream_rules_checkpoint(s->rules);
		return gw_spool_begin(&s->c->held.now, err) < 0 ? GO_FAILED : GO_ON;
	case GW_CONV_IMAGE_CUT:
		return GO_OVER;
	default:
		return GO_FAILED;
	}
}

/*
 * After CHECKPOINT_END the image goes on, except that COLO puts one more record of this layer
 * first. Its type, 5, is that of a record only PV guests have, which COLO does not protect. 1 it
 * comes, 0, -1.
 */
static int checkpoint_state_follows(struct stream *s, struct gw_error *err)
{
	uint8_t head[GW_RECORD_HEADER_SIZE];
	uint32_t type, length;
	ssize_t n = gw_conv_peek(s->c, head, sizeof(head), err);

	if (n < 0)
		return -1;
	if ((size_t)n < sizeof(head) || guest_of(s) != GW_GUEST_X86_HVM)
		return 0;
	gw_record_header_decode(head, &type, &length);
	return type == GW_STREAM_CHECKPOINT_STATE;
}

static enum go end_checkpoint(struct stream *s, struct gw_error *err)
{
	int follows;

	if (gw_conv_image_checkpoint(&s->image, err) < 0 || gw_conv_held_complete(s->c, err) < 0)
		return GO_FAILED;
	follows = checkpoint_state_follows(s, err);
	if (follows)
		return follows < 0 ? GO_FAILED : GO_ON;
	return enter_image(s, err);
}

static enum go take_record(struct stream *s, struct gw_error *err)
{
	if (gw_stream_rules_record(s->rules, &s->r.rec, guest_of(s), err) < 0)
		return GO_FAILED;
	switch (s->r.rec.type) {
	case GW_STREAM_END:
		return passes_on(s) && gw_conv_record(s->c, &s->r.rec, err) < 0 ? GO_FAILED : GO_ON;
	case GW_STREAM_EMULATOR_XENSTORE_DATA:
	case GW_STREAM_EMULATOR_CONTEXT:
		return take_emulator(s, err) < 0 ? GO_FAILED : GO_ON;
	case GW_STREAM_CHECKPOINT_END:
		return end_checkpoint(s, err);
	case GW_STREAM_CHECKPOINT_STATE:
		return enter_image(s, err);
	default:
		return GO_ON;
	}
}

static enum go take(struct stream *s, enum gw_stream_event event, struct gw_error *err)
{
	int rc;

	switch (event) {
	case GW_STREAM_HEADER:
		s->c->has_stream = true;
		s->c->stream = s->r.header;
		return gw_stream_rules_header(s->rules, &s->r.header, err) < 0 ? GO_FAILED : GO_ON;
	case GW_STREAM_RECORD:
		return take_record(s, err);
	case GW_STREAM_BODY:
		if (gw_stream_rules_body(s->rules, &s->r, guest_of(s), err) < 0)
			return GO_FAILED;
		rc = take_body(s, err);
		if (rc <= 0)
			return rc < 0 ? GO_FAILED : cut(s, err);
		gw_stream_reader_body_done(&s->r);
		return GO_ON;
	case GW_STREAM_CONTEXT:
		if (gw_stream_rules_record(s->rules, &s->r.rec, guest_of(s), err) < 0)
			return GO_FAILED;
		return enter_image(s, err);
	case GW_STREAM_DONE:
		return GO_OVER;
	default:
		return GO_ON;
	}
}

static enum go lost(struct stream *s, const struct gw_error *failure, struct gw_error *err)
{
	if (failure->code == GW_INVALID)
		gw_report(&s->c->findings, "stream-framing", s->c->in->read_pos, err, "%s",
			  failure->text);
	else
		gw_fail(err, failure->code, "%s", failure->text);
	return GO_FAILED;
}

static enum go step(struct stream *s, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	enum gw_stream_event event;
	size_t len;
	void *to;
	int rc;

	if (gw_stream_reader_want(&s->r, &to, &len, err) < 0)
		return GO_FAILED;
	rc = gw_conv_bring(s->c, to, len, err);
	if (rc <= 0)
		return rc < 0 ? GO_FAILED : cut(s, err);
	if (gw_stream_reader_got(&s->r, &event, &failure) < 0)
		return lost(s, &failure, err);
	return take(s, event, err);
}

/* The state of the last checkpoint: what of it waits is behind its pages. */
static int finish(struct stream *s, struct gw_error *err)
{
	struct gw_conv *c = s->c;

	if (gw_conv_image_finish(&s->image, err) < 0)
		return -1;
	if (!gw_conv_has_stream(c))
		return 0;
	if (c->held.complete.open && gw_conv_put_spool(c, &c->held.complete, err) < 0)
		return -1;
	return gw_conv_empty_record(c, GW_STREAM_END, err);
}

int gw_conv_stream(struct gw_conv *c, struct gw_error *err)
{
	struct stream s = {.c = c, .base = c->in->read_pos};
	enum go go = GO_FAILED;

	s.rules = gw_stream_rules_new(&c->findings, s.base);
	if (!s.rules)
		return gw_fail(err, GW_NO_MEMORY, "no memory for the rules of a stream");
	c->held.now.limit = c->held.complete.limit = 2 * (uint64_t)GW_EMULATOR_MAX;
	gw_stream_reader_init(&s.r);
	do
		go = step(&s, err);
	while (go == GO_ON);
	if (go == GO_OVER && c->later && finish(&s, err) < 0)
		go = GO_FAILED;
	gw_stream_reader_free(&s.r);
	gw_stream_rules_free(s.rules);
	if (s.has_image)
		gw_conv_image_free(&s.image);
	return go == GO_FAILED ? -1 : 0;
}
