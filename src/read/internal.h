/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Declarations of the image's loop, for the loop of the stream around it.
 */
#ifndef GW_READ_INTERNAL_H
#define GW_READ_INTERNAL_H

#include "read/reading.h"

/* An image begins at the next byte. 0 or -1. */
int gw_read_image_begin(struct gw_reading *r, struct gw_error *err);
/* Reads on from the present record to END, or to a CHECKPOINT: *at_checkpoint. */
enum gw_read_result gw_read_image_part(struct gw_reading *r, bool *at_checkpoint,
				       struct gw_error *err);

/* The err to pass to the rules: an error is only kept if it ends the reading. */
static inline struct gw_error *gw_read_rules_err(const struct gw_reading *r, struct gw_error *err)
{
	return r->all_errors ? NULL : err;
}

/* Converts the rules' result to that of the reading. */
static inline enum gw_read_result gw_read_judged(const struct gw_reading *r, int rc)
{
	return rc < 0 && !r->all_errors ? GW_READ_FAILED : GW_READ_OK;
}

/* Reports a part that arrived to the listener. Returns how it counts. */
static inline enum gw_counts gw_read_arrived(struct gw_reading *r, enum gw_read_part part,
					     enum gw_counts counts)
{
	if (r->listener->arrived)
		r->listener->arrived(r->owner, part, counts);
	return counts;
}

/* A lost input: without a complete checkpoint that is a failure. */
static inline bool gw_read_is_lost(const struct gw_reading *r, struct gw_error *err)
{
	if (r->in->lost.code == GW_OK || r->checkpoints.complete)
		return false;
	gw_fail(err, r->in->lost.code, "%s", r->in->lost.text);
	return true;
}

#endif
