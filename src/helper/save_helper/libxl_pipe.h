/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The two pipes to libxl. The helper writes messages: u16 length, u16 number, fields without
 * padding, all of the machine's byte order. To some of them libxl answers with an int32. The
 * numbers, fields and answers are those of tools/libs/light/libxl_save_msgs_gen.pl in Xen 4.14 and
 * later.
 */
#ifndef GW_HELPER_LIBXL_PIPE_H
#define GW_HELPER_LIBXL_PIPE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/cancel.h>
#include <godwit/error.h>
#include <godwit/log.h>

enum gw_libxl_message {
	GW_LIBXL_LOG = 1,
	GW_LIBXL_PROGRESS = 2,
	GW_LIBXL_SUSPEND = 3,
	GW_LIBXL_POSTCOPY = 4,
	GW_LIBXL_CHECKPOINT = 5,
	GW_LIBXL_WAIT_CHECKPOINT = 6,
	GW_LIBXL_SWITCH_LOGDIRTY = 7,
	GW_LIBXL_STATIC_DATA_DONE = 8,
	GW_LIBXL_RESTORE_RESULTS = 9,
	GW_LIBXL_COMPLETE = 10,
};

/* Levels of LOG: xentoollog_level. */
enum gw_libxl_level {
	GW_LIBXL_DEBUG = 1,
	GW_LIBXL_INFO = 5,
	GW_LIBXL_WARN = 7,
	GW_LIBXL_ERROR = 8,
};

/* Longer than the 10 s that libxl gives a device model to answer. Its other waits end with the
 * cancel. */
#define GW_LIBXL_GRACE_MS 15000

struct gw_libxl_pipe {
	int in, out;		  /* borrowed */
	struct gw_cancel *cancel; /* borrowed; set when libxl is gone, too */
	atomic_bool gone;	  /* libxl has closed its ends */
	uint64_t grace_ms;	  /* that libxl has for all it still has to do after a cancel */
	uint64_t grace_end_ms;	  /* 0: there was no cancel */
	/*
	 * An answer is still to come although nobody waits for it any more. Answers have no number,
	 * so the next one could be taken for it: messages are sent, and count as answered with
	 * "no".
	 */
	bool answer_owed;
	pthread_t watcher;
	bool watched;
	struct gw_cancel *stop; /* ends the watcher */
};

/*
 * Begins to talk over in and out, and to watch: once libxl has closed its end of in, cancel is set.
 * SIGPIPE must be ignored. 0 or -1.
 */
int gw_libxl_pipe_init(struct gw_libxl_pipe *pipe, int in, int out, struct gw_cancel *cancel,
		       struct gw_error *err);
/* Ends the watch. The descriptors stay open. */
void gw_libxl_pipe_fini(struct gw_libxl_pipe *pipe);

/* LOG. A text that is too long loses its end. errnum -1: none. */
void gw_libxl_log(struct gw_libxl_pipe *pipe, enum gw_libxl_level level, int errnum,
		  const char *context, const char *text);
/* PROGRESS. total 0: a stage began. */
void gw_libxl_progress(struct gw_libxl_pipe *pipe, const char *what, uint64_t done, uint64_t total);
/* RESTORE_RESULTS. */
void gw_libxl_restore_results(struct gw_libxl_pipe *pipe, uint64_t store_gfn, uint64_t console_gfn);

/*
 * Sends one of the messages that libxl answers, with n 32-bit fields, and waits for the answer. -1:
 * GW_PEER if libxl is gone or has broken the protocol; GW_CANCELLED if cancel is set, before or
 * while it waits. libxl has aborted its own part as well then, and answers within its grace:
 * *answer is set if it did.
 */
int gw_libxl_ask(struct gw_libxl_pipe *pipe, enum gw_libxl_message message, size_t n,
		 const uint32_t *fields, int32_t *answer, struct gw_error *err);
/* The same for a message of the cleanup, which is sent after a cancel, too. GW_CANCELLED: libxl has
 * not answered within its grace. */
int gw_libxl_ask_finally(struct gw_libxl_pipe *pipe, enum gw_libxl_message message, size_t n,
			 const uint32_t *fields, int32_t *answer, struct gw_error *err);

#endif
