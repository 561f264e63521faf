/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The pool of batches, and the operations on a batch that save and restore share.
 */
#include "hypervisor/domain.h"
#include "migrate/batch.h"

#include <stdlib.h>
#include <sys/mman.h>

void *gw_batch_bounce(struct gw_batch *b, size_t i, struct gw_error *err)
{
	if (!b->bounce) {
		void *p = mmap(NULL, (size_t)GW_BATCH_MAX * GW_PAGE_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED) {
			gw_fail_errno(err, "memory for copies of a batch's pages");
			return NULL;
		}
		b->bounce = p;
	}
	return b->bounce + i * GW_PAGE_SIZE;
}

void gw_batch_release(struct gw_batch *b, struct gw_domain *d)
{
	if (b->mapped)
		gw_domain_unmap(d, &b->mapping);
	b->mapped = false;
}

int gw_batch_pool_init(struct gw_batch_pool *pool, size_t nr, struct gw_error *err)
{
	*pool = (struct gw_batch_pool){.nr = nr};
	pool->batches = calloc(nr, sizeof(*pool->batches));
	if (!pool->batches)
		return gw_fail(err, GW_NO_MEMORY, "memory for %zu batches of pages", nr);
	for (size_t i = 0; i < nr; i++)
		gw_batch_put(pool, &pool->batches[i]);
	return 0;
}

void gw_batch_pool_free(struct gw_batch_pool *pool)
{
	for (size_t i = 0; pool->batches && i < pool->nr; i++)
		if (pool->batches[i].bounce)
			munmap(pool->batches[i].bounce, (size_t)GW_BATCH_MAX * GW_PAGE_SIZE);
	free(pool->batches);
	*pool = (struct gw_batch_pool){0};
}

struct gw_batch *gw_batch_get(struct gw_batch_pool *pool)
{
	struct gw_batch *b = pool->unused;

	if (b) {
		pool->unused = b->next;
		b->next = NULL;
		b->nr = 0;
	}
	return b;
}

void gw_batch_put(struct gw_batch_pool *pool, struct gw_batch *b)
{
	b->next = pool->unused;
	pool->unused = b;
}
