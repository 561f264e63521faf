/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writing into a pipe that may have lost its reader, in a process whose SIGPIPE is not ours to
 * decide on: pipes have no MSG_NOSIGNAL.
 */
#ifndef GW_CHANNEL_SIGPIPE_H
#define GW_CHANNEL_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

struct gw_sigpipe {
	sigset_t old;	  /* the thread's mask before */
	bool was_pending; /* a SIGPIPE that somebody else waits for */
};

/* Keeps SIGPIPE from this thread until it is let through again. */
void gw_sigpipe_hold(struct gw_sigpipe *hold);
/* raised: a write failed with EPIPE, so one SIGPIPE is ours and is taken away. errno stays as it
 * is. */
void gw_sigpipe_release(const struct gw_sigpipe *hold, bool raised);

#endif
