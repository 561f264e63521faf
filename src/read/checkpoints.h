/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Decides when the records of an image count: at its END, or, in an image with checkpoints, at each
 * complete checkpoint. Records after the last complete one are provisional, and are dropped if no
 * other checkpoint follows.
 */
#ifndef GW_READ_CHECKPOINTS_H
#define GW_READ_CHECKPOINTS_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

#include "format/rules/rules.h"

/* Zeroed is the start of a bare image. */
struct gw_checkpoints {
	bool in_stream; /* a libxl stream is around the image: its record completes a checkpoint */
	/* CHECKPOINT_STATE completes a checkpoint instead of CHECKPOINT_END: a COLO stream, which
	 * the caller has to detect. */
	bool state_completes;

	/* results */
	uint64_t complete;
	bool in_checkpoint; /* CHECKPOINT was read, and the libxl stream has not completed it yet */
	bool ended;	    /* an END of the image was read */
	bool verifying;	    /* VERIFY was read: the next pages were sent before */
};

enum gw_counts {
	GW_COUNTS_LATER,      /* belongs to the current round */
	GW_COUNTS_CHECKPOINT, /* all that came so far counts; a new round begins */
	GW_COUNTS_END,	      /* the image is over and has no checkpoints: all of it counts */
	GW_COUNTS_NEVER,      /* the image is over, and its last round is dropped */
};

/* The effect of a record, of the image (GW_LAYER_LIBXC) or of the libxl stream around it, on the
 * records before it. Must be called for every record, including PAGE_DATA. */
enum gw_counts gw_checkpoints_record(struct gw_checkpoints *c, enum gw_layer layer, uint32_t type);
/* After the image: 0, or -1 (GW_TRUNCATED) if no part of it counts. */
int gw_checkpoints_over(const struct gw_checkpoints *c, struct gw_error *err);

#endif
