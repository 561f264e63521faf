/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Progress as JSON: the event of a control socket and of --progress=json (docs/control.md).
 */
#ifndef GW_MIGRATE_PROGRESS_JSON_H
#define GW_MIGRATE_PROGRESS_JSON_H

#include <jansson.h>

#include <godwit/progress.h>

/* An object with the member "event": "progress". What is unknown is null. NULL: out of memory. */
json_t *gw_progress_to_json(const struct gw_progress *p);
/* The progress of such an object; a member that is missing, null or no number is unknown (0). */
struct gw_progress gw_progress_from_json(const json_t *event);

#endif
