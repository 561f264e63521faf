/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The logs of processes in the background: NAME.log and receive.log in the runtime folder.
 */
#ifndef GW_VMM_LOGS_H
#define GW_VMM_LOGS_H

#include "vmm/runtime.h"

/* How long the log of a domain that ended by itself is kept. */
#define GW_LOG_KEPT_DAYS 7

/* NAME.log of a domain that this process holds the name of, mode 0600: empty, because what an
 * earlier domain of that name left there ends here. A descriptor for the caller to close, or -1. */
int gw_log_open_domain(struct gw_runtime *rt, const char *name, struct gw_error *err);
/* receive.log, which all receivers share, for appending. The same. */
int gw_log_open_receivers(struct gw_runtime *rt, struct gw_error *err);
/* Removes the log of a domain; the caller still holds its name. */
void gw_log_remove(struct gw_runtime *rt, const char *name);
/* Removes the logs of domains that ended more than GW_LOG_KEPT_DAYS ago. */
void gw_logs_remove_old(struct gw_runtime *rt);

#endif
