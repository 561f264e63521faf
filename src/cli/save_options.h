/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options that save and migrate share, and the request that carries them.
 */
#ifndef GW_CLI_SAVE_OPTIONS_H
#define GW_CLI_SAVE_OPTIONS_H

#include <jansson.h>

#include "cli/args.h"

#define GW_SAVE_SUSPEND_OPTIONS                                                                    \
	{"suspend-timeout",                                                                        \
	 0,                                                                                        \
	 GW_KIND_NUMBER,                                                                           \
	 "SECONDS",                                                                                \
	 "time for the guest to suspend itself; 10 s unless given",                                \
	 .min = 1,                                                                                 \
	 .max = 3600},                                                                             \
		{"force-pause", 0, GW_KIND_FLAG,                                                   \
		 .help = "pause the guest by force, without asking it to "                         \
			 "suspend itself; only godwit can restore the image"},                     \
	{                                                                                          \
		"allow-loss", 0, GW_KIND_FLAG,                                                     \
			.help = "go on although the device model's state is lost or older than "   \
				"the guest's"                                                      \
	}

#define GW_SAVE_PRECOPY_OPTIONS                                                                    \
	{"downtime",                                                                               \
	 0,                                                                                        \
	 GW_KIND_NUMBER,                                                                           \
	 "MS",                                                                                     \
	 "target downtime: suspend the guest when the remaining pages can be "                     \
	 "sent in MS milliseconds; 300 unless given",                                              \
	 .min = 1,                                                                                 \
	 .max = 3600000},                                                                          \
		{"timeout",                                                                        \
		 0,                                                                                \
		 GW_KIND_NUMBER,                                                                   \
		 "SECONDS",                                                                        \
		 "suspend the guest after SECONDS, however many pages remain",                     \
		 .min = 1,                                                                         \
		 .max = 1000000},                                                                  \
		{"max-rounds",                                                                     \
		 0,                                                                                \
		 GW_KIND_NUMBER,                                                                   \
		 "N",                                                                              \
		 "suspend the guest after N rounds, however many pages remain; 30 unless given",   \
		 .min = 1,                                                                         \
		 .max = 1000000},                                                                  \
	{                                                                                          \
		"bandwidth", 0, GW_KIND_SIZE, "RATE",                                              \
			"limit on bytes per second while the guest runs", .min = 1                 \
	}

#define GW_SAVE_REPORT_OPTION                                                                      \
	{                                                                                          \
		"report", 0, GW_KIND_FILE, "FILE",                                                 \
			"write a JSON report: what was sent, and the time of each stage"           \
	}

/* migrate and receive */
#define GW_SILENCE_OPTION                                                                                \
	{                                                                                                \
		"silence", 0, GW_KIND_NUMBER, "SECONDS",                                                 \
			"give up after SECONDS in which the other side neither sends nor takes a byte; " \
			"30 unless given",                                                               \
			.min = 1, .max = 86400                                                           \
	}

/* A new request of this name with the members that the options set; for the caller to decref. */
json_t *gw_save_options_request(const struct gw_args *args, const char *name, bool live);

#endif
