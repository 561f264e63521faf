/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The process that is a domain: it holds the domain, answers on its control socket, copies the
 * console, and runs the operations that save, restore and move it. One process, one domain: the
 * death of the process is the domain's.
 *
 * A verb makes a process object, gives it a domain (boot, restore or receive), and calls run, which
 * returns when the domain has left this process one way or another.
 */
#ifndef GW_VMM_PROCESS_H
#define GW_VMM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/cancel.h>
#include <godwit/channel.h>
#include <godwit/error.h>
#include <godwit/log.h>
#include <godwit/toolstack.h>

#include "vmm/accept.h"
#include "vmm/runtime.h"

struct gw_process;

struct gw_process_args {
	const char *connect;		 /* the hypervisor's URI */
	const char *name;		 /* instead of the name in the config; NULL */
	bool paused;			 /* do not set it running */
	struct gw_acceptance acceptance; /* which images may bring one */
	int console_fd; /* where a copy of what the guest prints goes; -1: nowhere */
	/* The domain is in place (and runs, unless paused): the moment to go to the background.
	 * NULL is fine. */
	void (*in_place)(void *opaque, const char *name);
	/* Of a restore or an arrival. NULL is fine. */
	void (*progress)(void *opaque, const struct gw_progress *progress);
	void *opaque;
	struct gw_log log;
	const struct gw_cancel *cancel; /* set: destroy the domain, or give up what leads to one */
};

/* What a new domain is made of. */
struct gw_process_boot {
	const char *kernel; /* path of a PVH kernel */
	uint64_t memory;    /* bytes */
	const char *cmdline;
	const char *cpu; /* "+FEATURE,-FEATURE,...", against what the host offers; NULL */
};

/* How a domain left, or why there was none. */
enum gw_process_end {
	GW_END_POWEROFF, /* the guest turned itself off */
	GW_END_REBOOT,	 /* it asked for a reboot, which a new "run" would be */
	GW_END_CRASHED,
	GW_END_DESTROYED, /* somebody asked for it: a client, a signal */
	GW_END_SAVED,	  /* it is in a file now */
	GW_END_MOVED,	  /* it is another process's now */
	GW_END_NONE,	  /* it never came to be here: err says why */
};

/* Blocks SIGINT, SIGTERM and SIGHUP, which run() then takes in its own time. The strings are
 * borrowed for good. */
struct gw_process *gw_process_new(const struct gw_process_args *args, struct gw_error *err);
/* Destroys the domain if it is still there. */
void gw_process_free(struct gw_process *p);

/* A new domain from a kernel; it is in place when this returns. */
int gw_process_boot(struct gw_process *p, const struct gw_process_boot *boot, struct gw_error *err);
/* From an image: an xl save file, or (with a name given) a libxl stream or libxc image without one.
 * Takes in over; run() does the work. */
int gw_process_restore(struct gw_process *p, struct gw_channel *in, struct gw_error *err);
/*
 * From a godwit that sends one over this connection, or from whatever else sends an image through
 * it as gw_process_restore() takes one: that one is not told anything. Takes ch over; run() does
 * the work.
 */
int gw_process_receive(struct gw_process *p, struct gw_channel *ch, struct gw_error *err);

enum gw_process_end gw_process_run(struct gw_process *p, struct gw_error *err);

/* The domain's name, once there is one; else NULL. */
const char *gw_process_name(const struct gw_process *p);

#endif
