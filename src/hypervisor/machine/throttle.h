/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of a domain's throttle.
 */
#ifndef GW_HYPERVISOR_MACHINE_THROTTLE_H
#define GW_HYPERVISOR_MACHINE_THROTTLE_H

#include <pthread.h>
#include <stdbool.h>

struct gw_machine_throttle {
	pthread_t thread;
	bool has_thread; /* the caller's of gw_machine_throttle() alone */
	/* Guarded by the domain's lock. */
	unsigned percent; /* 0: the thread ends */
};

#endif
