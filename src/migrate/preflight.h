/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The preflight: what a host would refuse, asked before any domain exists.
 */
#ifndef GW_MIGRATE_PREFLIGHT_H
#define GW_MIGRATE_PREFLIGHT_H

#include <godwit/hypervisor.h>

/* What other domains leave of the machine, and of what one receiver may hold. */
struct gw_preflight_room {
	uint64_t left;	      /* pages of the machine that nobody uses or was promised */
	uint64_t promised;    /* pages that others were promised and have not touched */
	uint64_t max_pages;   /* that the receiver may hold; 0: no limit */
	uint64_t pages;	      /* that it holds */
	unsigned max_domains; /* 0: no limit */
	unsigned domains;
};

/* What a guest needs of a host. */
struct gw_preflight {
	enum gw_guest_type type;
	const struct gw_policy *policy;	      /* NULL: nothing is known of it */
	uint64_t pages;			      /* 0: unknown */
	const struct gw_preflight_room *room; /* NULL: there are no others */
};

/*
 * 0 if the host can take the guest. -1 with GW_REFUSED and all reasons in err
 * (gw_error_reason()), or with whatever asking the host failed with.
 */
int gw_preflight(struct gw_host *host, const struct gw_preflight *wanted, struct gw_error *err);

#endif
