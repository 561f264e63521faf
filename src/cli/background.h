/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Going to the background: the verbs that become a domain's process do their work in a child from
 * the start (a process with threads cannot be split), while the parent waits until the child says
 * that all is well and then leaves.
 */
#ifndef GW_CLI_BACKGROUND_H
#define GW_CLI_BACKGROUND_H

#include <stdbool.h>

#include "cli/verb.h"

struct gw_background {
	int fd; /* in the child, until it has left: the pipe to the parent; else -1 */
};

#define GW_BACKGROUND_NONE                                                                         \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * Splits the process. In the parent: true, and *status is what to exit with, once the child has
 * left or ended. In the child: false. If it cannot be split: true with the status of a failure.
 */
bool gw_background_split(struct gw_cli *cli, struct gw_background *bg, int *status);

/*
 * In the child: says word on the parent's stdout, lets the parent go, leaves the terminal, and
 * sends what is printed from now on to log_fd (taken over). Nothing without a split.
 */
void gw_background_leave(struct gw_background *bg, const char *word, int log_fd);

/* stdout and stderr to log_fd (taken over), stdin from nowhere. */
void gw_background_redirect(int log_fd);

/* A token and handlers of a child's own: what interrupts the parent must not wake the child's
 * waits. */
int gw_background_new_cancel(struct gw_cli *cli, struct gw_error *err);

#endif
