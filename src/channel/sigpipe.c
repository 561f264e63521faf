/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * SIGPIPE of a write goes to the writing thread. While it is blocked it stays pending, even if the
 * process ignores it, so it can be removed before the mask is restored.
 */
#include "channel/sigpipe.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

void gw_sigpipe_hold(struct gw_sigpipe *hold)
{
	sigset_t mask, pending;

	sigemptyset(&mask);
	sigaddset(&mask, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &mask, &hold->old);
	hold->was_pending = false;
	if (sigismember(&hold->old, SIGPIPE) && sigpending(&pending) == 0)
		hold->was_pending = sigismember(&pending, SIGPIPE);
}

void gw_sigpipe_release(const struct gw_sigpipe *hold, bool raised)
{
	static const struct timespec at_once;
	int saved = errno;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGPIPE);
	if (raised && !hold->was_pending)
		while (sigtimedwait(&mask, NULL, &at_once) < 0 && errno == EINTR)
			continue;
	pthread_sigmask(SIG_SETMASK, &hold->old, NULL);
	errno = saved;
}
