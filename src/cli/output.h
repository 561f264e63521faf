/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The output on stderr: errors, log messages of the library, and the progress of long work. Results
 * go to stdout with stdio; gw_output_finish detects failed writes.
 */
#ifndef GW_CLI_OUTPUT_H
#define GW_CLI_OUTPUT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <godwit/error.h>
#include <godwit/log.h>
#include <godwit/progress.h>

enum gw_progress_mode {
	GW_PROGRESS_AUTO,  /* a line on a terminal, else nothing */
	GW_PROGRESS_NEVER, /* nothing */
	GW_PROGRESS_JSON,  /* an object a line */
};

struct gw_output {
	const char *verb;  /* for "godwit: VERB: "; NULL: none yet */
	struct gw_log log; /* shows messages up to a level */
	enum gw_progress_mode mode;
	bool terminal;	   /* stderr is one */
	char subject[256]; /* of a log: gw_output_to_log() */
	char peer[128];	   /* gw_output_peer(); empty: none */

	/* private */
	pthread_mutex_t lock;
	bool line_shown;
	uint64_t last_ns;	/* when progress was last shown */
	struct gw_limit *limit; /* gw_output_limit(); NULL: none */
	uint64_t left_out_ns;	/* when gw_output_left_out() last looked */
	unsigned last_round;
	enum gw_stage last_stage;
};

void gw_output_init(struct gw_output *out);
/* Sets the shown messages: errors and warnings; with quiet errors only; with each verbose one level
 * more. */
void gw_output_set(struct gw_output *out, enum gw_progress_mode mode, bool quiet, unsigned verbose);

/*
 * Text that may come from a stream, a peer or a file's name, made visible (base/visible.h). No
 * newline is added.
 */
void gw_print_safe(FILE *to, const char *text);

/* "godwit: VERB: text" on a line of its own. Any thread. */
void gw_output_error(struct gw_output *out, const char *text);

/* From now on stderr is a log: each line begins with the time (UTC) and the subject, such as the
 * domain and its peer. No progress is shown. */
void gw_output_to_log(struct gw_output *out, const char *fmt, ...) GW_PRINTF(2, 3);

/* From now on each line is one about this peer, and names it; NULL: no more. */
void gw_output_peer(struct gw_output *out, const char *peer);
/* Limits the lines about peers from now on, in this process and its children (limit.h). 0 or -1. */
int gw_output_limit(struct gw_output *out, struct gw_error *err);
/* Writes how many lines about peers were left out, if any were; at most once a second. */
void gw_output_left_out(struct gw_output *out);

/*
 * Shows progress: at most a few times a second within a stage and round, so callers may call as
 * often as they like. It has the shape of gw_toolstack's entry; opaque is the gw_output.
 */
void gw_output_progress(void *opaque, const struct gw_progress *progress);

/* Erases the progress line, if one is shown: before results are printed while an operation runs,
 * and at its end. */
void gw_output_erase(struct gw_output *out);

/* Flushes stdout. -1 (GW_SYSTEM) if any of the results could not be written. */
int gw_output_finish(struct gw_output *out, struct gw_error *err);

#endif
