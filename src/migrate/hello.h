/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * HELLO, the first frame of each side: its protocol version, its features, the migration's id.
 */
#ifndef GW_MIGRATE_HELLO_H
#define GW_MIGRATE_HELLO_H

#include "migrate/frames.h"
#include "migrate/protocol.h"

#define GW_HELLO_SIZE 48

/* Feature bits (docs/protocol.md). */
#define GW_FEATURE_ALIVE       UINT64_C(1) /* takes ALIVE frames */
#define GW_FEATURE_CHECKPOINTS UINT64_C(4) /* takes a stream of checkpoints */
#define GW_PROTOCOL_FEATURES   (GW_FEATURE_ALIVE | GW_FEATURE_CHECKPOINTS)

struct gw_hello {
	uint32_t version, compat;
	uint64_t features; /* features that the side has */
	uint64_t needs;	   /* features that the other side must have */
	struct gw_migration_id id;
};

/*
 * True if a connection that begins with these bytes (at most 24) can be a godwit's: its first frame
 * is HELLO, or instead ERROR or CANCEL.
 */
bool gw_hello_is_possible(const uint8_t *first, size_t len);

/* Sends this side's HELLO, which needs these features of the peer. Returns 0 or -1. */
int gw_hello_send(struct gw_frames *f, const struct gw_migration_id *id, uint64_t needs,
		  struct gw_error *err);
/*
 * Receives the peer's HELLO and checks that both sides understand each other. Returns 0, or -1:
 * GW_PEER with the peer's text if it sent ERROR instead, GW_REFUSED for an incompatible version or
 * feature, GW_INVALID "no godwit hello" for any other first bytes, at the first wrong one.
 */
int gw_hello_receive(struct gw_frames *f, struct gw_hello *hello, struct gw_error *err);

#endif
