/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The page sink, which gets the prepared batches of a save and sends them.
 */
#ifndef GW_MIGRATE_PAGE_SINK_H
#define GW_MIGRATE_PAGE_SINK_H

#include <godwit/channel.h>

#include "migrate/batch.h"

/*
 * A sink holds a batch as long as one of its pages is used, then releases it and gives it back to
 * the pool.
 */
struct gw_page_sink {
	void *opaque;
	/* Takes b over, also on failure. If the pool is then empty, reclaim must be called before
	 * the next batch. */
	int (*batch)(void *opaque, struct gw_batch *b, struct gw_error *err);
	/* Waits until at least one batch is back in the pool. */
	int (*reclaim)(void *opaque, struct gw_error *err);
	/* Called at the end of a round, or before other records are written: sends every batch and
	 * gives it back. */
	int (*barrier)(void *opaque, struct gw_error *err);
	/* Gives every batch back after an error or a cancel has ended the save. */
	void (*abandon)(void *opaque);
};

/* The default sink: writes the records in order to one channel. */
struct gw_channel_sink {
	struct gw_page_sink sink;
	struct gw_channel *out;
	struct gw_domain *domain;
	struct gw_batch_pool *pool;
	struct gw_batch *flying;
};

/* Everything given here must outlive s. */
void gw_channel_sink_init(struct gw_channel_sink *s, struct gw_channel *out,
			  struct gw_domain *domain, struct gw_batch_pool *pool);

#endif
