/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * When what an image says counts: at its END, or, where it has checkpoints, at each of them that is
 * complete. What comes after the last complete one is provisional, and is given up if no other
 * follows.
 */
#ifndef GW_READ_CHECKPOINTS_H
#define GW_READ_CHECKPOINTS_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

#include "format/rules/rules.h"

/* Zeroed is the beginning of a bare image. */
struct gw_checkpoints {
	bool in_stream; /* a libxl stream is around the image: a checkpoint is complete with its
			   record */
	/* With CHECKPOINT_STATE and not already with CHECKPOINT_END: COLO, of which the caller
	 * knows. */
	bool state_completes;

	/* results */
	uint64_t complete;
	bool in_checkpoint; /* CHECKPOINT was read, the libxl stream has yet to complete it */
	bool ended;	    /* an END of the image was read */
	bool verifying;	    /* VERIFY was read: the pages to come were sent before */
};

enum gw_counts {
	GW_COUNTS_LATER,      /* a part of the current round */
	GW_COUNTS_CHECKPOINT, /* all that came so far counts; a new round begins */
	GW_COUNTS_END,	      /* the image is over, without checkpoints: all of it counts */
	GW_COUNTS_NEVER,      /* the image is over and its last round is given up */
};

/* What a record of the image (GW_LAYER_LIBXC) or of the libxl stream around it makes of those
 * before it. Every record has to come here, PAGE_DATA too. */
enum gw_counts gw_checkpoints_record(struct gw_checkpoints *c, enum gw_layer layer, uint32_t type);
/* After the image: 0, or -1 (GW_TRUNCATED) if nothing of it counts. */
int gw_checkpoints_over(const struct gw_checkpoints *c, struct gw_error *err);

#endif
