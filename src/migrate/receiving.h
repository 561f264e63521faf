/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The receiver's part of the protocol up to the end of the stream, which migration and protection
 * share: HELLO, CONFIG, the answer to the static data, the stream.
 */
#ifndef GW_MIGRATE_RECEIVING_H
#define GW_MIGRATE_RECEIVING_H

#include "base/buffer.h"
#include "migrate/frames.h"
#include "migrate/hello.h"
#include "migrate/protocol.h"
#include "migrate/protocol_internal.h"
#include "migrate/sender_clock.h"

/* Called in a stream of checkpoints, like the entries of struct gw_restore_args. */
struct gw_receiving_rounds {
	void *opaque;
	int (*complete)(void *opaque, uint64_t number, struct gw_error *err);
	int (*applied)(void *opaque, uint64_t number, struct gw_error *err);
};

/* The caller zeroes it and sets frames.ch, frames.peer, owner, op and silence_ms. */
struct gw_receiving {
	struct gw_frames frames;
	const struct gw_receiver *owner;
	struct gw_operation *op;
	int silence_ms; /* the limit on the sender's silence */
	struct gw_sender_clock clock;
	struct gw_hello hello;
	struct gw_buffer config; /* the body of CONFIG */
	uint32_t config_flags;
	bool refused;		/* REFUSE was sent: no ERROR follows */
	bool mine_sent;		/* MINE may have been sent */
	bool released;		/* RELEASE came: the sender had MINE */
	bool stopped;		/* STOP came: the sender keeps its domain and wants no copy */
	struct gw_error cause;	/* what a frame between two DATA frames said */
	struct gw_error header; /* the owner's reason against the image's header */
	uint64_t switchover_ns; /* when SWITCHOVER arrived */
	struct gw_running running;
	const struct gw_receiving_rounds *rounds; /* of the stream, while it is read */
};

/* HELLO in both directions, and CONFIG. 0 or -1. The caller frees r->config. */
int gw_receiving_begin(struct gw_receiving *r, struct gw_error *err);
/* Restores the stream, or gives it to the owner's stream(). rounds: it has checkpoints; NULL: it
 * has none. 0 or -1. */
int gw_receiving_stream(struct gw_receiving *r, const struct gw_receiving_rounds *rounds,
			struct gw_restore_result *result, struct gw_error *err);

#endif
