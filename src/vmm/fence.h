/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fencing: a lost sender is made certainly dead before its copy runs.
 */
#ifndef GW_VMM_FENCE_H
#define GW_VMM_FENCE_H

#include "vmm/state.h"

/* Runs the fence command of the process. 0: it says that the other side is dead. */
int gw_fence(struct gw_process *p, const struct gw_cancel *cancel, struct gw_error *err);
/* The takeover window that a process with these arguments needs, in nanoseconds. */
uint64_t gw_fence_window_ns(const struct gw_process_args *args);

#endif
