/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The receivers of this user on this host, as files in the runtime folder: PID.receiver holds the
 * address, and is locked (flock) as long as the process listens.
 */
#ifndef GW_VMM_RECEIVERS_H
#define GW_VMM_RECEIVERS_H

#include <sys/types.h>

#include <godwit/cancel.h>

#include "vmm/runtime.h"

/* The entry of this process; fd -1: none. */
struct gw_receiver_entry {
	struct gw_runtime rt;
	int fd;
};

#define GW_RECEIVER_NONE                                                                           \
	{                                                                                          \
		.rt.fd = -1, .fd = -1                                                              \
	}

/* Enters this process, which listens at address. 0 or -1. */
int gw_receiver_enter(struct gw_receiver_entry *entry, const char *address, struct gw_error *err);
/* Removes the entry; does nothing without one. */
void gw_receiver_leave(struct gw_receiver_entry *entry);
/* In a child of the receiver: lets go of the entry, which stays the parent's. */
void gw_receiver_forget(struct gw_receiver_entry *entry);

struct gw_receiver {
	pid_t pid;
	char address[256];
};

/* Those that listen now, by pid; the array is the caller's to free. Removes the files of dead
 * processes. 0 or -1. */
int gw_receivers_list(struct gw_runtime *rt, struct gw_receiver **list, size_t *n,
		      struct gw_error *err);
/*
 * Ends the receiver with this address or process id (SIGTERM), and waits until it listens no more.
 * Its domains live on. GW_REFUSED: there is none. 0 or -1.
 */
int gw_receiver_end(struct gw_runtime *rt, const char *which, const struct gw_cancel *cancel,
		    struct gw_error *err);

#endif
