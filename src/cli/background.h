/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Background mode: a verb that becomes a domain's process works in a child from the start, because
 * a process with threads cannot fork. The parent waits until the child reports success, and then
 * exits.
 */
#ifndef GW_CLI_BACKGROUND_H
#define GW_CLI_BACKGROUND_H

#include <stdbool.h>

#include "cli/verb.h"

struct gw_background {
	int fd; /* in the child, until it has detached: the pipe to the parent; otherwise -1 */
};

#define GW_BACKGROUND_NONE                                                                         \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * Forks. In the parent: returns true with the exit status in *status, after the child has detached
 * or ended. In the child: returns false. If fork fails: true with the status of a failure.
 */
bool gw_background_split(struct gw_cli *cli, struct gw_background *bg, int *status);

/*
 * In the child: prints word on the parent's stdout, lets the parent exit, detaches from the
 * terminal, and does what gw_background_redirect() does. Does nothing without a fork.
 */
void gw_background_leave(struct gw_background *bg, const char *word, int log_fd);

/*
 * In a process that stays in the background: redirects stdout and stderr to log_fd (owned), stdin
 * to /dev/null, and closes the descriptors that the process inherited: a lock or a pipe of the
 * caller's must not be held as long as a domain lives. All of godwit's own have FD_CLOEXEC,
 * inherited ones cannot have it.
 */
void gw_background_redirect(int log_fd);

/* Gives the child its own token and handlers: an interrupt of the parent must not end the child's
 * waits. */
int gw_background_new_cancel(struct gw_cli *cli, struct gw_error *err);

#endif
