/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A legacy image on its way to version 3: what the files of that way share. legacy.c goes through
 * its items, legacy_pages.c carries pages, legacy_base.c has those that differences build on,
 * legacy_judge.c holds what it becomes against the rules of the image.
 */
#ifndef GW_CONVERT_LEGACY_H
#define GW_CONVERT_LEGACY_H

#include <godwit/guest.h>

#include "convert/conversion.h"
#include "format/legacy/delta.h"
#include "format/legacy/map.h"
#include "read/legacy.h"

struct gw_conv_legacy {
	struct gw_conv *c;
	struct gw_legacy_reading reading;
	const struct gw_legacy_reader *r; /* of the reading */
	struct gw_image_rules *mapped;	  /* of what it becomes */
	uint64_t result;		  /* where what it becomes begins in the output */
	struct gw_legacy_map map;
	bool has_tsc; /* one came: before the first batch it says that nothing was live */
	bool reported_tmem;

	/* of the last complete round: records after the pages, the body of xenstore data */
	struct gw_buffer tail, xenstore;
	bool said_that_it_waits; /* for the end of a device model's record without a length */
	bool model_put;		 /* all of it was written, the device model's state too */

	/* Pages of the first round: BASE_READY, or kept before that is needed, they are in
	 * c->pages. */
	enum {
		BASE_UNDECIDED,
		BASE_KEPT,
		BASE_IN_INPUT,
		BASE_IN_OUTPUT,
		BASE_LOST,
		BASE_READY
	} base_state;
	struct gw_error base_failure; /* why it is lost, if something failed */
	struct gw_tee tee;
	struct gw_channel *back; /* the output again, for BASE_IN_OUTPUT */

	/* Compressed rounds. */
	struct gw_buffer due; /* entries whose contents have not come yet, from due_at on */
	size_t due_at;
	struct gw_legacy_delta delta;
	bool in_page; /* page holds a part of what the first that is due becomes */
	uint8_t page[GW_PAGE_SIZE];
};

/* legacy_pages.c: GW_LEGACY_PAGES, GW_LEGACY_COMPRESSED. */
enum gw_read_result gw_conv_legacy_pages(struct gw_conv_legacy *l, struct gw_error *err);
enum gw_read_result gw_conv_legacy_compressed(struct gw_conv_legacy *l, struct gw_error *err);
/* Entries without contents, of pfns without memory. 0 or -1. */
int gw_conv_legacy_unmapped(struct gw_conv_legacy *l, struct gw_error *err);
/* The body of a round is over: every page has come. 0 or -1. */
int gw_conv_legacy_body_end(struct gw_conv_legacy *l, struct gw_error *err);

/* legacy_base.c */

/* Before the first batch: where the pages of the first round can be had later, or whether they are
 * kept as they pass. */
void gw_conv_legacy_base_decide(struct gw_conv_legacy *l);
/* Contents of n pages from pfn on, in the first round: they are moved to the output, and kept. That
 * they could not be kept is no failure yet. */
enum gw_read_result gw_conv_legacy_base_keep(struct gw_conv_legacy *l, uint64_t pfn, size_t n,
					     struct gw_error *err);
/* The first round is over and another follows: what is kept without need is given up. */
void gw_conv_legacy_base_round(struct gw_conv_legacy *l);
/* A compressed page comes: sees to it that what it builds on is in c->pages. 0 or -1. */
int gw_conv_legacy_base_need(struct gw_conv_legacy *l, struct gw_error *err);
void gw_conv_legacy_base_free(struct gw_conv_legacy *l);

/* legacy_judge.c: 0 or -1, as gw_image_rules_...(). */

int gw_conv_legacy_judge_begin(struct gw_conv_legacy *l, const struct gw_buffer *header,
			       struct gw_error *err);
int gw_conv_legacy_judge_pages(struct gw_conv_legacy *l, const uint64_t *entries, size_t n,
			       size_t nr_pages, struct gw_error *err);
/* A record without body. */
int gw_conv_legacy_judge(struct gw_conv_legacy *l, uint32_t type, struct gw_error *err);
/* All records of a buffer from offset at on. */
int gw_conv_legacy_judge_records(struct gw_conv_legacy *l, const struct gw_buffer *records,
				 size_t at, struct gw_error *err);

#endif
