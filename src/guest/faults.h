/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Faults of an image that only a restore can see: whether the restore goes on without the page,
 * the record or the vCPU that has one.
 */
#ifndef GW_GUEST_FAULTS_H
#define GW_GUEST_FAULTS_H

#include "guest/guest.h"

/*
 * A step of the restore of g has failed with err. True: an image's fault that this restore
 * survives; it was reported, err is cleared, and the caller goes on with the next step. err must
 * not be NULL.
 */
static inline bool gw_restore_survives(struct gw_restore_guest *g, struct gw_error *err)
{
	if (!g->faults.report || !g->rule || err->code != GW_INVALID)
		return false;
	g->faults.report(g->faults.owner, g->rule, err);
	g->rule = NULL;
	gw_error_clear(err);
	return true;
}

#endif
