/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory of a machine: a shared memfd in which gfn N is at N * 4096, with a bitmap of
 * the gfns that have a page. walk.c has the processor's view of it, logdirty.c the written pages.
 */
#ifndef GW_HYPERVISOR_MACHINE_MEMORY_H
#define GW_HYPERVISOR_MACHINE_MEMORY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/hypervisor.h>

/* An open writable mapping: its pages may be written at any time until unmap. */
struct gw_machine_writer {
	struct gw_machine_writer *next;
	size_t n;
	uint64_t gfns[];
};

struct gw_machine_memory {
	uint8_t *base;	      /* of the whole window; unused pages cost nothing */
	uint64_t window;      /* gfns 0..window-1 can have a page */
	uint64_t max;	      /* limit of nr */
	uint64_t *present;    /* bit per gfn; changed with atomic operations */
	uint64_t nr;	      /* bits set in present */
	uint64_t top;	      /* one past the highest gfn that ever had a page */
	pthread_mutex_t lock; /* of writers */
	struct gw_machine_writer *writers;
};

/* max_pfns: the window; 0: max_pages and all pfns below 4 GiB. */
int gw_machine_memory_init(struct gw_machine_memory *m, uint64_t max_pages, uint64_t max_pfns,
			   struct gw_error *err);
void gw_machine_memory_free(struct gw_machine_memory *m);

static inline bool gw_machine_memory_has(const struct gw_machine_memory *m, uint64_t gfn)
{
	return gfn < m->window &&
	       __atomic_load_n(&m->present[gfn / 64], __ATOMIC_RELAXED) >> (gfn % 64) & 1;
}

static inline void *gw_machine_memory_page(const struct gw_machine_memory *m, uint64_t gfn)
{
	return m->base + gfn * GW_PAGE_SIZE;
}

/* Gives each gfn a zeroed page; none of them may have one. All of them, or an error. */
int gw_machine_memory_add(struct gw_machine_memory *m, size_t n, const uint64_t *gfns,
			  struct gw_error *err);
/* Removes a gfn's page with its contents; does nothing if it has none. */
int gw_machine_memory_remove(struct gw_machine_memory *m, uint64_t gfn, struct gw_error *err);

/*
 * Sets the address of each gfn; NULL and GW_MAP_GONE for a gfn without a page. *writer records a
 * writable mapping until gw_machine_memory_close(); NULL if not writable.
 */
int gw_machine_memory_open(struct gw_machine_memory *m, size_t n, const uint64_t *gfns,
			   bool writable, void **pages, uint8_t *results,
			   struct gw_machine_writer **writer, struct gw_error *err);
void gw_machine_memory_close(struct gw_machine_memory *m, struct gw_machine_writer *writer);

/* The domain table's ranges: runs of pages, with holes shorter than 1024 gfns filled in. */
int gw_machine_memory_ranges(const struct gw_machine_memory *m, struct gw_pfn_range **ranges,
			     size_t *n, struct gw_error *err);

/* The first run of gfns with a page at or after from, and its length; 0 if there is none. */
uint64_t gw_machine_memory_run(const struct gw_machine_memory *m, uint64_t from, uint64_t *first);

#endif
