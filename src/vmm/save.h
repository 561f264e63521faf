/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Saving the domain into a client's descriptor, in two steps: the image is written and the domain
 * stays suspended; then the client confirms that it keeps the image, and says what becomes of the
 * domain. Only the client knows whether the file got its name.
 */
#ifndef GW_VMM_SAVE_H
#define GW_VMM_SAVE_H

#include "vmm/state.h"

/* The first step: 0 if it has begun, and s is answered at its end; or -1. */
int gw_save_request(struct gw_process *p, struct gw_session *s, const json_t *message,
		    struct gw_error *err);
/*
 * The second step. then: what becomes of the domain, "destroy", "run" or "pause"; p->saver is
 * answered. NULL: the client went away without confirming, so the domain is resumed.
 */
void gw_save_conclude(struct gw_process *p, const char *then);

#endif
