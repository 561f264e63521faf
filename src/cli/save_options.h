/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Options that save and migrate share, and the request that carries them.
 */
#ifndef GW_CLI_SAVE_OPTIONS_H
#define GW_CLI_SAVE_OPTIONS_H

#include <jansson.h>

#include "cli/args.h"
#include "cli/verb.h"

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
	 "upper bound of the downtime: suspend the guest when the remaining pages, its "           \
	 "state and the receiver's part are expected to take MS milliseconds at most; 300 "        \
	 "unless given",                                                                           \
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
		{"bandwidth",                                                                      \
		 0,                                                                                \
		 GW_KIND_SIZE,                                                                     \
		 "RATE",                                                                           \
		 "limit on bytes per second while the guest runs, 16K at least",                   \
		 .min = 16 << 10},                                                                 \
		{"on-stall", 0, GW_KIND_CHOICE, .choices = "switch|abort|throttle",                \
		 .help = "when further rounds bring the target no nearer: suspend the guest "      \
			 "all the same (switch, the default), give up (abort), or slow its "       \
			 "vCPUs step by step (throttle)"},                                         \
	{                                                                                          \
		"trace", 0, GW_KIND_FILE, "FILE",                                                  \
			"write what each round measured and what was decided, for "                \
			"godwit-policy(1)"                                                         \
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

/* The events of a save or migration: progress, and the trace if it was asked for. */
struct gw_save_events {
	struct gw_cli *cli;
	struct gw_channel *trace; /* NULL: none */
	struct gw_error err;	  /* the first failure of writing it */
};

/* Opens the file of --trace. 0 or -1; gw_save_events_end() in both cases. */
int gw_save_events_begin(struct gw_save_events *events, struct gw_cli *cli,
			 const struct gw_args *args, struct gw_error *err);
/* gw_client_event_fn; opaque is the struct. */
void gw_save_event(void *opaque, const json_t *event);
/* Completes the trace, also that of an operation that failed. A trace that cannot be written is
 * only a warning, because the operation is over. */
void gw_save_events_end(struct gw_save_events *events);

/* A warning on the terminal if the report of a live operation says that the target was missed. */
void gw_save_warn_missed(struct gw_cli *cli, const json_t *report);

#endif
