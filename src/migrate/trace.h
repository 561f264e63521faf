/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A dirty trace: what the live passes of a save measured and what the policy decided, so that it
 * can be decided again without a domain. One JSON object a line: the policy, then the passes
 * (docs/report-json.md).
 */
#ifndef GW_MIGRATE_TRACE_H
#define GW_MIGRATE_TRACE_H

#include <jansson.h>

#include <godwit/channel.h>

#include "migrate/precopy.h"

/* The first line, and the line of a pass whose number counts from 0. NULL: out of memory. */
json_t *gw_trace_policy_json(const struct gw_precopy *policy);
json_t *gw_trace_pass_json(unsigned number, const struct gw_precopy_round *pass,
			   const struct gw_precopy_verdict *verdict);

struct gw_trace {
	struct gw_precopy policy;
	struct gw_precopy_round *passes;
	struct gw_precopy_verdict *verdicts; /* as recorded, one of each pass */
	unsigned n;
};

/* Reads a trace to its end; gw_trace_free() also after a failure. GW_INVALID names the line. */
int gw_trace_read(struct gw_channel *in, struct gw_trace *trace, struct gw_error *err);
void gw_trace_free(struct gw_trace *trace);

/* True if both say the same: what to do and why, and what downtime is expected. */
bool gw_trace_agrees(const struct gw_precopy_verdict *a, const struct gw_precopy_verdict *b);

#endif
