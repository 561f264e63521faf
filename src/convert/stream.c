/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Records of a libxl stream, each to its place in one of today. What a checkpoint brings waits for
 * its end.
 */
#include "convert/image.h"

#include <string.h>

#include "base/util.h"

/* A bare image has no place for it. */
static void report_dropped(struct gw_conv *c, const struct gw_record *rec)
{
	bool is_model = rec->type == GW_STREAM_EMULATOR_CONTEXT;
	bool *reported = is_model ? &c->reported_model : &c->reported_xenstore;

	if (*reported)
		return;
	*reported = true;
	gw_conv_dropped(c, "%s of %u bytes is dropped: a bare image cannot contain %s",
			gw_stream_record_name(rec->type), rec->length,
			is_model ? "device model state" : "a device model's xenstore keys");
}

/* A record goes straight to the output: it is part of a plain stream. */
static bool passes_on(const struct gw_conv_image *i)
{
	return gw_conv_has_stream(i->c) && !i->c->later && !i->reading.checkpoints.in_checkpoint;
}

/* It is part of a checkpoint. What is neither stands after an END that gives up the round before
 * it. */
static bool waits(const struct gw_conv_image *i)
{
	return gw_conv_has_stream(i->c) && i->reading.checkpoints.in_checkpoint;
}

/* A record of the emulator that was read whole. */
static int take_emulator(struct gw_conv_image *i, struct gw_error *err)
{
	const struct gw_record *rec = &i->reading.stream.rec;
	struct gw_spool *spool = &i->c->deferred.current;
	uint8_t head[GW_RECORD_HEADER_SIZE];

	if (!gw_conv_has_stream(i->c)) {
		report_dropped(i->c, rec);
		return 0;
	}
	if (passes_on(i))
		return gw_conv_record(i->c, rec, err);
	if (!waits(i))
		return 0;
	gw_record_header_encode(head, rec->type, rec->length);
	if (gw_spool_put(spool, head, sizeof(head), err) < 0 ||
	    gw_spool_put(spool, rec->data, rec->length, err) < 0)
		return -1;
	return gw_spool_put(spool, rec->padding, gw_record_padding(rec->length), err);
}

/* Through this process's memory, so that the rules see the bytes. */
static enum gw_read_result copy_body(struct gw_conv *c, uint64_t len, struct gw_error *err)
{
	uint8_t piece[16384];

	while (len) {
		size_t n = (size_t)GW_MIN(len, (uint64_t)sizeof(piece));
		enum gw_read_result rc = gw_input_read(&c->in, piece, n, err);

		if (rc != GW_READ_OK)
			return rc;
		if (gw_conv_put(c, piece, n, err) < 0)
			return GW_READ_FAILED;
		len -= n;
	}
	return GW_READ_OK;
}

enum gw_read_result gw_conv_stream_body(struct gw_conv_image *i, struct gw_error *err)
{
	const struct gw_stream_reader *r = &i->reading.stream;
	uint8_t head[GW_RECORD_HEADER_SIZE + sizeof(r->body_head)];
	size_t have = GW_RECORD_HEADER_SIZE + GW_MIN(r->rec.length, (uint32_t)sizeof(r->body_head));
	struct gw_conv *c = i->c;

	if (!gw_conv_has_stream(c))
		report_dropped(c, &r->rec);
	if (!passes_on(i) && !waits(i))
		return gw_input_skip(&c->in, r->body_left, err);
	gw_record_header_encode(head, r->rec.type, r->rec.length);
	memcpy(head + GW_RECORD_HEADER_SIZE, r->body_head, sizeof(r->body_head));
	if (waits(i)) {
		if (gw_spool_put(&c->deferred.current, head, have, err) < 0)
			return GW_READ_FAILED;
		return gw_conv_spool(c, &c->deferred.current, r->body_left, err);
	}
	if (gw_conv_put(c, head, have, err) < 0)
		return GW_READ_FAILED;
	return copy_body(c, r->body_left, err);
}

int gw_conv_stream_record(struct gw_conv_image *i, struct gw_error *err)
{
	const struct gw_record *rec = &i->reading.stream.rec;

	switch (rec->type) {
	case GW_STREAM_END:
		return passes_on(i) ? gw_conv_record(i->c, rec, err) : 0;
	case GW_STREAM_EMULATOR_XENSTORE_DATA:
	case GW_STREAM_EMULATOR_CONTEXT:
		return take_emulator(i, err);
	default:
		return 0;
	}
}

int gw_conv_stream_checkpoint(struct gw_conv_image *i, struct gw_error *err)
{
	return gw_spool_begin(&i->c->deferred.current, err);
}

int gw_conv_stream_finish(struct gw_conv_image *i, struct gw_error *err)
{
	struct gw_spool *complete = &i->c->deferred.complete;

	if (complete->open && gw_conv_put_spool(i->c, complete, err) < 0)
		return -1;
	return gw_conv_empty_record(i->c, GW_STREAM_END, err);
}
