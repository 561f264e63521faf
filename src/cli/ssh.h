/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connections through ssh: a receiver that a sender starts on the other host.
 */
#ifndef GW_CLI_SSH_H
#define GW_CLI_SSH_H

#include <stdbool.h>
#include <sys/types.h>

#include <godwit/channel.h>

#define GW_SSH_SCHEME "ssh:"

/* "ssh:[USER@]HOST[:RUNTIME]" */
struct gw_ssh_address {
	char host[256];	   /* with its user, without brackets */
	char runtime[256]; /* the receiver's GODWIT_RUNTIME_DIR; empty: its own default */
};

/* Returns 0, or -1 with GW_USAGE. */
int gw_ssh_parse(struct gw_ssh_address *address, const char *text, struct gw_error *err);

/*
 * Starts "COMMAND HOST godwit receive -d fd:0,1" and returns the channel to its standard input and
 * output. command is split at blanks; NULL: ssh. name: of the channel. connect: the receiver's -c,
 * or NULL. The caller closes the channel, then calls gw_ssh_end(). Returns NULL with err.
 */
struct gw_channel *gw_ssh_connect(const struct gw_ssh_address *address, const char *command,
				  const char *connect, const char *name, pid_t *pid,
				  struct gw_error *err);
/*
 * Waits for the command to end, and ends it if it does not by itself. If the migration failed, adds
 * the command's status to err, unless that is 0.
 */
void gw_ssh_end(pid_t pid, bool failed, struct gw_error *err);

#endif
