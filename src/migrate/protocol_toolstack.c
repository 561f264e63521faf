/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A toolstack that hands every call on to another one and publishes progress.
 */
#include "migrate/protocol_internal.h"

#define INNER(opaque) (((struct gw_published_toolstack *)(opaque))->inner)

static int ts_suspend(void *opaque, struct gw_error *err)
{
	return INNER(opaque)->suspend(INNER(opaque)->opaque, err);
}

static int ts_resume(void *opaque, struct gw_error *err)
{
	return INNER(opaque)->resume(INNER(opaque)->opaque, err);
}

static int ts_checkpoint(void *opaque, struct gw_error *err)
{
	return INNER(opaque)->checkpoint(INNER(opaque)->opaque, err);
}

static int ts_wait_checkpoint(void *opaque, struct gw_error *err)
{
	return INNER(opaque)->wait_checkpoint(INNER(opaque)->opaque, err);
}

static int ts_logdirty_switch(void *opaque, int enable, struct gw_error *err)
{
	return INNER(opaque)->logdirty_switch(INNER(opaque)->opaque, enable, err);
}

static int ts_static_data_done(void *opaque, unsigned missing, struct gw_error *err)
{
	return INNER(opaque)->static_data_done(INNER(opaque)->opaque, missing, err);
}

static void ts_restore_results(void *opaque, uint64_t store_gfn, uint64_t console_gfn)
{
	INNER(opaque)->restore_results(INNER(opaque)->opaque, store_gfn, console_gfn);
}

static void ts_progress(void *opaque, const struct gw_progress *progress)
{
	struct gw_published_toolstack *t = opaque;

	gw_operation_set_progress(t->op, progress);
	if (t->inner && t->inner->progress)
		t->inner->progress(t->inner->opaque, progress);
}

void gw_publish_toolstack(struct gw_published_toolstack *t, const struct gw_toolstack *inner,
			  struct gw_operation *op)
{
	*t = (struct gw_published_toolstack){.inner = inner, .op = op};
	t->table.opaque = t;
	t->table.progress = ts_progress;
	if (!inner)
		return;
	t->table.suspend = inner->suspend ? ts_suspend : NULL;
	t->table.resume = inner->resume ? ts_resume : NULL;
	t->table.checkpoint = inner->checkpoint ? ts_checkpoint : NULL;
	t->table.wait_checkpoint = inner->wait_checkpoint ? ts_wait_checkpoint : NULL;
	t->table.logdirty_switch = inner->logdirty_switch ? ts_logdirty_switch : NULL;
	t->table.static_data_done = inner->static_data_done ? ts_static_data_done : NULL;
	t->table.restore_results = inner->restore_results ? ts_restore_results : NULL;
	t->table.log = inner->log;
}
