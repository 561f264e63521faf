/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bytes of an image that will be looked at when all of it was read. In a file that can be sought in
 * they stay where they are; of anything else they are put into an unlinked file. Either way a
 * number says where they are. What bytes they are is not known here.
 */
#ifndef GW_EXAMINE_PAGE_STORE_H
#define GW_EXAMINE_PAGE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/channel.h>

#include "channel/spool.h"

/* Zeroed, then gw_kept_begin. */
struct gw_kept {
	const struct gw_channel *in; /* borrowed */
	bool by_place;		     /* places are offsets of the input: nothing is to be put */
	struct gw_spool file;
	uint64_t end;	      /* of what was given a place there */
	struct gw_buffer run; /* what is not written yet, from run_at on */
	uint64_t run_at;
	char what[120]; /* for messages */
};

int gw_kept_begin(struct gw_kept *kept, const struct gw_channel *in, struct gw_error *err);
/* Room for len bytes behind all others; what is not put there reads as zeros. */
uint64_t gw_kept_reserve(struct gw_kept *kept, uint64_t len);
/* Puts bytes in room that was reserved, also over others. */
int gw_kept_put(struct gw_kept *kept, uint64_t place, const void *data, size_t len,
		struct gw_error *err);
/* Nothing more is put; from now on it can be read. */
int gw_kept_finish(struct gw_kept *kept, struct gw_error *err);
/* GW_CANCELLED if the input's token is set. */
int gw_kept_read(const struct gw_kept *kept, uint64_t place, void *buf, size_t len,
		 struct gw_error *err);
void gw_kept_free(struct gw_kept *kept);

#endif
