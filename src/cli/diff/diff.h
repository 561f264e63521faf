/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of one run of "godwit diff", and its two output forms, shared by its files.
 */
#ifndef GW_CLI_DIFF_DIFF_H
#define GW_CLI_DIFF_DIFF_H

#include <stdbool.h>

#include "cli/json.h"
#include "cli/verb.h"
#include "examine/describe.h"
#include "examine/diff/diff.h"

struct gw_diff_run {
	struct gw_cli *cli;
	const char *file_a, *file_b;
	bool json, all, details;
	uint64_t runs; /* of pages, so far */
	struct gw_json_writer writer;
	enum { GW_DIFF_HEAD, GW_DIFF_DIFFERENCES, GW_DIFF_PAGES, GW_DIFF_TAIL } stage; /* JSON */
};

/* A sink each, without opaque, and the end. */
extern const struct gw_diff_sink gw_diff_text, gw_diff_json;

void gw_diff_text_end(const struct gw_diff_run *run, const struct gw_comparison *found);
/* Called before and after the comparison; failure is NULL if it completed. */
void gw_diff_json_begin(struct gw_diff_run *run);
void gw_diff_json_end(struct gw_diff_run *run, const struct gw_comparison *found,
		      const char *failure);

/* "normal", "L1", ...; "reserved" for a page type without a name. */
static inline const char *gw_diff_type_name(unsigned type)
{
	const char *name = gw_page_type_name(type);

	return name ? name : "reserved";
}

#endif
