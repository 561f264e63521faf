/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of the walk through a legacy image, shared by walk_legacy.c, which reads its items, and
 * walk_legacy_map.c, which maps them to records of version 3.
 */
#ifndef GW_EXAMINE_WALK_LEGACY_H
#define GW_EXAMINE_WALK_LEGACY_H

#include "channel/spool.h"
#include "examine/walk.h"
#include "format/legacy/delta.h"
#include "format/legacy/map.h"
#include "read/legacy.h"

/* Number and offset of an item, which the records that come of it have, too. */
struct gw_legacy_place {
	uint64_t number, offset;
};

struct gw_walk_legacy {
	struct gw_walk *w;
	struct gw_legacy_reading reading;
	const struct gw_legacy_reader *r; /* of the reading */
	uint64_t errors_before;		  /* this event */
	uint64_t told;			  /* items the sink knows of */
	bool between_rounds;		  /* nothing came since the last tail */
	bool rest_passed;		  /* the device model's record was the rest of the input */

	/* what it becomes */
	struct gw_findings mapped; /* of the image's rules */
	struct gw_image_rules *image_rules;
	struct gw_checkpoints checkpoints;
	bool item_is_bad; /* a rule of the legacy format has said so */
	bool owes_end;	  /* a round is over, its END or CHECKPOINT was not made yet */
	struct gw_legacy_map map;
	struct gw_legacy_place tsc, params, context, shared_info, toolstack, model;
	struct gw_buffer vcpus; /* of struct gw_legacy_vcpu_place, of the round */
	bool has_model;
	uint64_t model_bytes;
	enum gw_legacy_device_model model_kind;
	struct gw_spool model_state; /* if the sink wants it: it comes before its record */
	struct gw_spool held;	     /* pages of a later round */
	bool holds;

	/* compressed pages of the round */
	struct gw_legacy_delta delta;
	uint64_t pages_due, pages_made;
	bool pages_lost; /* what they are is unknown from here on */
	uint8_t page[GW_PAGE_SIZE];
};

/* An image begins: its rules. 0 or -1. */
int gw_walk_legacy_map_begin(struct gw_walk_legacy *l, struct gw_error *err);
/*
 * What this event makes of the image: records that go to the image's rules and the sink at once, or
 * wait for the end of the round. 0; -1 with err: GW_UNSUPPORTED or GW_INVALID if there is no such
 * record, else the walk is over.
 */
int gw_walk_legacy_map(struct gw_walk_legacy *l, enum gw_legacy_event event, struct gw_error *err);
/* The device model's record is there in full, with that many bytes. */
void gw_walk_legacy_map_model(struct gw_walk_legacy *l, uint64_t bytes);
/* Another round begins: the last one gets its CHECKPOINT. */
int gw_walk_legacy_map_round(struct gw_walk_legacy *l, struct gw_error *err);
/* The image is over, or the input: the last whole round gets its END, unless it has it. */
void gw_walk_legacy_map_end(struct gw_walk_legacy *l);
void gw_walk_legacy_map_free(struct gw_walk_legacy *l);

#endif
