/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sender's part of the protocol up to ACCEPT, which migration and protection share: HELLO,
 * CONFIG, the static data and the receiver's answer to it.
 */
#ifndef GW_MIGRATE_OFFERING_H
#define GW_MIGRATE_OFFERING_H

#include "migrate/frames.h"
#include "migrate/operation.h"
#include "migrate/protocol.h"

/* The caller zeroes it and sets frames.ch, frames.peer, op and silence_ms. */
struct gw_offering {
	struct gw_frames frames;
	struct gw_operation *op; /* gets the progress of a wait; NULL: none */
	int silence_ms;		 /* the limit on the receiver's silence */
	int alive_ms;		 /* how often ALIVE is sent; 0: three times in silence_ms */
	uint64_t round_trip_ns;	 /* result: the shortest time that the receiver took to answer */
};

/* HELLO in both directions, and CONFIG with these flags. needs: features that the receiver must
 * have, in words for the error. 0 or -1. */
int gw_offering_begin(struct gw_offering *o, const struct gw_migration_offer *offer, uint64_t needs,
		      const char *needs_words, uint32_t config_flags, struct gw_error *err);
/* The static data is on the channel: STATIC_END. Waits for ACCEPT; GW_REFUSED with the reasons of
 * REFUSE. 0 or -1. */
int gw_offering_end(struct gw_offering *o, struct gw_error *err);

#endif
