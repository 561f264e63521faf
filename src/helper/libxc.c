/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The ways of Xen's libxc (libxc.h).
 */
#include "helper/libxc.h"

#include <errno.h>
#include <stdio.h>

#include "base/util.h"

#define MAX_PASSES 5
#define FEW_PAGES  50

enum gw_precopy_decision gw_libxc_precopy(const struct gw_precopy_stats *stats)
{
	if (stats->iteration >= MAX_PASSES || stats->last_due < FEW_PAGES)
		return GW_PRECOPY_STOP;
	return GW_PRECOPY_CONTINUE;
}

int gw_libxc_save_answer(int answer, const char *who, const char *what, struct gw_error *err)
{
	if (answer > 0)
		return 0;
	return gw_fail(err, GW_GUEST, "%s could not %s the domain (it answered %d)", who, what,
		       answer);
}

int gw_libxc_restore_answer(int answer, const char *who, const char *what, struct gw_error *err)
{
	if (answer == 1)
		return 0;
	if (answer == 2)
		return GW_CHECKPOINT_FAILOVER;
	return gw_fail(err, GW_PEER, "%s could not %s (it answered %d)", who, what, answer);
}

static bool counts_pages(const struct gw_progress *p)
{
	return p->stage == GW_STAGE_MEMORY || p->stage == GW_STAGE_FINAL_ROUND ||
	       p->stage == GW_STAGE_VERIFY;
}

bool gw_libxc_progress(struct gw_libxc_progress *last, bool restore, const struct gw_progress *p,
		       char what[64], uint64_t *total)
{
	*total = counts_pages(p) ? p->pages_total : 0;
	if (p->stage == last->stage && p->round == last->round && *total == 0)
		return false;
	last->stage = p->stage;
	last->round = p->round;
	/* libxc says "Frames iteration N", too. */
	if (p->stage == GW_STAGE_MEMORY && !restore)
		snprintf(what, 64, "Frames iteration %u", p->round);
	else
		snprintf(what, 64, "%s", gw_stage_name(p->stage));
	return true;
}

int gw_libxc_save_failed(uint32_t domid, bool suspended, const char *who, struct gw_error *err)
{
	if (suspended)
		gw_fail_more(err, "; the domain is suspended, %s may resume it", who);
	else
		gw_fail_more(err, "; the domain was not suspended");
	return gw_fail_in(err, "saving domain %u", domid);
}

int gw_libxc_errno(const struct gw_error *err)
{
	switch (err->code) {
	case GW_SYSTEM:
		return err->errnum ? err->errnum : EIO;
	case GW_CANCELLED:
		return ECANCELED;
	case GW_TRUNCATED:
	case GW_PEER:
		return EPIPE;
	case GW_UNSUPPORTED:
		return EOPNOTSUPP;
	case GW_REFUSED:
		return EPERM;
	case GW_GUEST:
		return EIO;
	case GW_BUSY:
		return EBUSY;
	case GW_NO_MEMORY:
		return ENOMEM;
	default:
		return EINVAL;
	}
}
