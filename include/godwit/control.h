/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The control table: the calls that only the owner of a domain makes. The owner is the program that
 * created the domain: it pauses the domain, lets it run, ends it and hears its console. The engine
 * and the guest hooks never include this header: they get a struct gw_domain and ask the owner
 * through the toolstack table.
 *
 * A domain that another program created (gw_host_ops.attach) may have no control: then its owner
 * (libxl, for example) does all of this.
 */
#ifndef GODWIT_CONTROL_H
#define GODWIT_CONTROL_H

#include <stddef.h>

#include <godwit/cancel.h>
#include <godwit/error.h>
#include <godwit/hypervisor.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What a domain reports to its owner, in the vCPU's thread. No function may call into the domain:
 * it wakes another thread. An entry may be NULL: then that event is dropped.
 */
struct gw_control_events {
	/* Bytes that the guest writes to its console, in pieces as they come. */
	void (*console)(void *opaque, const char *bytes, size_t len);
	/* The guest shut down, for any reason (SUSPEND too). */
	void (*shutdown)(void *opaque, enum gw_shutdown_reason reason);
	void *opaque;
};

struct gw_control_ops {
	struct gw_table_head head;
	/* Stops all vCPUs; returns when none runs. Nests with unpause. Any thread. */
	int (*pause)(struct gw_control *c, struct gw_error *err);
	int (*unpause)(struct gw_control *c, struct gw_error *err);
	/*
	 * Asks the guest to suspend itself (SHUTDOWN_SUSPEND) and waits at most timeout_ms: 1 it
	 * did, 0 it announced no way to be asked, -1 with GW_GUEST if it did not answer. Honours
	 * cancel.
	 */
	int (*suspend)(struct gw_control *c, int timeout_ms, const struct gw_cancel *cancel,
		       struct gw_error *err);
	/* Takes a suspended guest back to life here: its suspend call returns 1 (cancelled). */
	int (*resume)(struct gw_control *c, struct gw_error *err);
	/*
	 * All of an image is in place: the next unpause runs it. The owner calls this once after a
	 * restore has succeeded and before it unpauses. It fails if the domain could not run.
	 */
	int (*restored)(struct gw_control *c, struct gw_error *err);
	/* Ends the domain and frees all it holds, the control and its struct gw_domain too. */
	void (*destroy)(struct gw_control *c);

	/* Optional entries from here on. */

	/* Reports to events from now on; NULL: to nobody. The struct is copied. Only while paused.
	 * Default: events are dropped. */
	void (*set_events)(struct gw_control *c, const struct gw_control_events *events);
	/*
	 * Why the machine stopped the guest (SHUTDOWN_CRASH that the guest did not ask for), one
	 * sentence; "" if it did not. Borrowed; read it while no vCPU runs.
	 * Default: "".
	 */
	const char *(*crash_text)(struct gw_control *c);
	/*
	 * Slows the vCPUs, so that they run (100 - percent) % of the time; percent is at most 99, 0
	 * lets them run at full speed. The guest may run; a suspend works as ever. Any thread.
	 * Default: GW_UNSUPPORTED, for 0 as well.
	 */
	int (*throttle)(struct gw_control *c, unsigned percent, struct gw_error *err);
};

/* Every domain that its own program created has one: gw_domain.control. */
struct gw_control {
	const struct gw_control_ops *ops;
	struct gw_domain *domain;
	void *tables; /* the library's copy */
};

/* Makes c the control of domain, with a full copy of ops, as gw_domain_init() does. */
int gw_control_init(struct gw_control *c, struct gw_domain *domain,
		    const struct gw_control_ops *ops, struct gw_error *err);
void gw_control_fini(struct gw_control *c);

#ifdef __cplusplus
}
#endif
#endif
