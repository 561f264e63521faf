/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Batches of pages on their way out of a domain, and the sink that takes them. A batch comes from a
 * fixed pool, goes through the stages types, map, normalise, send, unmap, and
 * back to the pool. Which pfns are due is not decided here.
 */
#ifndef GW_MIGRATE_BATCH_H
#define GW_MIGRATE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <godwit/channel.h>

#include "format/libxc/image.h"
#include "guest/guest.h"

struct gw_batch {
	size_t nr; /* entries */
	uint64_t pfns[GW_BATCH_MAX];
	uint64_t gfns[GW_BATCH_MAX];
	uint8_t types[GW_BATCH_MAX];
	bool deferred[GW_BATCH_MAX]; /* could not be expressed: not in the record, to be sent later
				      */
	size_t nr_deferred;
	size_t nr_pages;		  /* entries with data */
	uint64_t data_gfns[GW_BATCH_MAX]; /* of these, in order */
	void *data[GW_BATCH_MAX];	  /* where each is, in guest memory or in bounce */
	struct gw_mapping mapping;
	bool mapped;
	uint8_t *bounce; /* GW_BATCH_MAX pages once the first one was normalised */
	uint8_t head[GW_RECORD_HEADER_SIZE + 8 + 8 * GW_BATCH_MAX];
	struct iovec iov[1 + GW_BATCH_MAX]; /* the record: head, then merged runs of pages */
	int nr_iov;
	uint64_t bytes;	       /* of the record */
	struct gw_batch *next; /* for whoever holds it */
};

/*
 * Finds the types of b->pfns[0..nr-1], maps what has data, normalises, and builds the record in
 * b->iov. final: the guest is suspended, so nothing may be deferred for its contents. On failure
 * nothing stays mapped.
 */
int gw_batch_prepare(struct gw_batch *b, struct gw_save_guest *g, bool final, struct gw_error *err);
/* Unmaps. Idempotent. */
void gw_batch_release(struct gw_batch *b, struct gw_save_guest *g);

/* A fixed number of batches; one of them is the synchronous case. Used by one thread. */
struct gw_batch_pool {
	struct gw_batch *batches;
	struct gw_batch *unused;
	size_t nr;
};

int gw_batch_pool_init(struct gw_batch_pool *pool, size_t nr, struct gw_error *err);
/* All batches must have been given back. */
void gw_batch_pool_free(struct gw_batch_pool *pool);
struct gw_batch *gw_batch_get(struct gw_batch_pool *pool); /* NULL: all are in flight */
void gw_batch_put(struct gw_batch_pool *pool, struct gw_batch *b);

/*
 * Where prepared batches go. A sink holds on to a batch until none of its pages is needed any more,
 * then releases it and gives it back to the pool.
 */
struct gw_page_sink {
	void *opaque;
	/* Takes b over, on failure too. If the pool is empty afterwards the next call may have to
	 * wait: see reclaim. */
	int (*batch)(void *opaque, struct gw_batch *b, struct gw_error *err);
	/* Gets at least one batch back into the pool. */
	int (*reclaim)(void *opaque, struct gw_error *err);
	/* The end of a round, or before other records are written: everything handed over is on its
	 * way and given back. */
	int (*barrier)(void *opaque, struct gw_error *err);
	/* Gives everything back, whatever became of it: an error or a cancel ends the save. */
	void (*abandon)(void *opaque);
};

/* The default sink: the records in their order on one channel. */
struct gw_channel_sink {
	struct gw_page_sink sink;
	struct gw_channel *out;
	struct gw_save_guest *guest;
	struct gw_batch_pool *pool;
	struct gw_batch *flying;
};

void gw_channel_sink_init(struct gw_channel_sink *s, struct gw_channel *out,
			  struct gw_save_guest *guest, struct gw_batch_pool *pool);

#endif
