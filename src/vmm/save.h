/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Saves the domain to a client's descriptor, in two steps: the image is written and the domain
 * stays suspended; then the client confirms that it keeps the image, and decides the domain's next
 * state. Only the client knows whether the file got its name.
 */
#ifndef GW_VMM_SAVE_H
#define GW_VMM_SAVE_H

#include "vmm/state.h"

/* The first step: 0 if it has begun, and s is answered at its end; or -1. */
int gw_save_request(struct gw_process *p, struct gw_session *s, const json_t *message,
		    struct gw_error *err);
/*
 * The second step. then: the domain's next state, "destroy", "run" or "pause"; p->saver is
 * answered. NULL: the client disconnected without confirming, so the domain is resumed.
 */
void gw_save_conclude(struct gw_process *p, const char *then);

#endif
