/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The domain of a process: its creation, its start, its release, and its info as last read.
 */
#ifndef GW_VMM_DOMAIN_H
#define GW_VMM_DOMAIN_H

#include "vmm/state.h"

/* Opens the host unless it is open. 0 or -1. Either thread. */
int gw_process_open_host(struct gw_process *p, struct gw_error *err);
/* Creates the (paused) domain of p->config, on the host, under p->config.name, which it claims
 * unless a name is claimed already. 0, or -1 with everything released. Either thread. */
int gw_process_create_domain(struct gw_process *p, struct gw_error *err);
/* The memory and state of the domain are complete: lets it run, unless the process was asked to
 * leave it paused. 0 or -1. Either thread. */
int gw_process_start_domain(struct gw_process *p, struct gw_error *err);
/* Destroys the domain, closes the host and releases the name; each only if it is there. Either
 * thread. */
void gw_process_release_domain(struct gw_process *p);

/* Reads p->info again, unless an operation uses the domain. Main thread. */
void gw_process_refresh_info(struct gw_process *p);
/* Looks whether the guest has shut down, not to be saved, and ends the process then. True if the
 * process has ended. No operation runs. Main thread. */
bool gw_process_find_end(struct gw_process *p);
/*
 * An operation has failed: true if the domain does not outlive it, because its guest has shut down
 * or somebody destroys it. Then err says that instead of what it said, with the domain's name, and
 * the process ends. Main thread.
 */
bool gw_process_is_gone(struct gw_process *p, struct gw_error *err);

#endif
