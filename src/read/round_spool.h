/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The spool of a round: an unlinked file that keeps the records since the last complete checkpoint,
 * as an image of its own, until the next one is complete.
 */
#ifndef GW_READ_ROUND_SPOOL_H
#define GW_READ_ROUND_SPOOL_H

#include "channel/spool.h"
#include "read/reading.h"

/* Bytes of a round beside its pages: the state of vCPUs and devices. */
#define GW_ROUND_STATE_MAX (UINT64_C(64) << 20)

/*
 * What a round may have at most. A saver sends a page once in a round, and once more if VERIFY is
 * in it: a page that comes again and again counts each time.
 */
struct gw_round_limits {
	uint64_t pages;	  /* with contents: those that the domain can have */
	uint64_t entries; /* with and without contents: the pfns that it can have */
};

/* Zeroed is closed. */
struct gw_round_spool {
	struct gw_spool spool;
	struct gw_round_limits limits;
	bool verifies;			      /* VERIFY is in the round at hand */
	uint64_t pages, entries, state_bytes; /* of the round at hand */
};

/* A new round begins, in an image with this header; the round before is dropped. 0 or -1. */
int gw_round_spool_begin(struct gw_round_spool *s, const struct gw_image_header *header,
			 const struct gw_round_limits *limits, struct gw_error *err);
/* Keeps a record that is neither PAGE_DATA, CHECKPOINT nor END. 0 or -1; GW_INVALID: the round has
 * more than it may, and the record is not kept. */
int gw_round_spool_record(struct gw_round_spool *s, const struct gw_record *rec,
			  struct gw_error *err);
/* Keeps a well-formed PAGE_DATA; its contents come next in the input. GW_INVALID as above, before
 * any of them is read. */
enum gw_read_result gw_round_spool_pages(struct gw_round_spool *s,
					 const struct gw_image_reader *record, struct gw_input *in,
					 struct gw_error *err);
/*
 * Reads the round from its start. The caller sets only listener and owner of r; r->in is valid
 * until the call returns. The rules have judged everything already. 0 or -1: after a failure a part
 * of the round is applied, so it is never only the end of the input.
 */
int gw_round_spool_replay(struct gw_round_spool *s, struct gw_reading *r, struct gw_error *err);
void gw_round_spool_close(struct gw_round_spool *s);

#endif
