/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A store for the items of a checkpoint round, in an unlinked file. Items between two checkpoints
 * count only when the second is complete. Their contents are opaque here.
 */
#ifndef GW_EXAMINE_ROUNDS_H
#define GW_EXAMINE_ROUNDS_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

#include "channel/spool.h"

/* Zeroed is the first round, which counts as it comes: an image without checkpoints has no other.
 */
struct gw_rounds {
	bool aside; /* what comes now is to be put, not taken */
	struct gw_spool spool;
};

/* Keeps an item of the round at hand; its data may come in two parts. */
int gw_rounds_put(struct gw_rounds *r, uint32_t kind, const void *data, uint32_t len,
		  const void *more, uint32_t more_len, struct gw_error *err);

/* Takes an item that was kept; data is borrowed and aligned for any type. */
typedef int gw_rounds_take_fn(void *opaque, uint32_t kind, const void *data, uint32_t len,
			      struct gw_error *err);

/*
 * A checkpoint is complete: hands on what was kept for it, in the order in which it came, and
 * begins a new round. An item's length is at most what one put had.
 */
int gw_rounds_complete(struct gw_rounds *r, gw_rounds_take_fn *take, void *opaque,
		       struct gw_error *err);

void gw_rounds_free(struct gw_rounds *r);

#endif
