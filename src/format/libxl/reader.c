/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The reader of the libxl stream's records; the image inside is read by libxc/reader.c.
 */
#include "format/libxl/stream.h"

#include <string.h>

#include "format/record.h"

enum state {
	S_HEADER,
	S_RECORD,    /* the header of a record is next */
	S_BODY,	     /* a body that is read completely */
	S_BODY_HEAD, /* the first bytes of a body that is not */
	S_BODY_DATA, /* body_done() is due */
	S_CONTEXT,   /* the caller reads the image */
	S_ENDED,
};

void gw_stream_reader_init(struct gw_stream_reader *r)
{
	*r = (struct gw_stream_reader){0};
}

void gw_stream_reader_free(struct gw_stream_reader *r)
{
	gw_buffer_free(&r->buf);
	*r = (struct gw_stream_reader){0};
}

static uint64_t missing(const struct gw_stream_reader *r)
{
	switch (r->state) {
	case S_HEADER:
		return GW_STREAM_HEADER_SIZE;
	case S_RECORD:
		return GW_RECORD_HEADER_SIZE;
	case S_BODY:
	case S_BODY_HEAD:
		return r->left;
	default:
		return 0;
	}
}

int gw_stream_reader_want(struct gw_stream_reader *r, void **to, size_t *len, struct gw_error *err)
{
	if (r->state <= S_RECORD)
		gw_framing_recycle(&r->buf);
	if (gw_framing_want(&r->buf, missing(r), to, len, err) < 0)
		return -1;
	r->need = *len;
	return 0;
}

static void next_record(struct gw_stream_reader *r)
{
	r->state = r->rec.type == GW_STREAM_END ? S_ENDED : S_RECORD;
}

static void offer_record(struct gw_stream_reader *r, enum gw_stream_event *event)
{
	r->rec.data = (const uint8_t *)"";
	if (r->buf.len) {
		r->rec.data = r->buf.data;
		memcpy(r->rec.padding, r->buf.data + r->rec.length, r->buf.len - r->rec.length);
	}
	if (r->rec.type == GW_STREAM_LIBXC_CONTEXT) {
		r->state = S_CONTEXT;
		*event = GW_STREAM_CONTEXT;
		return;
	}
	next_record(r);
	*event = GW_STREAM_RECORD;
}

static void offer_body(struct gw_stream_reader *r, enum gw_stream_event *event)
{
	memset(r->body_head, 0, sizeof(r->body_head));
	if (r->buf.len)
		memcpy(r->body_head, r->buf.data, r->buf.len);
	r->body_left = (uint64_t)r->rec.length + gw_record_padding(r->rec.length) - r->buf.len;
	r->state = S_BODY_DATA;
	*event = GW_STREAM_BODY;
}

static int got_record(struct gw_stream_reader *r, enum gw_stream_event *event, struct gw_error *err)
{
	if (r->header.options & GW_STREAM_BIG_ENDIAN)
		return gw_fail(err, GW_UNSUPPORTED,
			       "records of a big-endian stream cannot be read");
	r->rec = (struct gw_record){
		.offset = r->image_bytes_before + r->offset - GW_RECORD_HEADER_SIZE,
		.number = r->records++,
	};
	gw_record_header_decode(r->buf.data, &r->rec.type, &r->rec.length);
	gw_framing_recycle(&r->buf);
	if (r->rec.type == GW_STREAM_LIBXC_CONTEXT && r->rec.length > GW_STREAM_BODY_MAX)
		return gw_fail(
			err, GW_INVALID,
			"a LIBXC_CONTEXT of %u bytes, expected 0: the start of the image is unknown",
			r->rec.length);
	if (r->rec.type == GW_STREAM_EMULATOR_CONTEXT || r->rec.length > GW_STREAM_BODY_MAX) {
		r->state = S_BODY_HEAD;
		r->left = GW_MIN(r->rec.length, 8u);
		if (r->left == 0)
			offer_body(r, event);
		return 0;
	}
	r->state = S_BODY;
	r->left = (uint64_t)r->rec.length + gw_record_padding(r->rec.length);
	if (r->left == 0)
		offer_record(r, event);
	return 0;
}

int gw_stream_reader_got(struct gw_stream_reader *r, enum gw_stream_event *event,
			 struct gw_error *err)
{
	*event = GW_STREAM_MORE;
	r->buf.len += r->need;
	r->offset += r->need;
	r->need = 0;
	if (r->state == S_ENDED) {
		*event = GW_STREAM_DONE;
		return 0;
	}
	if (r->buf.len < missing(r))
		return 0;
	switch (r->state) {
	case S_HEADER:
		if (gw_stream_header_decode(r->buf.data, &r->header, err) < 0)
			return -1;
		r->state = S_RECORD;
		*event = GW_STREAM_HEADER;
		return 0;
	case S_RECORD:
		return got_record(r, event, err);
	case S_BODY:
		offer_record(r, event);
		return 0;
	case S_BODY_HEAD:
		offer_body(r, event);
		return 0;
	default:
		return 0;
	}
}

void gw_stream_reader_body_done(struct gw_stream_reader *r)
{
	r->offset += r->body_left;
	r->body_left = 0;
	next_record(r);
}

void gw_stream_reader_resume(struct gw_stream_reader *r, uint64_t image_bytes)
{
	r->image_bytes_before += image_bytes;
	r->state = S_RECORD;
}

bool gw_stream_reader_at_boundary(const struct gw_stream_reader *r)
{
	return r->state <= S_RECORD || r->state == S_CONTEXT || r->state == S_ENDED;
}
