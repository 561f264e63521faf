/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of one call of xc_domain_save() or xc_domain_restore(), shared by the files of
 * libgodwit-xenguest only.
 */
#ifndef GW_XL_XENGUEST_STATE_H
#define GW_XL_XENGUEST_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <xenctrl.h>
#include <xenguest.h>

#include <godwit/channel.h>
#include <godwit/hypervisor.h>
#include <godwit/toolstack.h>

#include "helper/libxc.h"

struct gw_xenguest {
	xc_interface *xch; /* the caller's: for messages only */
	pthread_t thread;  /* the caller's */
	uint32_t domid;
	enum gw_stream_type stream_type;
	/* One of the two. */
	const struct save_callbacks *save;
	const struct restore_callbacks *restore;

	struct gw_host *host;
	struct gw_domain *domain;
	struct gw_channel *io, *back; /* back: COLO only */

	bool suspended;			 /* by the caller, which has not resumed it since */
	bool stop_early;		 /* the caller's precopy policy wants one live pass */
	uint64_t store_gfn, console_gfn; /* results of a restore; 0: none */
	struct gw_libxc_progress progress;
	char doing[64]; /* what the progress is about; libxc holds on to it */
};

/* xenguest_report.c: messages and progress go to the logger of xch; warnings to stderr. */
struct gw_log gw_xenguest_log(struct gw_xenguest *g);
void gw_xenguest_progress(void *owner, const struct gw_progress *p);
/* The error message of libxc, what xc_get_last_error() returns, and errno. Always -1. */
int gw_xenguest_fail(struct gw_xenguest *g, const struct gw_error *failure);
/* libxc forgets g->doing. */
void gw_xenguest_end_progress(struct gw_xenguest *g);

/* xenguest_calls.c: the callbacks as a toolstack table. */
void gw_xenguest_save_table(struct gw_xenguest *g, struct gw_toolstack *table);
void gw_xenguest_restore_table(struct gw_xenguest *g, struct gw_toolstack *table);
/* Asks the caller's precopy policy, if it has one, before the first live pass. -1: it gave up. */
int gw_xenguest_first_decision(struct gw_xenguest *g, struct gw_error *err);

#endif
