/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The first frame of either side: what it speaks, what it can do, which migration it is about.
 */
#ifndef GW_MIGRATE_HELLO_H
#define GW_MIGRATE_HELLO_H

#include "migrate/frames.h"
#include "migrate/protocol.h"

#define GW_HELLO_SIZE 48

/* Feature bits: none are defined yet (docs/protocol.md, "What is to come"). */
#define GW_PROTOCOL_FEATURES UINT64_C(0)

struct gw_hello {
	uint32_t version, compat;
	uint64_t features; /* what it can do */
	uint64_t needs;	   /* what the other side must be able to do */
	struct gw_migration_id id;
};

/*
 * True if a connection that begins with these bytes (at most 24) can be a godwit's: its first frame
 * is HELLO, or ERROR or CANCEL in its place.
 */
bool gw_hello_is_possible(const uint8_t *first, size_t len);

int gw_hello_send(struct gw_frames *f, const struct gw_migration_id *id, struct gw_error *err);
/*
 * Takes the peer's HELLO and checks that both understand each other. Whatever else comes first is
 * GW_INVALID "no godwit hello", noticed at the first byte that is wrong; a peer that says ERROR
 * instead is GW_PEER with its text; one that is too new is GW_REFUSED.
 */
int gw_hello_receive(struct gw_frames *f, struct gw_hello *hello, struct gw_error *err);

#endif
