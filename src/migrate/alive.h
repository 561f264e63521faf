/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ALIVE frames: a side that works without a byte to send still shows its peer that it is there. So
 * one limit on silence holds in every stage of a migration.
 */
#ifndef GW_MIGRATE_ALIVE_H
#define GW_MIGRATE_ALIVE_H

#include <godwit/error.h>

struct gw_frames;
struct gw_alive;

/*
 * Starts a thread that sends ALIVE on f whenever nothing was sent for every_ms. From then on writes
 * of frames exclude each other. Returns NULL with err; f is then unchanged.
 */
struct gw_alive *gw_alive_start(struct gw_frames *f, int every_ms, struct gw_error *err);
/* Ends the thread: no ALIVE is under way after that. NULL is allowed. */
void gw_alive_stop(struct gw_alive *alive);

#endif
