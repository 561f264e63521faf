/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading a libxl stream: its records around the image and between the image's checkpoints. What
 * they say of a device model is handed on; only that of the last complete checkpoint counts.
 */
#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "format/libxl/stream.h"
#include "migrate/restore_internal.h"

struct stream_restore {
	struct gw_restore_args *args;
	struct gw_stream_reader reader;
	struct gw_stream_rules *rules;
	struct gw_buffer *emulator; /* the caller's; NULL: dropped */
	struct gw_buffer pending;   /* since the last complete checkpoint */
	bool have_pending;
	enum gw_guest_type guest;
	uint64_t image_bytes; /* of the image, as far as this layer's reader knows */
	struct gw_error lost;
};

static enum gw_pull read_bytes(struct stream_restore *s, void *to, size_t len, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	int rc = gw_channel_read(s->args->in, to, len, &why);

	if (rc > 0)
		return GW_PULL_OK;
	if (rc == 0 || why.code == GW_TRUNCATED || why.code == GW_SYSTEM || why.code == GW_PEER) {
		s->lost = why;
		return GW_PULL_LOST;
	}
	gw_fail(err, why.code, "%s", why.text);
	return GW_PULL_FAILED;
}

static enum gw_pull pull(struct stream_restore *s, enum gw_stream_event *event,
			 struct gw_error *err)
{
	*event = GW_STREAM_MORE;
	while (*event == GW_STREAM_MORE) {
		enum gw_pull rc = GW_PULL_OK;
		void *to;
		size_t len;

		if (gw_stream_reader_want(&s->reader, &to, &len, err) < 0)
			return GW_PULL_FAILED;
		if (len > 0)
			rc = read_bytes(s, to, len, err);
		if (rc != GW_PULL_OK)
			return rc;
		if (gw_stream_reader_got(&s->reader, event, err) < 0) {
			gw_fail_in(err, "libxl stream record %" PRIu64 " at offset 0x%" PRIx64,
				   s->reader.rec.number, s->args->base + s->reader.rec.offset);
			return GW_PULL_FAILED;
		}
	}
	return GW_PULL_OK;
}

/* The body of an EMULATOR_CONTEXT behind its two ids: memory follows the bytes that arrive. */
static enum gw_pull take_body(struct stream_restore *s, struct gw_error *err)
{
	const struct gw_record *rec = &s->reader.rec;
	uint64_t left = s->reader.body_left, padding = gw_record_padding(rec->length);

	if (rec->type != GW_STREAM_EMULATOR_CONTEXT)
		gw_fail(err, GW_INVALID, "libxl stream record %llu (%s): too long",
			(unsigned long long)rec->number, gw_stream_record_name(rec->type));
	else if (rec->length > GW_EMULATOR_MAX)
		gw_fail(err, GW_INVALID,
			"libxl stream record %llu (EMULATOR_CONTEXT): %llu bytes of device model state, at most %u are taken",
			(unsigned long long)rec->number, (unsigned long long)left, GW_EMULATOR_MAX);
	if (rec->type != GW_STREAM_EMULATOR_CONTEXT || rec->length > GW_EMULATOR_MAX)
		return GW_PULL_FAILED;
	gw_buffer_reset(&s->pending);
	while (left > 0) {
		size_t step = GW_MIN(left, UINT64_C(65536));
		void *to = gw_buffer_reserve(&s->pending, step, err);
		enum gw_pull rc;

		if (!to)
			return GW_PULL_FAILED;
		rc = read_bytes(s, to, step, err);
		if (rc != GW_PULL_OK)
			return rc;
		s->pending.len += step;
		left -= step;
	}
	s->pending.len -= GW_MIN(padding, s->pending.len);
	s->have_pending = true;
	gw_stream_reader_body_done(&s->reader);
	return GW_PULL_OK;
}

/* What was gathered now belongs to a complete state. */
static void keep_emulator(struct stream_restore *s)
{
	if (s->have_pending && s->emulator) {
		struct gw_buffer old = *s->emulator;

		*s->emulator = s->pending;
		s->pending = old;
	}
	gw_buffer_reset(&s->pending);
	s->have_pending = false;
}

/* One event that is neither the header nor the image. */
static enum gw_pull one_record(struct stream_restore *s, enum gw_stream_event event,
			       struct gw_error *err)
{
	if (event == GW_STREAM_BODY) {
		if (gw_stream_rules_body(s->rules, &s->reader, s->guest, err) < 0)
			return GW_PULL_FAILED;
		return take_body(s, err);
	}
	return gw_stream_rules_record(s->rules, &s->reader.rec, s->guest, err) < 0 ? GW_PULL_FAILED
										   : GW_PULL_OK;
}

