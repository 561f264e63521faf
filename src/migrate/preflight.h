/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The preflight: what a host would refuse, asked before any domain exists.
 */
#ifndef GW_MIGRATE_PREFLIGHT_H
#define GW_MIGRATE_PREFLIGHT_H

#include <godwit/hypervisor.h>

/* What a guest needs of a host. */
struct gw_preflight {
	enum gw_guest_type type;
	const struct gw_policy *policy; /* NULL: nothing is known of it */
	uint64_t pages;			/* 0: unknown */
};

/*
 * 0 if the host can take the guest. -1 with GW_REFUSED and all reasons in err
 * (gw_error_reason()), or with whatever asking the host failed with.
 */
int gw_preflight(struct gw_host *host, const struct gw_preflight *wanted, struct gw_error *err);

#endif
