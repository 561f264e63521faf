/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The receiving side of a protection, for protocol_receive.c.
 */
#ifndef GW_MIGRATE_PROTECT_RECEIVE_H
#define GW_MIGRATE_PROTECT_RECEIVE_H

#include "migrate/receiving.h"

/*
 * Keeps a copy of the sender's domain after CONFIG has asked for it. Returns 0 with DROPPED or
 * MOVED, else -1. Sets *outcome in every case.
 */
int gw_protect_receive(struct gw_receiving *r, struct gw_report *report, enum gw_outcome *outcome,
		       struct gw_error *err);

#endif
