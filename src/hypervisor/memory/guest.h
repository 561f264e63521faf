/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A guest for the memory backend, so that live saves have something to chase. Tests only.
 */
#ifndef GW_HYPERVISOR_MEMORY_GUEST_H
#define GW_HYPERVISOR_MEMORY_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/hypervisor.h>

/*
 * A guest that keeps the domain's memory busy from a thread of its own while the domain is
 * unpaused and not suspended: one page rewritten a step. All it does follows from the seed and the
 * number of steps done.
 */
struct gw_memory_guest_options {
	uint64_t seed;
	unsigned steps_per_ms; /* 0: as fast as it can */
	/* PV: it also rewrites PTEs and turns pages into page tables and back. */
	bool tables;
	/*
	 * PV: a PTE now and then maps a frame that is not the guest's. It takes those back when it
	 * is asked to suspend, unless keep_foreign says that it forgets one.
	 */
	bool foreign;
	bool keep_foreign;
};
struct gw_memory_guest;
/* Options are copied. The domain outlives the guest. NULL with err. */
struct gw_memory_guest *gw_memory_guest_start(struct gw_domain *d,
					      const struct gw_memory_guest_options *options,
					      struct gw_error *err);
uint64_t gw_memory_guest_steps(struct gw_memory_guest *guest);
/* Ends the thread. NULL is fine. */
void gw_memory_guest_stop(struct gw_memory_guest *guest);

#endif
