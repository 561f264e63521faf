/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A cancel token: one owner asks an operation to stop, every wait of that
 * operation notices. Once set it stays set, so no wake-up is lost.
 */
#ifndef GODWIT_CANCEL_H
#define GODWIT_CANCEL_H

#include <stdbool.h>
#include <godwit/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gw_cancel;

/* A new token, not set; NULL with err set. Freed by its owner once nothing waits with it. */
struct gw_cancel *gw_cancel_new(struct gw_error *err);
void gw_cancel_free(struct gw_cancel *cancel);

/* Asks to stop. Async-signal-safe, callable from any thread, more than once. */
void gw_cancel_set(struct gw_cancel *cancel);

/* NULL is a token that is never set. */
bool gw_cancel_is_set(const struct gw_cancel *cancel);

/* A descriptor that polls readable from the moment the token is set; -1 for NULL. Not to be read or
 * closed. */
int gw_cancel_fd(const struct gw_cancel *cancel);

/*
 * Waits until fd (-1: none) is ready for one of events (POLLIN, POLLOUT), timeout_ms passed (-1:
 * never), or the token is set. Returns 1 ready, 0 timed out, -1 with GW_CANCELLED or GW_SYSTEM in
 * err.
 */
int gw_cancel_wait(const struct gw_cancel *cancel, int fd, short events, int timeout_ms,
		   struct gw_error *err);

#ifdef __cplusplus
}
#endif
#endif
