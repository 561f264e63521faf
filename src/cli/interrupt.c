/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The signal handlers of the command.
 */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

#include "base/util.h"

/* A handler has no argument, so the token of the process is a global. */
static struct gw_cancel *interrupted;

static void on_signal(int sig)
{
	/* A second signal must not wait for an operation that hangs. */
	if (gw_cancel_is_set(interrupted)) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	gw_cancel_set(interrupted);
}

int gw_interrupt_start(struct gw_cancel *cancel, struct gw_error *err)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	interrupted = cancel;
	for (size_t i = 0; i < GW_ARRAY_SIZE(signals); i++) {
		struct sigaction old;

		if (sigaction(signals[i], NULL, &old) < 0)
			return gw_fail_errno(err, "sigaction");
		/* A signal that was ignored at the start (a shell's background job, nohup) stays
		 * ignored. */
		if (old.sa_handler == SIG_IGN)
			continue;
		if (sigaction(signals[i], &act, NULL) < 0)
			return gw_fail_errno(err, "sigaction");
	}
	return 0;
}
