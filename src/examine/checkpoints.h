/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * When what an image says counts: at its END, or, where it has checkpoints, at each of them that is
 * complete. What comes behind the last of those is given up, as a restore does.
 */
#ifndef GW_EXAMINE_CHECKPOINTS_H
#define GW_EXAMINE_CHECKPOINTS_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/log.h>

#include "examine/examine.h"

/* Zeroed before the walk begins. */
struct gw_checkpoints {
	uint64_t complete;
	bool ended;	/* an END of the image was read */
	bool verifying; /* VERIFY was read: the pages to come were sent before */

	/* private */
	bool in_stream, in_checkpoint;
};

enum gw_counts {
	GW_COUNTS_LATER,      /* a part of the round at hand */
	GW_COUNTS_CHECKPOINT, /* all that came so far counts; a new round begins */
	GW_COUNTS_END,	      /* the image is over, without checkpoints: all of it counts */
	GW_COUNTS_NEVER,      /* the image is over and its last round is given up */
};

/* A libxl stream is around the image: checkpoints count with its word. */
void gw_checkpoints_stream(struct gw_checkpoints *c);
/* What this record makes of those before it. */
enum gw_counts gw_checkpoints_record(struct gw_checkpoints *c,
				     const struct gw_examined_record *record);
/* Behind the walk: -1 (GW_TRUNCATED) if nothing counts. */
int gw_checkpoints_over(const struct gw_checkpoints *c, struct gw_error *err);
/*
 * A finding, to who takes an image only as it is: an error refuses it (the first goes into bad, as
 * GW_INVALID), a cut-off round, whose contents are lost, is a warning to log, other broken rules
 * are information.
 */
void gw_checkpoints_finding(const struct gw_finding *finding, const struct gw_log *log,
			    struct gw_error *bad);

#endif
