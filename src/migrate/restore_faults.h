/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Faults of an image that only a restore can see: whether the restore goes on without the page or
 * the record that has one.
 */
#ifndef GW_MIGRATE_RESTORE_FAULTS_H
#define GW_MIGRATE_RESTORE_FAULTS_H

#include "guest/guest.h"

struct gw_restore_faults {
	/* Reports a fault that the restore survives; NULL: it survives none. */
	void (*report)(void *owner, const char *rule, const struct gw_error *fault);
	void *owner;
};

/*
 * A hook of g has failed with err. True: it was such a fault and was reported; err is cleared, and
 * the caller goes on without the page or the record. err must not be NULL.
 */
static inline bool gw_restore_survives(const struct gw_restore_faults *faults,
				       struct gw_restore_guest *g, struct gw_error *err)
{
	if (!faults->report || !g->rule || err->code != GW_INVALID)
		return false;
	faults->report(faults->owner, g->rule, err);
	g->rule = NULL;
	gw_error_clear(err);
	return true;
}

#endif
