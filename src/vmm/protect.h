/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The request "protect".
 */
#ifndef GW_VMM_PROTECT_H
#define GW_VMM_PROTECT_H

#include "vmm/state.h"

/* Begins to protect the domain for this client. 0, or -1: the caller answers. */
int gw_protect_request(struct gw_process *p, struct gw_session *s, const json_t *message,
		       struct gw_error *err);
/* The domain that was left undecided is claimed here: its output leaves again. */
void gw_protect_let_out(struct gw_process *p);

#endif
