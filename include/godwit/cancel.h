/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A cancel token: its owner sets it to stop an operation, and every wait of that operation then
 * fails with GW_CANCELLED. A token that is set stays set, so no wake-up is lost.
 */
#ifndef GODWIT_CANCEL_H
#define GODWIT_CANCEL_H

#include <stdbool.h>
#include <godwit/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gw_cancel;

/* Creates a token that is not set. Returns NULL on failure, with the error in err. */
struct gw_cancel *gw_cancel_new(struct gw_error *err);
/* Frees the token. No wait and no channel may use it any more. NULL is allowed. */
void gw_cancel_free(struct gw_cancel *cancel);

/* Sets the token. Async-signal-safe; any thread may call it, and more than once. */
void gw_cancel_set(struct gw_cancel *cancel);

/* Returns true if the token is set. NULL is a token that is never set. */
bool gw_cancel_is_set(const struct gw_cancel *cancel);

/* Returns a descriptor that polls readable once the token is set, or -1 for NULL. The token owns
 * it: do not read or close it. */
int gw_cancel_fd(const struct gw_cancel *cancel);

/*
 * Waits until fd is ready for one of events (POLLIN, POLLOUT), timeout_ms milliseconds have passed,
 * or the token is set. fd -1: no descriptor. timeout_ms -1: no time-out. Returns 1 if fd is ready,
 * 0 after a time-out, or -1 with GW_CANCELLED or GW_SYSTEM in err.
 */
int gw_cancel_wait(const struct gw_cancel *cancel, int fd, short events, int timeout_ms,
		   struct gw_error *err);

#ifdef __cplusplus
}
#endif
#endif
