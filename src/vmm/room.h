/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Room for a domain on this host: every way to a new domain asks for it here, before the domain
 * exists.
 */
#ifndef GW_VMM_ROOM_H
#define GW_VMM_ROOM_H

#include "vmm/state.h"

/*
 * The preflight of p->config on p's host, with this CPU policy (NULL: nothing is known of it). The
 * memory is reserved when it passes, until gw_process_release_domain(). Of simultaneous claims
 * exactly those that fit are accepted. -1 with GW_REFUSED and all reasons. Either thread.
 */
int gw_room_take(struct gw_process *p, const struct gw_policy *policy, struct gw_error *err);

/*
 * The same for a domain whose size is not known before all of it has come: p->config gets as much
 * as there is room for, and gw_room_resize() sets the size in the end.
 */
int gw_room_take_rest(struct gw_process *p, enum gw_guest_type type, struct gw_error *err);
int gw_room_resize(struct gw_process *p, struct gw_error *err);

#endif
