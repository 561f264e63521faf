/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The command with which the site holds back what a protected guest sends to its network.
 */
#ifndef GW_VMM_OUTPUT_HOOK_H
#define GW_VMM_OUTPUT_HOOK_H

#include "vmm/state.h"

/*
 * plug: the guest is stopped; what it sends from now on belongs to the checkpoint of this number
 * and must not leave. release: what belongs to it may leave. end: everything may, the guest is not
 * protected any more. 0 or -1. command NULL: does nothing.
 */
int gw_output_hook(const struct gw_process *p, const char *command, const char *event,
		   uint64_t number, struct gw_error *err);

#endif
