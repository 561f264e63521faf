/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sends the domain to another godwit over a connection that a client made.
 */
#ifndef GW_VMM_MIGRATE_H
#define GW_VMM_MIGRATE_H

#include "vmm/state.h"

/* 0 if the migration has begun, and s is answered at its end; or -1. */
int gw_migrate_request(struct gw_process *p, struct gw_session *s, const json_t *message,
		       struct gw_error *err);

#endif
