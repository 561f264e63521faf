/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files of "godwit inspect" share: the work of one run, and the two ways of showing it.
 */
#ifndef GW_CLI_INSPECT_INSPECT_H
#define GW_CLI_INSPECT_INSPECT_H

#include <stdbool.h>

#include "cli/json.h"
#include "cli/verb.h"
#include "vmm/config.h"
#include "examine/summary/summary.h"

struct gw_inspect {
	struct gw_cli *cli;
	const char *file;
	bool json, records;
	/* Only what is asked for: one of those below is set. */
	bool narrowed;
	bool list; /* of records */
	bool one_vcpu, params, policy, memory, page_tables, platform;
	bool pages;    /* what is in them, too */
	uint32_t vcpu; /* if one_vcpu */
	struct gw_json_writer writer;
	struct gw_summary summary;
	struct gw_examination examination;
	struct gw_config config;    /* read from the summary's, as far as it can be */
	struct gw_xend_config xend; /* likewise, if it is xend's */
	bool has_config;	    /* it could be read */
};

/* Behind the walk: everything that was gathered. 0 or -1. */
int gw_inspect_text(struct gw_inspect *inspect, struct gw_error *err);
int gw_inspect_json(struct gw_inspect *inspect, struct gw_error *err);

#endif
