/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The process of a domain: it holds the domain, answers on its control socket, copies the console,
 * and runs the operations that save, restore and migrate the domain. One process holds one domain:
 * the death of the process is the death of the domain.
 *
 * A verb creates a process object, gives it a domain (boot, restore or receive), and calls run.
 * That returns when the domain has left this process.
 */
#ifndef GW_VMM_PROCESS_H
#define GW_VMM_PROCESS_H

#include <stdint.h>

#include <godwit/channel.h>
#include <godwit/error.h>

#include "vmm/process_args.h"

struct gw_process;

/* The ingredients of a new domain. */
struct gw_process_boot {
	const char *kernel; /* path of a PVH kernel */
	uint64_t memory;    /* bytes */
	const char *cmdline;
	const char *cpu; /* words of gw_cpu_model_policy(); NULL: the default model */
};

/* Blocks SIGINT, SIGTERM and SIGHUP, which run() reads from a descriptor. The strings of args are
 * borrowed until gw_process_free(). NULL with err. */
struct gw_process *gw_process_new(const struct gw_process_args *args, struct gw_error *err);
/* Destroys the domain if it is still there. NULL is fine. */
void gw_process_free(struct gw_process *p);

/* Creates a domain from a kernel; it is in place when this returns. 0 or -1. */
int gw_process_boot(struct gw_process *p, const struct gw_process_boot *boot, struct gw_error *err);
/* Creates a domain from an image: an xl save file, or (if args gave a name) a libxl stream or libxc
 * image without a config. Closes in; run() does the work. 0 or -1. */
int gw_process_restore(struct gw_process *p, struct gw_channel *in, struct gw_error *err);
/*
 * Receives a domain from a godwit at the other end of this connection, or restores an image that
 * any other program sends, which gets no answer. Closes ch; run() does the work. 0 or -1.
 */
int gw_process_receive(struct gw_process *p, struct gw_channel *ch, struct gw_error *err);

/* Serves the domain until it has left; err is set for GW_END_NONE, and for GW_END_CRASHED if the
 * cause is known. */
enum gw_process_end gw_process_run(struct gw_process *p, struct gw_error *err);

#endif
