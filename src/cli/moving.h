/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options that save and migrate share, and how they become members of a request.
 */
#ifndef GW_CLI_MOVING_H
#define GW_CLI_MOVING_H

#include <jansson.h>

#include "cli/args.h"

#define GW_MOVING_SUSPEND_OPTIONS                                                                  \
	{"suspend-timeout",                                                                        \
	 0,                                                                                        \
	 GW_KIND_NUMBER,                                                                           \
	 "SECONDS",                                                                                \
	 "how long the guest may take to suspend itself; 10 unless given",                         \
	 .min = 1,                                                                                 \
	 .max = 3600},                                                                             \
	{                                                                                          \
		"force-pause", 0, GW_KIND_FLAG,                                                    \
			.help = "do not ask the guest to suspend itself; only godwit can restore " \
				"what is then "                                                    \
				"saved"                                                            \
	}

#define GW_MOVING_PRECOPY_OPTIONS                                                                  \
	{"downtime",                                                                               \
	 0,                                                                                        \
	 GW_KIND_NUMBER,                                                                           \
	 "MS",                                                                                     \
	 "suspend the guest when the rest takes no longer than this; 300 ms unless given",         \
	 .min = 1,                                                                                 \
	 .max = 3600000},                                                                          \
		{"timeout",                                                                        \
		 0,                                                                                \
		 GW_KIND_NUMBER,                                                                   \
		 "SECONDS",                                                                        \
		 "suspend it after this time whatever is left",                                    \
		 .min = 1,                                                                         \
		 .max = 1000000},                                                                  \
		{"max-rounds",                                                                     \
		 0,                                                                                \
		 GW_KIND_NUMBER,                                                                   \
		 "N",                                                                              \
		 "suspend it after this many rounds whatever is left; 30 unless given",            \
		 .min = 1,                                                                         \
		 .max = 1000000},                                                                  \
	{                                                                                          \
		"bandwidth", 0, GW_KIND_SIZE, "RATE",                                              \
			"bytes a second while the guest runs, at most", .min = 1                   \
	}

#define GW_MOVING_REPORT_OPTION                                                                    \
	{                                                                                          \
		"report", 0, GW_KIND_FILE, "FILE",                                                 \
			"write what was moved and where the time went, as JSON"                    \
	}

/* The request with what these options say. */
json_t *gw_moving_request(const struct gw_args *args, const char *name, bool live);

#endif
