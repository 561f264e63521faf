/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A batch of pages, and the pool that batches come from. Save fills a batch from a domain's memory
 * and sends it; restore fills it from a record and applies it.
 */
#ifndef GW_MIGRATE_BATCH_H
#define GW_MIGRATE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <godwit/hypervisor.h>

#include "format/libxc/image.h"
#include "migrate/page_align.h"

struct gw_batch {
	size_t nr; /* entries */
	uint64_t pfns[GW_BATCH_MAX];
	uint64_t gfns[GW_BATCH_MAX];
	uint8_t types[GW_BATCH_MAX];
	bool deferred[GW_BATCH_MAX]; /* not in the record: the entry is to be sent later */
	size_t nr_deferred;
	size_t nr_pages;		  /* entries with data */
	uint64_t data_gfns[GW_BATCH_MAX]; /* of these, in order */
	void *data[GW_BATCH_MAX];	  /* address of each, in guest memory or in bounce */
	struct gw_mapping mapping;
	bool mapped;
	uint8_t *bounce; /* GW_BATCH_MAX pages after the first gw_batch_bounce(), or NULL */
	uint8_t head[GW_RECORD_HEADER_SIZE + 8 + 8 * (GW_BATCH_MAX + GW_PAGE_ALIGN_MAX)];
	struct iovec iov[1 + GW_BATCH_MAX]; /* the record: head, then merged runs of pages */
	int nr_iov;
	uint64_t bytes;	       /* of the record */
	struct gw_batch *next; /* for the list that holds the batch */
};

/*
 * The batch's own copy of page i (0..GW_BATCH_MAX-1): GW_PAGE_SIZE bytes whose contents are
 * undefined. NULL with err if there is no memory for the copies.
 */
void *gw_batch_bounce(struct gw_batch *b, size_t i, struct gw_error *err);
/* Unmaps the batch's pages of d. Does nothing if none is mapped. */
void gw_batch_release(struct gw_batch *b, struct gw_domain *d);

/* A fixed number of batches. A pool of one is the synchronous case. Used by one thread. */
struct gw_batch_pool {
	struct gw_batch *batches;
	struct gw_batch *unused;
	size_t nr;
};

/* 0, or -1 with err. After a failure gw_batch_pool_free() may be called. */
int gw_batch_pool_init(struct gw_batch_pool *pool, size_t nr, struct gw_error *err);
/* All batches must have been given back. */
void gw_batch_pool_free(struct gw_batch_pool *pool);
/* An empty batch (nr is 0). NULL: all are in flight. */
struct gw_batch *gw_batch_get(struct gw_batch_pool *pool);
/* Gives back a batch that was released. */
void gw_batch_put(struct gw_batch_pool *pool, struct gw_batch *b);

#endif
