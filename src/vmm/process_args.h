/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The arguments that a domain's process is started with, and the ways in which it ends.
 */
#ifndef GW_VMM_PROCESS_ARGS_H
#define GW_VMM_PROCESS_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/cancel.h>
#include <godwit/log.h>
#include <godwit/toolstack.h>

#include "migrate/accept.h"
#include "migrate/sender_times.h"
#include "vmm/admit.h"
#include "vmm/reservations.h"

struct gw_process_args {
	const char *connect;		 /* the hypervisor's URI */
	const char *name;		 /* replaces the name in the config; NULL: keep that one */
	bool new_genid;			 /* restore: the guest gets a new VM generation id */
	bool paused;			 /* the domain stays paused when it is in place */
	struct gw_acceptance acceptance; /* the images that may be restored here */
	struct gw_admission admission;	 /* receive: who may send a domain */
	struct gw_budget budget;	 /* receive: what the receiver may hold */
	int silence_ms;			 /* receive: the sender's longest silence; 0: 30 s */
	/* receive: protections are taken if there is a command, which makes certain that a lost
	 * sender is dead, or if failovers go on without. */
	const char *fence;
	bool no_fence;
	int fence_limit_ms; /* for the command; 0: 10 s */
	struct gw_sender_times times;	 /* receive: what a sender has for each part */
	/* receive: the sender has said which domain it sends. Called more than once. NULL is fine.
	 */
	void (*heard)(void *opaque);
	/* receive: 1 once this process may receive its domain, 0: later. NULL: at once. */
	int (*turn)(void *opaque);
	/* receive: the sender hands the domain over: may this process have it? 0, or -1 with
	 * GW_REFUSED. It runs here after that. NULL: yes. */
	int (*claim)(void *opaque, struct gw_error *err);
	/* receive: 0, or -1 with the reason for which this process was cancelled, which goes to its
	 * sender. NULL: there is none. */
	int (*wanted)(void *opaque, struct gw_error *err);
	/* receive: the domain has arrived, and its connection is closed: what admission borrowed
	 * can go. NULL is fine. */
	void (*arrived)(void *opaque);
	int console_fd;	  /* receives a copy of what the guest prints; -1: no copy */
	bool console_raw; /* a terminal, too, gets every byte of it (base/terminal.h) */
	/* The domain is in place (and runs, unless paused): the process can go to the background.
	 * NULL is fine. */
	void (*in_place)(void *opaque, const char *name);
	/* Of a restore or a receive. NULL is fine. */
	void (*progress)(void *opaque, const struct gw_progress *progress);
	/* The restore or receive is over: no progress comes any more, the guest's output may. NULL
	 * is fine. */
	void (*progress_over)(void *opaque);
	void *opaque;
	struct gw_log log;
	/* Once set, the process destroys the domain, or gives up the operation that creates it. */
	const struct gw_cancel *cancel;
};

/* The reason why a domain left its process, or why there was none. */
enum gw_process_end {
	GW_END_POWEROFF,  /* the guest powered off */
	GW_END_REBOOT,	  /* the guest asked for a reboot, which takes a new "run" */
	GW_END_CRASHED,	  /* the guest crashed */
	GW_END_DESTROYED, /* a client or a signal asked for it */
	GW_END_SAVED,	  /* the domain is in a file now */
	GW_END_MOVED,	  /* the domain is in another process now */
	GW_END_DROPPED,	  /* it was the copy of a protected domain, whose protection has ended */
	GW_END_NONE,	  /* there never was a domain here; the error has the reason */
};

#endif
