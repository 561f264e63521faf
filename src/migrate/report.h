/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The report of an operation: the data moved and the time spent. Save and restore fill it; here it
 * is formatted as JSON (docs/report-json.md) and as a few lines of text.
 */
#ifndef GW_MIGRATE_REPORT_H
#define GW_MIGRATE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>

#include "base/buffer.h"
#include "migrate/precopy.h"

/*
 * The result of a save or a restore: the data moved, and the downtime by stage (in ns). Filled
 * during the operation, so it is valid after a failure as well.
 */
struct gw_report {
	/* save */
	unsigned rounds;	  /* memory passes, the final one included */
	uint64_t round_pages[64]; /* pages with data of each round (the last entry sums the rest) */
	uint64_t round_ns[64];
	uint64_t pages; /* with data, including pages sent again */
	uint64_t bytes; /* of the stream */
	uint64_t total_ns;
	enum gw_stop_reason stopped_by;
	/* downtime, by stage */
	uint64_t pause_ns, final_round_ns, device_state_ns, transfer_ns, resume_ns;
	uint64_t downtime_ns;	       /* sum, as this side sees it */
	uint64_t expected_downtime_ns; /* the policy's estimate when it stopped */
	uint64_t target_downtime_ns;   /* the policy's upper bound; 0: the save was not live */
	unsigned throttle;	       /* the most that the vCPUs were slowed, in percent */
};

/* True if the downtime was longer than the target of a live save. */
bool gw_report_missed(const struct gw_report *report);

/* Appends one JSON object on one line, without a newline. operation: "save", "restore", "migrate",
 * "receive". 0 or -1. */
int gw_report_json(const struct gw_report *report, const char *operation, struct gw_buffer *out,
		   struct gw_error *err);

/* Appends a few lines for a person: data moved, rounds, downtime. 0 or -1. */
int gw_report_text(const struct gw_report *report, struct gw_buffer *out, struct gw_error *err);

#endif
