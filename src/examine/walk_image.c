/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The walk through a libxc image: its reader says what bytes it wants, its rules judge what came.
 */
#include "examine/walk.h"

#include <stdlib.h>

#include "base/util.h"

#define PAGES_AT_ONCE 64u

static void image_record(struct gw_walk *w, const struct gw_image_reader *pages)
{
	struct gw_examined_record record = {
		.layer = GW_LAYER_LIBXC,
		.offset = w->image_base + w->image.rec.offset,
		.rec = &w->image.rec,
		.pages = pages,
	};

	w->sum->image_records++;
	if (w->sink->record)
		w->sink->record(w->sink->opaque, &record);
}

static void image_header(struct gw_walk *w)
{
	w->sum->has_image = true;
	w->sum->image = w->image.header;
	if (w->sink->image)
		w->sink->image(w->sink->opaque, w->image_base, &w->image.header);
	gw_image_rules_header(w->image_rules, &w->image.header, NULL);
}

/* The pages of a record being handed on. */
struct pages {
	uint8_t *room;	   /* for PAGES_AT_ONCE of them */
	size_t have, used; /* of those */
	uint64_t skip;	   /* bytes to be passed over before what is read next */
};

static bool wants(const struct gw_walk *w, uint64_t entry)
{
	unsigned type = gw_page_entry_type(entry);

	return gw_page_has_data(type) &&
	       (!w->sink->wants || w->sink->wants(w->sink->opaque, gw_page_entry_pfn(entry), type));
}

/* The contents from entry i on, as many as are wanted in a row. 1, 0, -1 as gw_walk_bring(). */
static int bring_pages(struct gw_walk *w, struct pages *p, size_t i, struct gw_error *err)
{
	const struct gw_image_reader *r = &w->image;
	int rc = gw_walk_bring(w, NULL, p->skip, err);

	p->skip = 0;
	p->have = 1;
	p->used = 0;
	while (++i < r->nr_entries && p->have < PAGES_AT_ONCE) {
		if (wants(w, r->entries[i]))
			p->have++;
		else if (gw_page_has_data(gw_page_entry_type(r->entries[i])))
			break;
	}
	return rc == 1 ? gw_walk_bring(w, p->room, p->have * GW_PAGE_SIZE, err) : rc;
}

/* Hands each entry on, with its contents if they are wanted. 1; 0 if the input ends inside; -1. */
static int read_pages(struct gw_walk *w, struct gw_error *err)
{
	const struct gw_image_reader *r = &w->image;
	GW_FREE_ON_EXIT uint8_t *room = malloc((size_t)PAGES_AT_ONCE * GW_PAGE_SIZE);
	struct pages p = {.room = room};

	if (!room)
		return gw_fail_errno(err, "memory for the pages of a record");
	for (size_t i = 0; i < r->nr_entries; i++) {
		unsigned type = gw_page_entry_type(r->entries[i]);
		const uint8_t *contents = NULL;

		if (wants(w, r->entries[i])) {
			int rc = p.used == p.have ? bring_pages(w, &p, i, err) : 1;

			if (rc <= 0)
				return rc;
			contents = room + p.used++ * GW_PAGE_SIZE;
		} else if (gw_page_has_data(type)) {
			p.skip += GW_PAGE_SIZE;
		}
		if (w->sink->page(w->sink->opaque, gw_page_entry_pfn(r->entries[i]), type, contents,
				  err) < 0)
			return -1;
	}
	return gw_walk_bring(w, NULL, p.skip, err);
}

/* A PAGE_DATA: its entries are judged, its pages handed on or passed over. 0 if the input ends
 * inside. */
static int image_pages(struct gw_walk *w, struct gw_error *err)
{
	int rc;

	w->sum->page_entries += w->image.nr_entries;
	w->sum->pages += w->image.nr_pages;
	image_record(w, &w->image);
	gw_image_rules_pages(w->image_rules, &w->image, NULL);
	rc = w->sink->page && w->image.well_formed ? read_pages(w, err)
						   : gw_walk_bring(w, NULL, w->image.data_len, err);
	if (rc == 1)
		gw_image_reader_pages_done(&w->image);
	gw_walk_progress(w, "reading");
	return rc;
}

/* The input ended where the image's reader stands. */
static enum gw_walk_outcome image_cut(struct gw_walk *w)
{
	bool between = gw_image_reader_at_boundary(&w->image);

	gw_image_rules_end(w->image_rules, between && !w->read_some,
			   between || !w->sum->has_image ? NULL : &w->image.rec,
			   w->in->read_pos - w->image_base, NULL);
	return GW_WALK_LOST;
}

/* The reader cannot go on: its text says why, unless the header's rules have said so already. */
static enum gw_walk_outcome image_lost(struct gw_walk *w, const struct gw_error *failure)
{
	const struct gw_image_reader *r = &w->image;
	bool has_record = w->sum->has_image && failure->code == GW_INVALID;

	if (failure->code != GW_UNSUPPORTED)
		gw_image_rules_framing(w->image_rules, has_record ? r->rec.offset : 0,
				       has_record ? &r->rec : NULL, failure->text, NULL);
	return GW_WALK_LOST;
}

static enum gw_walk_outcome image_event(struct gw_walk *w, enum gw_image_event event,
					struct gw_error *err)
{
	int rc;

	switch (event) {
	case GW_IMAGE_HEADER:
		image_header(w);
		break;
	case GW_IMAGE_RECORD:
		image_record(w, NULL);
		gw_image_rules_record(w->image_rules, &w->image.rec, NULL);
		if (w->in_stream && w->image.rec.type == GW_REC_CHECKPOINT)
			return GW_WALK_CHECKPOINT;
		break;
	case GW_IMAGE_PAGES:
		rc = image_pages(w, err);
		if (rc <= 0)
			return rc < 0 ? GW_WALK_FAILED : image_cut(w);
		break;
	default:
		break;
	}
	return GW_WALK_OVER;
}

enum gw_walk_outcome gw_walk_image(struct gw_walk *w, struct gw_error *err)
{
	for (;;) {
		struct gw_error failure = GW_ERROR_INIT;
		enum gw_image_event event;
		enum gw_walk_outcome outcome;
		size_t len;
		void *to;
		int rc;

		if (gw_image_reader_want(&w->image, &to, &len, err) < 0)
			return GW_WALK_FAILED;
		rc = gw_walk_bring(w, to, len, err);
		if (rc <= 0)
			return rc < 0 ? GW_WALK_FAILED : image_cut(w);
		if (gw_image_reader_got(&w->image, &event, &failure) < 0)
			return image_lost(w, &failure);
		if (event == GW_IMAGE_DONE) {
			gw_image_rules_end(w->image_rules, true, NULL, w->image.offset, NULL);
			return GW_WALK_OVER;
		}
		outcome = image_event(w, event, err);
		if (outcome != GW_WALK_OVER)
			return outcome;
	}
}

int gw_walk_image_begin(struct gw_walk *w, enum gw_image_kind kind, struct gw_error *err)
{
	w->image_base = w->in->read_pos;
	w->image_rules = gw_image_rules_new(&w->findings, w->image_base, kind, 0);
	if (!w->image_rules)
		return gw_fail(err, GW_NO_MEMORY, "no memory for the rules of an image");
	gw_image_reader_init(&w->image);
	return 0;
}

void gw_walk_image_end(struct gw_walk *w)
{
	if (!w->image_rules)
		return;
	w->sum->facts = *gw_image_rules_facts(w->image_rules);
	gw_image_rules_free(w->image_rules);
	w->image_rules = NULL;
	gw_image_reader_free(&w->image);
}
