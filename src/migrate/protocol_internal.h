/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What both sides of the protocol share: limits on silence, the toolstack that also publishes an
 * operation's progress, the numbers the receiver sends home.
 */
#ifndef GW_MIGRATE_PROTOCOL_INTERNAL_H
#define GW_MIGRATE_PROTOCOL_INTERNAL_H

#include "migrate/frames.h"
#include "migrate/protocol.h"

/* The default of silence_ms, and what it is multiplied by while memory is sent or put in place. */
#define GW_SILENCE_MS		   30000
#define GW_SILENCE_TRANSFER_FACTOR 10

#define GW_CONFIG_HEAD 8 /* u32 flags, u32 reserved, then the config's text */
#define GW_CONFIG_LIVE UINT32_C(1)

/* Body of RUNNING: where the receiver's part of the downtime went. */
#define GW_RUNNING_SIZE 24
struct gw_running {
	uint64_t receive_ns;	  /* SWITCHOVER to READY, device state not included */
	uint64_t device_state_ns; /* putting it in place */
	uint64_t resume_ns;	  /* RELEASE to running */
};

/* A copy of another toolstack whose progress also goes to op. Zeroed before use. */
struct gw_published_toolstack {
	struct gw_toolstack table;
	const struct gw_toolstack *inner; /* NULL: there is none */
	struct gw_operation *op;
};

/*
 * Fills t; its table can be used as long as t lives. The entries of inner are called with inner's
 * own opaque, and those it lacks are lacking in the table.
 */
void gw_publish_toolstack(struct gw_published_toolstack *t, const struct gw_toolstack *inner,
			  struct gw_operation *op);

#endif
