/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory that was promised to domains: one record for each in a file of the runtime folder. Each
 * process holds a lock on its own record, which the kernel releases with the process, however that
 * ends: a record without a lock counts for nothing.
 */
#ifndef GW_VMM_RESERVATIONS_H
#define GW_VMM_RESERVATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/runtime.h"

/* What one receiver may hold, over all domains that it has received or is receiving. */
struct gw_budget {
	uint8_t id[16];	      /* the receiver's, random; zeroed: the domain is of no receiver */
	uint64_t max_memory;  /* bytes; 0: no limit */
	unsigned max_domains; /* 0: no limit */
};

/* The record of this process; fd -1: none. */
struct gw_reservation {
	int fd;
	unsigned slot;
};

#define GW_RESERVATION_NONE                                                                        \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/* All records of other processes. */
struct gw_reserved {
	uint64_t promised; /* pages that they have not touched yet */
	uint64_t pages;	   /* those of one receiver, touched or not */
	unsigned domains;  /* the same */
};

/*
 * Opens the file and locks it: no other process reads or changes it until gw_reservation_unlock().
 * Adds up the records of others; receiver: the id of the receiver whose records are counted apart.
 * 0, or -1 with GW_BUSY if another process keeps it locked for seconds.
 */
int gw_reservation_lock(struct gw_reservation *r, const struct gw_runtime *rt,
			const uint8_t receiver[16], struct gw_reserved *sums, struct gw_error *err);
void gw_reservation_unlock(struct gw_reservation *r);

/*
 * Between the two: makes the record of this process, or replaces it. in_shared: the domain's memory
 * is shared memory of this process, else it is private. 0 or -1.
 */
int gw_reservation_set(struct gw_reservation *r, const uint8_t receiver[16], uint64_t pages,
		       bool in_shared, struct gw_error *err);

/* Removes the record; does nothing without one. */
void gw_reservation_release(struct gw_reservation *r);

/* Pages of this machine that can be used now, of which some may be promised; UINT64_MAX: unknown.
 */
uint64_t gw_machine_free_pages(void);

#endif
