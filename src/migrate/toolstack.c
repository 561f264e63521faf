/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The defaults of the toolstack table.
 */
#include "migrate/toolstack.h"

#include <string.h>

#include "base/util.h"

static void ignore_progress(void *owner, const struct gw_progress *progress)
{
}

static int refuse(void *owner, struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "this toolstack cannot suspend and resume the domain");
}

static int go_on(void *owner, struct gw_error *err)
{
	return GW_CHECKPOINT_GO_ON;
}

static int follow_advice(void *owner, const struct gw_precopy_stats *stats, struct gw_error *err)
{
	return stats->advice;
}

static int no_model_to_switch(void *owner, int enable, struct gw_error *err)
{
	return 0;
}

static int no_model_state(void *owner, void **state, size_t *len, struct gw_error *err)
{
	*state = NULL;
	*len = 0;
	return 0;
}

static int no_throttle(void *owner, unsigned percent, struct gw_error *err)
{
	return gw_fail(err, GW_UNSUPPORTED, "this toolstack cannot slow the domain's vCPUs");
}

static int accept(void *owner, enum gw_guest_type type, const struct gw_policy *policy,
		  struct gw_error *err)
{
	return 0;
}

static int ignore_missing(void *owner, unsigned missing, struct gw_error *err)
{
	return 0;
}

static int ignore_results(void *owner, uint64_t store_gfn, uint64_t console_gfn,
			  struct gw_error *err)
{
	return 0;
}

#define SUPPLY(table, entry, fallback)                                                             \
	((table)->entry = (table)->entry ? (table)->entry : (fallback))

static void supply_defaults(struct gw_toolstack *ts)
{
	SUPPLY(ts, progress, ignore_progress);
	SUPPLY(ts, suspend, refuse);
	SUPPLY(ts, postcopy, refuse);
	SUPPLY(ts, checkpoint, go_on);
	SUPPLY(ts, wait_checkpoint, go_on);
	SUPPLY(ts, precopy_policy, follow_advice);
	SUPPLY(ts, logdirty_switch, no_model_to_switch);
	SUPPLY(ts, device_model_state, no_model_state);
	SUPPLY(ts, static_data, accept);
	SUPPLY(ts, static_data_done, ignore_missing);
	SUPPLY(ts, restore_results, ignore_results);
	SUPPLY(ts, throttle, no_throttle);
}

/* A valid table has at least these entries. */
#define MIN_SIZE offsetof(struct gw_toolstack, progress)

static int copy(struct gw_toolstack *full, const struct gw_toolstack *given, struct gw_error *err)
{
	if (given->head.size < MIN_SIZE)
		return gw_fail(err, GW_USAGE,
			       "the toolstack table has size %u, expected at least %zu",
			       given->head.size, MIN_SIZE);
	if (given->head.version != GW_TABLE_VERSION)
		return gw_fail(err, GW_UNSUPPORTED,
			       "the toolstack table has version %u, this library has version %u",
			       given->head.version, GW_TABLE_VERSION);
	memcpy(full, given, GW_MIN((size_t)given->head.size, sizeof(*full)));
	full->head.size = sizeof(*full);
	return 0;
}

int gw_toolstack_complete(struct gw_toolstack *full, const struct gw_toolstack *given,
			  unsigned needed, struct gw_error *err)
{
	*full = (struct gw_toolstack){.head = GW_TABLE_HEAD(struct gw_toolstack)};
	if (given && copy(full, given, err) < 0)
		return -1;
	if ((needed & GW_TOOLSTACK_SUSPENDS) && !full->suspend)
		return gw_fail(err, GW_USAGE, "a save needs a toolstack that can suspend");
	if ((needed & GW_TOOLSTACK_CHECKPOINTS) && (!full->postcopy || !full->checkpoint))
		return gw_fail(err, GW_USAGE,
			       "checkpoints need a toolstack that can resume and checkpoint");
	if ((needed & GW_TOOLSTACK_BACK_CHANNEL) && !full->back_channel)
		return gw_fail(err, GW_USAGE, "COLO needs a back channel");
	supply_defaults(full);
	return 0;
}
