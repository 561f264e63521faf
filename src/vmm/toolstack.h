/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The toolstack of a domain's own process: the engine suspends the domain through it, and the
 * process resumes a domain that stays here after all.
 */
#ifndef GW_VMM_TOOLSTACK_H
#define GW_VMM_TOOLSTACK_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/cancel.h>
#include <godwit/hypervisor.h>
#include <godwit/log.h>
#include <godwit/toolstack.h>

#define GW_SUSPEND_TIMEOUT_MS 10000

struct gw_domain_toolstack {
	struct gw_domain *domain;
	const struct gw_cancel *cancel;
	int suspend_timeout_ms;
	bool force;	/* pause it without asking the guest */
	bool may_force; /* the same if the guest cannot be asked: only godwit can restore that */
	struct gw_log log;

	/* How it was stopped: at most one of them. */
	bool suspended;	    /* by the guest itself */
	bool forced;	    /* by a pause, without asking the guest */
	uint64_t resume_ns; /* time that the undo took */
};

/* Fills table with entries that work on ts, which must outlive it. */
void gw_domain_toolstack_init(struct gw_domain_toolstack *ts, struct gw_toolstack *table);

/* Undoes a suspend; does nothing if there was none. A pause by the domain's owner stays. */
int gw_domain_toolstack_undo(struct gw_domain_toolstack *ts, struct gw_error *err);

/* Pauses a domain that runs, so that the undo lets it run again. */
int gw_domain_toolstack_pause(struct gw_domain_toolstack *ts, struct gw_error *err);

/* Adds the domain's state to an error: "...; the domain runs on here". */
void gw_domain_error_add_state(struct gw_error *err, bool paused);

#endif
