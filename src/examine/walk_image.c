/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The walk through an image and the libxl stream around it: what the reading hears is handed to the
 * sink, and every broken rule becomes a finding.
 */
#include <stdlib.h>

#include "base/util.h"
#include "examine/walk.h"

#define PAGES_AT_ONCE 64u
#define BODY_AT_ONCE  16384u

static struct gw_examine_record image_record(const struct gw_walk *w,
					     const struct gw_image_reader *pages)
{
	const struct gw_reading *r = &w->reading;

	return (struct gw_examine_record){
		.layer = GW_LAYER_LIBXC,
		.offset = r->image_offset + r->image.rec.offset,
		.rec = &r->image.rec,
		.pages = pages,
		.checkpoints = &r->checkpoints,
	};
}

static struct gw_examine_record stream_record(const struct gw_walk *w)
{
	const struct gw_reading *r = &w->reading;

	return (struct gw_examine_record){
		.layer = GW_LAYER_LIBXL,
		.offset = r->stream_offset + r->stream.rec.offset,
		.rec = &r->stream.rec,
		.body_head = r->stream.rec.data ? NULL : r->stream.body_head,
		.checkpoints = &r->checkpoints,
	};
}

static void on_record(struct gw_walk *w, struct gw_examine_record record, enum gw_counts counts)
{
	record.counts = counts;
	gw_walk_record(w, &record);
}

static void on_stream_header(struct gw_walk *w)
{
	w->sum->has_stream = true;
	w->sum->stream = w->reading.stream.header;
	if (w->sink->stream)
		w->sink->stream(w->sink->opaque, w->reading.stream_offset, &w->sum->stream);
}

static void on_image_header(struct gw_walk *w)
{
	w->sum->has_image = true;
	w->sum->image = w->reading.image.header;
	if (w->sink->image)
		w->sink->image(w->sink->opaque, w->reading.image_offset, &w->sum->image);
}

static void on_arrived(void *owner, enum gw_read_part part, enum gw_counts counts)
{
	struct gw_walk *w = owner;
	const struct gw_image_reader *pages = &w->reading.image;

	switch (part) {
	case GW_READ_STREAM_HEADER:
		on_stream_header(w);
		break;
	case GW_READ_STREAM_RECORD:
		on_record(w, stream_record(w), counts);
		break;
	case GW_READ_IMAGE_HEADER:
		on_image_header(w);
		break;
	case GW_READ_IMAGE_RECORD:
		on_record(w, image_record(w, NULL), counts);
		break;
	case GW_READ_IMAGE_PAGES:
		w->sum->page_entries += pages->nr_entries;
		w->sum->pages += pages->nr_pages;
		on_record(w, image_record(w, pages), counts);
		break;
	}
}

/* The pages of a record being handed on. */
struct pages {
	uint8_t *room;	   /* for PAGES_AT_ONCE of them */
	size_t have, used; /* of those */
	uint64_t skip;	   /* bytes to be skipped before what is read next */
};

static bool wants(const struct gw_walk *w, uint64_t entry)
{
	unsigned type = gw_page_entry_type(entry);

	return gw_page_has_data(type) &&
	       (!w->sink->wants || w->sink->wants(w->sink->opaque, gw_page_entry_pfn(entry), type));
}

/* The contents from entry i on, as many as are wanted in a row. */
static enum gw_read_result read_run(struct gw_walk *w, struct pages *p, size_t i,
				    struct gw_error *err)
{
	const struct gw_image_reader *r = &w->reading.image;
	enum gw_read_result rc = gw_input_skip(&w->in, p->skip, err);

	p->skip = 0;
	p->have = 1;
	p->used = 0;
	while (++i < r->nr_entries && p->have < PAGES_AT_ONCE) {
		if (wants(w, r->entries[i]))
			p->have++;
		else if (gw_page_has_data(gw_page_entry_type(r->entries[i])))
			break;
	}
	return rc == GW_READ_OK ? gw_input_read(&w->in, p->room, p->have * GW_PAGE_SIZE, err) : rc;
}

/* Hands each entry on, with its contents if they are wanted. */
static enum gw_read_result read_pages(struct gw_walk *w, struct gw_error *err)
{
	const struct gw_image_reader *r = &w->reading.image;
	GW_FREE_ON_EXIT uint8_t *room = malloc((size_t)PAGES_AT_ONCE * GW_PAGE_SIZE);
	struct pages p = {.room = room};

	if (!room) {
		gw_fail_errno(err, "memory for the pages of a record");
		return GW_READ_FAILED;
	}
	for (size_t i = 0; i < r->nr_entries; i++) {
		unsigned type = gw_page_entry_type(r->entries[i]);
		const uint8_t *contents = NULL;

		if (wants(w, r->entries[i])) {
			enum gw_read_result rc =
				p.used == p.have ? read_run(w, &p, i, err) : GW_READ_OK;

			if (rc != GW_READ_OK)
				return rc;
			contents = room + p.used++ * GW_PAGE_SIZE;
		} else if (gw_page_has_data(type)) {
			p.skip += GW_PAGE_SIZE;
		}
		if (w->sink->page(w->sink->opaque, gw_page_entry_pfn(r->entries[i]), type, contents,
				  err) < 0)
			return GW_READ_FAILED;
	}
	return gw_input_skip(&w->in, p.skip, err);
}

static enum gw_read_result on_pages(void *owner, struct gw_error *err)
{
	struct gw_walk *w = owner;
	enum gw_read_result rc = w->sink->page
					 ? read_pages(w, err)
					 : gw_input_skip(&w->in, w->reading.image.data_len, err);

	gw_walk_progress(w, GW_STAGE_READING);
	return rc;
}

/* What is left of a body, handed on or skipped. */
static enum gw_read_result on_body(void *owner, struct gw_error *err)
{
	struct gw_walk *w = owner;
	const struct gw_examine_record record = stream_record(w);
	uint64_t left = w->reading.stream.body_left;
	uint64_t padding = gw_record_padding(record.rec->length);

	gw_walk_progress(w, GW_STAGE_READING);
	if (!w->sink->body || left <= padding)
		return gw_input_skip(&w->in, left, err);
	left -= padding;
	while (left) {
		uint8_t piece[BODY_AT_ONCE];
		size_t n = (size_t)GW_MIN(left, (uint64_t)sizeof(piece));
		enum gw_read_result rc = gw_input_read(&w->in, piece, n, err);

		if (rc != GW_READ_OK)
			return rc;
		if (w->sink->body(w->sink->opaque, &record, piece, n, err) < 0)
			return GW_READ_FAILED;
		left -= n;
	}
	return gw_input_skip(&w->in, padding, err);
}

static const struct gw_read_listener listener = {
	.arrived = on_arrived,
	.image_pages = on_pages,
	.stream_body = on_body,
};

enum gw_walk_outcome gw_walk_image(struct gw_walk *w, enum gw_layer outermost, struct gw_error *err)
{
	struct gw_reading *r = &w->reading;
	enum gw_read_result rc;

	*r = (struct gw_reading){
		.in = &w->in,
		.listener = &listener,
		.owner = w,
		.findings = &w->findings,
		.all_errors = true,
		.kind = GW_IMAGE_ANY,
		.config = w->config,
	};
	rc = outermost == GW_LAYER_LIBXL ? gw_read_stream(r, err) : gw_read_image(r, err);
	if (gw_reading_facts(r))
		w->sum->facts = *gw_reading_facts(r);
	gw_reading_free(r);
	if (rc == GW_READ_FAILED)
		return GW_WALK_FAILED;
	return rc == GW_READ_OK ? GW_WALK_OVER : GW_WALK_LOST;
}