/* Records up to and with one of this type. */
static enum gw_pull records_until(struct stream_restore *s, uint32_t type, struct gw_error *err)
{
	for (;;) {
		enum gw_stream_event event;
		enum gw_pull rc = pull(s, &event, err);

		if (rc == GW_PULL_OK)
			rc = one_record(s, event, err);
		if (rc != GW_PULL_OK || s->reader.rec.type == type)
			return rc;
	}
}

static void resume_reader(struct stream_restore *s, uint64_t image_bytes)
{
	gw_stream_reader_resume(&s->reader, image_bytes - s->image_bytes);
	s->image_bytes = image_bytes;
}

/* The image stands at a CHECKPOINT: this layer's records of it. */
static enum gw_pull at_checkpoint(void *opaque, uint64_t image_bytes, enum gw_guest_type guest,
				  struct gw_error *how, struct gw_error *err)
{
	struct stream_restore *s = opaque;
	enum gw_pull rc;

	s->guest = guest;
	resume_reader(s, image_bytes);
	gw_stream_rules_checkpoint(s->rules);
	rc = records_until(s, GW_STREAM_CHECKPOINT_END, err);
	if (rc == GW_PULL_OK && s->args->stream_type == GW_STREAM_COLO)
		rc = records_until(s, GW_STREAM_CHECKPOINT_STATE, err);
	if (rc == GW_PULL_OK)
		keep_emulator(s);
	*how = s->lost;
	return rc;
}

static enum gw_pull image(struct stream_restore *s, struct gw_error *err)
{
	struct gw_restore_layer layer = {.opaque = s, .checkpoint = at_checkpoint};
	struct gw_restore_args *args = s->args;
	uint64_t base = args->base;
	int rc;

	if (gw_stream_rules_record(s->rules, &s->reader.rec, GW_GUEST_NONE, err) < 0)
		return GW_PULL_FAILED;
	args->base = base + s->reader.offset;
	rc = gw_restore_image_in(args, &layer, err);
	args->base = base;
	s->guest = args->domain ? args->domain->type : GW_GUEST_NONE;
	resume_reader(s, args->bytes);
	return rc < 0 ? GW_PULL_FAILED : GW_PULL_OK;
}

/* The input is over although no image, or no END, was there. */
static int lost(struct stream_restore *s, struct gw_error *err)
{
	bool boundary = gw_stream_reader_at_boundary(&s->reader);
	struct gw_error why = GW_ERROR_INIT;

	if (s->lost.code != GW_OK && s->lost.code != GW_TRUNCATED)
		return gw_fail(err, s->lost.code, "%s", s->lost.text);
	gw_stream_rules_end(s->rules, boundary,
			    boundary || !s->reader.header.version ? NULL : &s->reader.rec,
			    s->reader.offset + s->image_bytes, &why);
	if (why.code == GW_OK)
		gw_fail(&why, GW_TRUNCATED, "the libxl stream ends without END");
	return gw_fail(err, GW_TRUNCATED, "%s", why.text);
}

static int read_stream(struct stream_restore *s, struct gw_error *err)
{
	for (;;) {
		enum gw_stream_event event;
		enum gw_pull rc = pull(s, &event, err);

		if (rc == GW_PULL_OK && event == GW_STREAM_DONE)
			break;
		if (rc == GW_PULL_OK && event == GW_STREAM_HEADER)
			rc = gw_stream_rules_header(s->rules, &s->reader.header, err) < 0
				     ? GW_PULL_FAILED
				     : GW_PULL_OK;
		else if (rc == GW_PULL_OK && event == GW_STREAM_CONTEXT)
			rc = image(s, err);
		else if (rc == GW_PULL_OK)
			rc = one_record(s, event, err);
		if (rc == GW_PULL_LOST)
			return lost(s, err);
		if (rc == GW_PULL_FAILED)
			return -1;
		/* A failover leaves nothing behind the image that could be read. */
		if (s->args->failed_over)
			return 0;
	}
	if (gw_stream_rules_end(s->rules, true, NULL, s->reader.offset + s->image_bytes, err) < 0)
		return -1;
	keep_emulator(s);
	return 0;
}

int gw_restore_stream(struct gw_restore_args *args, struct gw_buffer *emulator,
		      struct gw_error *err)
{
	struct stream_restore s = {.args = args, .emulator = emulator};
	const struct gw_cancel *before = args->in->cancel;
	int rc = -1;

	args->failed_over = false;
	args->refusal = (struct gw_refusal){0};
	gw_stream_reader_init(&s.reader);
	s.rules = gw_stream_rules_new(NULL, args->base);
	if (args->cancel)
		gw_channel_set_cancel(args->in, args->cancel);
	if (s.rules)
		rc = read_stream(&s, err);
	else
		gw_fail(err, GW_NO_MEMORY, "memory for the rules of a libxl stream");
	gw_channel_set_cancel(args->in, before);
	args->bytes = s.reader.offset + s.image_bytes;
	gw_stream_rules_free(s.rules);
	gw_stream_reader_free(&s.reader);
	gw_buffer_free(&s.pending);
	return rc;
}
