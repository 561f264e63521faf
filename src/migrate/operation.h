/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operations: functions that run in a thread of their own, with progress and cancel.
 */
#ifndef GW_MIGRATE_OPERATION_H
#define GW_MIGRATE_OPERATION_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/cancel.h>
#include <godwit/error.h>
#include <godwit/toolstack.h>

/*
 * An operation: a function that runs in a thread of its own, with progress and cancel. Start, poll
 * (its fd is readable when it is over), progress, cancel, wait.
 */
struct gw_operation;
typedef int (*gw_operation_fn)(void *opaque, struct gw_operation *op, struct gw_error *err);
struct gw_operation *gw_operation_start(const char *name, gw_operation_fn fn, void *opaque,
					struct gw_error *err);
int gw_operation_fd(const struct gw_operation *op);
/* The progress that fn published last, with the rate as it is now. */
void gw_operation_progress(struct gw_operation *op, struct gw_progress *progress);
/* For fn: publishes progress. */
void gw_operation_set_progress(struct gw_operation *op, const struct gw_progress *progress);
const struct gw_cancel *gw_operation_cancel_token(struct gw_operation *op);
/* 0: the cancel is requested; -1 with GW_TOO_LATE inside the commit window. */
int gw_operation_cancel(struct gw_operation *op, struct gw_error *err);
/* For fn. open: from now on a cancel fails as too late; not open: it can be requested again. -1
 * with GW_CANCELLED if it was requested before. */
int gw_operation_commit_window(struct gw_operation *op, bool open, struct gw_error *err);
/* Waits for the end, frees op, returns what fn returned. */
int gw_operation_wait(struct gw_operation *op, struct gw_error *err);

#endif
