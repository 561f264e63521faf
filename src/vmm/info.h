/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The description of a domain: the reply to the request "info", which list shows.
 */
#ifndef GW_VMM_INFO_H
#define GW_VMM_INFO_H

#include <jansson.h>

#include "vmm/state.h"

/* The members of the reply; the caller's reference. Main thread. */
json_t *gw_process_info(struct gw_process *p);

/* The operation in progress, for the reply to the request "job"; null if there is none. The
 * caller's reference. Main thread. */
json_t *gw_process_job(struct gw_process *p);

#endif
