/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The reader of a libxc image: a state machine that says which bytes come next and decodes them.
 * Page contents never pass through it.
 */
#include "format/libxc/image.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/record.h"

enum state {
	S_HEADERS,
	S_RECORD,     /* the header of a record is next */
	S_BODY,	      /* a body that is read completely */
	S_PAGES_HEAD, /* count of a PAGE_DATA */
	S_PAGES_ENTRIES,
	S_PAGES_DATA, /* pages_done() is due */
	S_ENDED,
};

void gw_image_reader_init(struct gw_image_reader *r)
{
	*r = (struct gw_image_reader){0};
}

void gw_image_reader_free(struct gw_image_reader *r)
{
	gw_buffer_free(&r->buf);
	*r = (struct gw_image_reader){0};
}

/* Begins an item of size bytes, in an empty buffer. */
static void expect(struct gw_image_reader *r, enum state state, uint64_t size)
{
	gw_framing_recycle(&r->buf);
	r->state = state;
	r->left = size;
}

/* Bytes that this state still needs before it can decode them. */
static uint64_t missing(const struct gw_image_reader *r)
{
	switch (r->state) {
	case S_HEADERS:
		return GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE;
	case S_RECORD:
		return GW_RECORD_HEADER_SIZE;
	case S_PAGES_HEAD:
	case S_BODY:
	case S_PAGES_ENTRIES:
		return r->left;
	default:
		return 0;
	}
}

int gw_image_reader_want(struct gw_image_reader *r, void **to, size_t *len, struct gw_error *err)
{
	if (r->state <= S_RECORD)
		gw_framing_recycle(&r->buf);
	if (gw_framing_want(&r->buf, missing(r), to, len, err) < 0)
		return -1;
	r->need = *len;
	return 0;
}

static void next_record(struct gw_image_reader *r)
{
	if (r->rec.type == GW_REC_END)
		r->state = S_ENDED;
	else
		r->state = S_RECORD;
}

static int got_headers(struct gw_image_reader *r, enum gw_image_event *event, struct gw_error *err)
{
	if (gw_image_header_decode(r->buf.data, &r->header, err) < 0)
		return -1;
	r->state = S_RECORD;
	*event = GW_IMAGE_HEADER;
	return 0;
}

/*
 * The entries of a PAGE_DATA have arrived, as far as it has any. The caller reads the rest of the
 * record; padding only exists if the length is wrong.
 */
static void offer_pages(struct gw_image_reader *r, enum gw_image_event *event)
{
	uint64_t head = r->rec.length < 8 ? 0 : 8 + 8 * (uint64_t)r->nr_entries;
	uint64_t pages = 0;
	uint64_t *entries = (uint64_t *)(void *)r->buf.data;
	size_t run;

	for (size_t i = 0; i < r->nr_entries; i++)
		entries[i] = le64toh(entries[i]);
	for (size_t i = 0; i < r->nr_entries; i += run) {
		run = gw_page_entry_run(entries + i, r->nr_entries - i);
		if (gw_page_has_data(gw_page_entry_type(entries[i])))
			pages += run;
	}
	r->entries = entries;
	r->nr_pages = pages;
	r->data_len = r->rec.length - head;
	r->well_formed = r->nr_entries > 0 && r->nr_entries == r->claimed_count &&
			 r->data_len == pages * GW_PAGE_SIZE;
	r->data_len += gw_record_padding(r->rec.length);
	r->state = S_PAGES_DATA;
	*event = GW_IMAGE_PAGES;
}

static void begin_pages(struct gw_image_reader *r, enum gw_image_event *event)
{
	r->entries = NULL;
	r->nr_entries = r->nr_pages = 0;
	r->claimed_count = r->reserved = 0;
	if (r->rec.length < 8) {
		expect(r, S_PAGES_HEAD, 0);
		offer_pages(r, event);
		return;
	}
	expect(r, S_PAGES_HEAD, 8);
	*event = GW_IMAGE_RECORD_HEAD;
}

static void got_pages_head(struct gw_image_reader *r, enum gw_image_event *event)
{
	r->claimed_count = gw_get_le32(r->buf.data);
	r->reserved = gw_get_le32(r->buf.data + 4);
	gw_framing_recycle(&r->buf);
	/* A count for which the record has no room is ignored. */
	if (r->claimed_count == 0 || r->claimed_count > (r->rec.length - 8) / 8) {
		offer_pages(r, event);
		return;
	}
	r->nr_entries = r->claimed_count;
	r->state = S_PAGES_ENTRIES;
	r->left = 8 * (uint64_t)r->nr_entries;
}

static void offer_record(struct gw_image_reader *r, enum gw_image_event *event)
{
	r->rec.data = (const uint8_t *)"";
	if (r->buf.len) {
		r->rec.data = r->buf.data;
		memcpy(r->rec.padding, r->buf.data + r->rec.length, r->buf.len - r->rec.length);
	}
	next_record(r);
	*event = GW_IMAGE_RECORD;
}

static int got_record(struct gw_image_reader *r, enum gw_image_event *event, struct gw_error *err)
{
	if (r->header.options & 1)
		return gw_fail(err, GW_UNSUPPORTED, "records of a big-endian image cannot be read");
	r->rec = (struct gw_record){
		.offset = r->offset - GW_RECORD_HEADER_SIZE,
		.number = r->records++,
	};
	gw_record_header_decode(r->buf.data, &r->rec.type, &r->rec.length);
	if (r->rec.length > GW_RECORD_MAX)
		return gw_fail(err, GW_INVALID, "length %u exceeds the limit of %u bytes",
			       r->rec.length, GW_RECORD_MAX);
	if (r->rec.type == GW_REC_PAGE_DATA) {
		begin_pages(r, event);
		return 0;
	}
	expect(r, S_BODY, (uint64_t)r->rec.length + gw_record_padding(r->rec.length));
	if (r->left == 0)
		offer_record(r, event);
	else
		*event = GW_IMAGE_RECORD_HEAD;
	return 0;
}

int gw_image_reader_got(struct gw_image_reader *r, enum gw_image_event *event, struct gw_error *err)
{
	*event = GW_IMAGE_MORE;
	r->buf.len += r->need;
	r->offset += r->need;
	r->need = 0;
	if (r->state == S_ENDED) {
		*event = GW_IMAGE_DONE;
		return 0;
	}
	if (r->buf.len < missing(r))
		return 0;
	switch (r->state) {
	case S_HEADERS:
		return got_headers(r, event, err);
	case S_RECORD:
		return got_record(r, event, err);
	case S_BODY:
		offer_record(r, event);
		return 0;
	case S_PAGES_HEAD:
		got_pages_head(r, event);
		return 0;
	case S_PAGES_ENTRIES:
		offer_pages(r, event);
		return 0;
	default:
		return 0;
	}
}

void gw_image_reader_skip_body(struct gw_image_reader *r, uint64_t *len)
{
	*len = (uint64_t)r->rec.length + gw_record_padding(r->rec.length);
	r->offset += *len;
	next_record(r);
}

void gw_image_reader_pages_done(struct gw_image_reader *r)
{
	r->offset += r->data_len;
	r->entries = NULL;
	r->nr_entries = 0;
	r->state = S_RECORD;
}

bool gw_image_reader_at_boundary(const struct gw_image_reader *r)
{
	return r->state <= S_RECORD || r->state == S_ENDED;
}
