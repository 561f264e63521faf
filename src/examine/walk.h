/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files of the walk share: its state, and the bytes it takes from the input. Users of a
 * walk see examine.h.
 */
#ifndef GW_EXAMINE_WALK_H
#define GW_EXAMINE_WALK_H

#include "examine/examine.h"

/* How a part of the walk ended. */
enum gw_walk_outcome {
	GW_WALK_FAILED = -1, /* the walk cannot go on at all: err is set */
	GW_WALK_OVER,	     /* this layer is through */
	GW_WALK_CHECKPOINT,  /* the image gives way to the libxl layer until its CHECKPOINT_END */
	GW_WALK_LOST,	     /* the input ended, or where the next record begins is unknown */
};

struct gw_walk {
	struct gw_channel *in;
	const struct gw_examine_sink *sink;
	struct gw_examined *sum;
	struct gw_findings findings;

	struct gw_stream_reader stream;
	struct gw_stream_rules *stream_rules;
	uint64_t stream_base; /* where that layer begins in the input */
	bool in_stream;
	bool pvh;	       /* says the config in the xl header */
	bool announces_legacy; /* the header in front does */

	struct gw_image_reader image;
	struct gw_image_rules *image_rules;
	uint64_t image_base;

	bool damaged;	/* reported */
	bool read_some; /* the last gw_walk_bring() consumed something although it failed */
	uint64_t started_ns;
};

/* gw_findings.report: counts a finding and hands it on. */
void gw_walk_finding(void *walk, const struct gw_finding *finding);
void gw_walk_progress(struct gw_walk *w, const char *stage);

/*
 * A failed read. What the bytes are to blame for is a finding and the input counts as ended;
 * what the system or the owner did ends the walk. 0 or -1.
 */
int gw_walk_judge_read(struct gw_walk *w, const struct gw_error *failure, struct gw_error *err);
/* Brings len bytes (to NULL: passes over them). 1 done; 0 the input ended before them or inside;
 * -1. */
int gw_walk_bring(struct gw_walk *w, void *to, uint64_t len, struct gw_error *err);
/* The first bytes to come, as many as there are up to len; they stay unread. -1. */
ssize_t gw_walk_peek(struct gw_walk *w, uint8_t *buf, size_t len, struct gw_error *err);

/* An image begins here. 0 or -1. */
int gw_walk_image_begin(struct gw_walk *w, enum gw_image_kind kind, struct gw_error *err);
/* From where the image's reader stands to its END, its CHECKPOINT (inside a libxl stream), or as
 * far as it goes. */
enum gw_walk_outcome gw_walk_image(struct gw_walk *w, struct gw_error *err);
/* Keeps what was learned of it. No harm if none began. */
void gw_walk_image_end(struct gw_walk *w);

/* A legacy image that begins here, to its end or as far as it goes. */
enum gw_walk_outcome gw_walk_legacy(struct gw_walk *w, struct gw_error *err);

/* A libxl stream that begins here, with the image in it. */
enum gw_walk_outcome gw_walk_stream(struct gw_walk *w, struct gw_error *err);

#endif
