/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The records that HVM and PV guests share: CPU policies, the TSC, godwit's own records.
 */
#ifndef GW_GUEST_X86_H
#define GW_GUEST_X86_H

#include "guest/guest.h"

#define GW_X86_NR_EXTRA 2 /* records of godwit's own */

/* Records kept until they can be applied; of several of one type the last one counts. Zeroed is
 * empty. */
struct gw_x86_stash {
	bool has_cpuid, has_msr, has_tsc;
	struct gw_tsc_info tsc;
	struct gw_buffer extra[GW_X86_NR_EXTRA]; /* empty: there was none */
};

/* Keeps such a record: 1; 0 for any other, -1. Does not touch the domain. */
int gw_x86_stash_record(struct gw_x86_stash *stash, struct gw_restore_guest *g,
			const struct gw_record *rec, struct gw_error *err);
/* Gives the domain its policy. *missing as in static_data_complete. */
int gw_x86_apply_policy(const struct gw_x86_stash *stash, struct gw_restore_guest *g,
			unsigned *missing, struct gw_error *err);
/* Gives the domain its TSC and godwit's own state. */
int gw_x86_apply_state(const struct gw_x86_stash *stash, struct gw_restore_guest *g,
		       struct gw_error *err);
/* Frees it, and the policy collected in g. */
void gw_x86_stash_free(struct gw_x86_stash *stash, struct gw_restore_guest *g);

/* Replaces the contents of a kept record. */
int gw_x86_keep(struct gw_buffer *kept, const void *data, size_t len, struct gw_error *err);

/* The records of a save: policies; TSC; godwit's own if the domain has that state. */
int gw_x86_save_policy(struct gw_domain *d, struct gw_buffer *records, struct gw_error *err);
int gw_x86_save_tsc(struct gw_domain *d, struct gw_buffer *records, struct gw_error *err);
int gw_x86_save_extra(struct gw_domain *d, struct gw_buffer *records, struct gw_error *err);

#endif
