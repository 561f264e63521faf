/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes records to an unlinked file, and reads them again.
 */
#include "read/round_spool.h"

#include "base/util.h"

#define COPY_STEP (256u << 10)

int gw_round_spool_begin(struct gw_round_spool *s, const struct gw_image_header *header,
			 const struct gw_round_limits *limits, struct gw_error *err)
{
	uint8_t raw[GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE];

	gw_image_header_encode(header, raw);
	s->limits = *limits;
	s->verifies = false;
	s->pages = s->entries = s->state_bytes = 0;
	if (gw_spool_begin(&s->spool, err) < 0)
		return -1;
	return gw_spool_put(&s->spool, raw, sizeof(raw), err);
}

int gw_round_spool_record(struct gw_round_spool *s, const struct gw_record *rec,
			  struct gw_error *err)
{
	uint8_t raw[GW_RECORD_HEADER_SIZE];
	static const uint8_t zeros[8];

	s->state_bytes += sizeof(raw) + rec->length + gw_record_padding(rec->length);
	if (s->state_bytes > GW_ROUND_STATE_MAX)
		return gw_fail(
			err, GW_INVALID,
			"this round of checkpoints has %llu bytes beside its pages, more than the %llu that one may have",
			(unsigned long long)s->state_bytes, (unsigned long long)GW_ROUND_STATE_MAX);
	if (rec->type == GW_REC_VERIFY && !s->verifies) {
		s->verifies = true;
		s->limits.pages *= 2;
		s->limits.entries *= 2;
	}
	gw_record_header_encode(raw, rec->type, rec->length);
	if (gw_spool_put(&s->spool, raw, sizeof(raw), err) < 0 ||
	    gw_spool_put(&s->spool, rec->data, rec->length, err) < 0)
		return -1;
	return gw_spool_put(&s->spool, zeros, gw_record_padding(rec->length), err);
}

/* A record without entries costs something, too. */
static int count_pages(struct gw_round_spool *s, const struct gw_image_reader *record,
		       struct gw_error *err)
{
	s->pages += record->nr_pages;
	s->entries += GW_MAX(record->nr_entries, (size_t)1);
	if (s->pages > s->limits.pages)
		return gw_fail(
			err, GW_INVALID,
			"this round of checkpoints has %llu pages with contents, more than the %llu that the domain can have",
			(unsigned long long)s->pages, (unsigned long long)s->limits.pages);
	if (s->entries > s->limits.entries)
		return gw_fail(
			err, GW_INVALID,
			"this round of checkpoints names %llu pages, more than the %llu that the domain can have",
			(unsigned long long)s->entries, (unsigned long long)s->limits.entries);
	return 0;
}

static int put_page_head(struct gw_round_spool *s, const struct gw_image_reader *record,
			 struct gw_error *err)
{
	size_t size = GW_RECORD_HEADER_SIZE + 8 + 8 * record->nr_entries;
	uint8_t *raw = gw_spool_room(&s->spool, size, err);

	if (!raw)
		return -1;
	gw_page_data_head_encode(raw, record->nr_entries, record->entries, record->nr_pages);
	return gw_spool_filled(&s->spool, size, err);
}

enum gw_read_result gw_round_spool_pages(struct gw_round_spool *s,
					 const struct gw_image_reader *record, struct gw_input *in,
					 struct gw_error *err)
{
	uint64_t left = record->data_len;

	if (count_pages(s, record, err) < 0 || put_page_head(s, record, err) < 0)
		return GW_READ_FAILED;
	while (left > 0) {
		size_t step = GW_MIN(left, (uint64_t)COPY_STEP);
		void *to = gw_spool_room(&s->spool, step, err);
		enum gw_read_result rc = to ? gw_input_read(in, to, step, err) : GW_READ_FAILED;

		if (rc != GW_READ_OK)
			return rc;
		if (gw_spool_filled(&s->spool, step, err) < 0)
			return GW_READ_FAILED;
		left -= step;
	}
	return GW_READ_OK;
}

int gw_round_spool_replay(struct gw_round_spool *s, struct gw_reading *r, struct gw_error *err)
{
	struct gw_input in = {.ch = gw_spool_read(&s->spool, err)};
	enum gw_read_result rc;

	if (!in.ch)
		return -1;
	r->in = &in;
	r->is_judged = true;
	rc = gw_read_image(r, err);
	/* The spool has no END: it is read up to its last byte. */
	if (rc == GW_READ_ENDED && r->image.offset == s->spool.bytes &&
	    gw_image_reader_at_boundary(&r->image))
		rc = GW_READ_OK;
	else if (rc != GW_READ_FAILED)
		rc = gw_fail(err, GW_SYSTEM, "the spooled round lost bytes after %llu of %llu",
			     (unsigned long long)r->image.offset,
			     (unsigned long long)s->spool.bytes);
	gw_reading_free(r);
	r->in = NULL;
	gw_channel_close(in.ch);
	return rc == GW_READ_OK ? 0 : -1;
}

void gw_round_spool_close(struct gw_round_spool *s)
{
	gw_spool_close(&s->spool);
}
