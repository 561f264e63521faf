/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The page sink: where the prepared batches of a save go.
 */
#ifndef GW_MIGRATE_PAGE_SINK_H
#define GW_MIGRATE_PAGE_SINK_H

#include <godwit/channel.h>

#include "migrate/batch.h"

/*
 * A sink holds a batch as long as one of its pages is needed, then releases it and gives it back to
 * the pool.
 */
struct gw_page_sink {
	void *opaque;
	/* Takes b over, also when it fails. If the pool is empty afterwards, reclaim has to be
	 * called before the next batch. */
	int (*batch)(void *opaque, struct gw_batch *b, struct gw_error *err);
	/* Gets at least one batch back into the pool. */
	int (*reclaim)(void *opaque, struct gw_error *err);
	/* The end of a round, or before other records are written: every batch handed over is on
	 * its way and given back. */
	int (*barrier)(void *opaque, struct gw_error *err);
	/* Gives every batch back after an error or a cancel has ended the save. */
	void (*abandon)(void *opaque);
};

/* The default sink: the records in their order on one channel. */
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
