/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The runtime folder, where the running domains of a user are found: NAME.lock (held by flock as
 * long as the process runs), NAME.sock (its control socket), NAME.log. A file whose lock is free
 * belongs to a dead process and is removed; one of a running process is never touched.
 */
#ifndef GW_VMM_RUNTIME_H
#define GW_VMM_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

#include <godwit/error.h>

struct gw_runtime {
	int fd; /* the folder */
	char *path;
};

/*
 * $GODWIT_RUNTIME_DIR, else /run/godwit for root, else $XDG_RUNTIME_DIR/godwit. Created with mode
 * 0700; a folder of another user, or one that others may enter, is refused.
 */
int gw_runtime_open(struct gw_runtime *rt, struct gw_error *err);
void gw_runtime_close(struct gw_runtime *rt);

/*
 * Opens a file of the folder with mode 0600: a regular one, and no FIFO or device, whose opening
 * could wait for ever. Returns the descriptor, or -1 with errno and err.
 */
int gw_runtime_file(const struct gw_runtime *rt, const char *name, int flags, struct gw_error *err);

/*
 * The names in the folder that are no NAME.lock, NAME.sock or NAME.log of a domain: receive.log,
 * PID.receiver, restored. No domain may be called as the first is; the others have no such suffix.
 */
#define GW_NAME_RECEIVERS "receive"
/* The suffix of a domain's name while its source still runs on this host. */
#define GW_NAME_INCOMING "--incoming"

/* gw_name_is_valid() (format/xl/config.h), but fails with the reason. */
int gw_name_check(const char *name, struct gw_error *err);
/* The same for a name that somebody gives a domain: one of the names above fails with GW_USAGE. */
int gw_name_check_given(const char *name, struct gw_error *err);

/* A name held by this process: its lock and its listening control socket. Zeroed with fd -1: no
 * name.
 */
struct gw_claim {
	char *name;
	int lock_fd;
	int listen_fd;
};

#define GW_CLAIM_NONE                                                                              \
	{                                                                                          \
		.lock_fd = -1, .listen_fd = -1                                                     \
	}

/* Takes the name. GW_BUSY if a running process holds it. */
int gw_claim_take(struct gw_claim *claim, struct gw_runtime *rt, const char *name,
		  struct gw_error *err);
/* Releases the name and removes its socket and lock. */
void gw_claim_release(struct gw_claim *claim, struct gw_runtime *rt);

/* The names of running domains, sorted; array and strings are the caller's. Removes the files of
 * dead processes. */
int gw_runtime_list(struct gw_runtime *rt, char ***names, size_t *n, struct gw_error *err);
void gw_runtime_free_list(char **names, size_t n);

/* Connects to the control socket of a running domain; GW_REFUSED if there is none of that name. */
int gw_runtime_connect(struct gw_runtime *rt, const char *name, struct gw_error *err);

#endif
