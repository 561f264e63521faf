/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pages by their pfns, in an unlinked file: a page that comes again takes the place of the one
 * before, so that it never holds more than the domain has. Where pages have to be sent, and with
 * which type, is in memory, half a byte each.
 */
#ifndef GW_CONVERT_PAGE_STORE_H
#define GW_CONVERT_PAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#define GW_SLOTS_CHUNK 1024u /* pfns whose pages are neighbours in the file */

struct gw_slots_chunk;

/* Zeroed is empty. */
struct gw_slots {
	int fd;
	bool open;
	struct gw_slots_chunk *chunks; /* in the order of their coming: so they are in the file */
	size_t nr_chunks, room;
	uint32_t *index; /* open hash: number of a chunk + 1, 0 is free */
	size_t index_size;
	size_t last; /* the chunk that was asked for last */
};

void gw_slots_free(struct gw_slots *s);
/* Has to be sent, with this type. XALLOC takes nothing from a page that came with contents. */
int gw_slots_mark(struct gw_slots *s, uint64_t pfn, unsigned type, struct gw_error *err);
/* Contents of n pages from pfn on. */
int gw_slots_write(struct gw_slots *s, uint64_t pfn, size_t n, const void *contents,
		   struct gw_error *err);
/* Where in s->fd that has to be written by whoever can do better: returns of how many of the n,
 * SIZE_MAX with err. */
size_t gw_slots_place(struct gw_slots *s, uint64_t pfn, size_t n, uint64_t *offset,
		      struct gw_error *err);
/* The same back; n pages of one chunk. Zeros for those that never came. */
int gw_slots_read(const struct gw_slots *s, uint64_t pfn, size_t n, void *contents,
		  struct gw_error *err);

/*
 * What has to be sent, a chunk at a time: from number 0 on, entries (as PAGE_DATA has them) into
 * entries[0..GW_SLOTS_CHUNK-1]. Returns how many, and forgets that they have to be; 0 for a chunk
 * of which nothing has. Contents stay.
 */
size_t gw_slots_take(struct gw_slots *s, size_t chunk, uint64_t *entries);

#endif
