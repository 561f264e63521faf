/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A report as others read it: JSON (docs/report-json.md) and a few lines of text. Filling one is
 * the engine's.
 */
#ifndef GW_MIGRATE_REPORT_H
#define GW_MIGRATE_REPORT_H

#include "base/buffer.h"
#include "migrate/engine.h"

/* Appends one JSON object on one line, without a newline. operation: "save", "restore", "migrate",
 * "receive". 0 or -1. */
int gw_report_json(const struct gw_report *report, const char *operation, struct gw_buffer *out,
		   struct gw_error *err);

/* Appends lines for a person: what was moved, in which rounds, where the downtime went. 0 or -1. */
int gw_report_text(const struct gw_report *report, struct gw_buffer *out, struct gw_error *err);

#endif
