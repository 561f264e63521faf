/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes to a pipe that may have no reader, without a change of the process's SIGPIPE handling.
 * Pipes have no MSG_NOSIGNAL.
 */
#ifndef GW_CHANNEL_SIGPIPE_H
#define GW_CHANNEL_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

struct gw_sigpipe {
	sigset_t old;	  /* the thread's previous mask */
	bool was_pending; /* a SIGPIPE was pending already */
};

/* Blocks SIGPIPE in this thread. */
void gw_sigpipe_hold(struct gw_sigpipe *hold);
/* Restores the mask. raised: a write failed with EPIPE, so its SIGPIPE is removed. Keeps errno. */
void gw_sigpipe_release(const struct gw_sigpipe *hold, bool raised);

#endif
