/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The requests of clients of the control socket (docs/control.md).
 */
#ifndef GW_VMM_REQUEST_H
#define GW_VMM_REQUEST_H

#include <jansson.h>

#include "vmm/state.h"

/* Carries out the message of s, and answers s at once or when it is done. Main thread. */
void gw_request(struct gw_process *p, struct gw_session *s, const json_t *message);
/* s goes away: the operation that it requested is cancelled, and an image that it has not confirmed
 * is dropped. Main thread. */
void gw_request_abandon(struct gw_process *p, struct gw_session *s);

#endif
