/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The report file of the save helper: one line of JSON for each operation.
 */
#ifndef GW_HELPER_REPORT_FILE_H
#define GW_HELPER_REPORT_FILE_H

#include <godwit/error.h>

#include "migrate/report.h"

/* Appends a report (docs/report-json.md, and "domid") to the file, which is created with mode 0600.
 * 0 or -1. */
int gw_report_file_append(const char *path, const char *operation, uint32_t domid,
			  const struct gw_report *report, struct gw_error *err);

#endif
