/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The spool of a round: an unlinked file that keeps what came since the last complete checkpoint,
 * as an image of its own, until the next one is complete.
 */
#ifndef GW_READ_ROUND_SPOOL_H
#define GW_READ_ROUND_SPOOL_H

#include "channel/spool.h"
#include "read/reading.h"

/* Zeroed is closed. */
struct gw_round_spool {
	struct gw_spool spool;
};

/* A new round begins, of an image with this header; what was kept is dropped. A round of more than
 * limit bytes is refused (0: none is). 0 or -1. */
int gw_round_spool_begin(struct gw_round_spool *s, const struct gw_image_header *header,
			 uint64_t limit, struct gw_error *err);
/* Keeps a record that is neither PAGE_DATA, CHECKPOINT nor END. 0 or -1. */
int gw_round_spool_record(struct gw_round_spool *s, const struct gw_record *rec,
			  struct gw_error *err);
/* Keeps a well-formed PAGE_DATA; its contents come next in the input. */
enum gw_read_result gw_round_spool_pages(struct gw_round_spool *s,
					 const struct gw_image_reader *record, struct gw_input *in,
					 struct gw_error *err);
/*
 * Reads the round from its start. The caller sets listener and owner of r, and nothing else in it;
 * r->in is valid until the call returns. The rules have seen it all. 0 or -1: whatever fails here
 * leaves a part of the round applied, so it is never a mere end of input.
 */
int gw_round_spool_replay(struct gw_round_spool *s, struct gw_reading *r, struct gw_error *err);
void gw_round_spool_close(struct gw_round_spool *s);

#endif
