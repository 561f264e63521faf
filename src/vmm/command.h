/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The site's commands that a domain's process runs: to fence a host, to hold back a guest's output.
 */
#ifndef GW_VMM_COMMAND_H
#define GW_VMM_COMMAND_H

#include <godwit/cancel.h>
#include <godwit/error.h>

/*
 * Runs a shell command with these variables ("NAME=value", up to a NULL) in its environment, and
 * waits for it, at most limit_ms. Its standard input is empty, its output goes to standard error.
 * Returns 0 if it exits with status 0, else -1; after the limit or a cancel it is killed, with all
 * processes of its group.
 */
int gw_command_run(const char *command, char *const *variables, int limit_ms,
		   const struct gw_cancel *cancel, struct gw_error *err);

#endif
