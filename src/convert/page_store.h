/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The page store: pages by pfn, in an unlinked file. A page that comes again replaces the one
 * before, so the file never grows beyond the domain's memory. Which pages have to be sent, and with
 * which type, is in memory: half a byte for each pfn.
 */
#ifndef GW_CONVERT_PAGE_STORE_H
#define GW_CONVERT_PAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#define GW_PAGE_STORE_CHUNK 1024u /* pfns whose pages are neighbours in the file */

struct gw_page_store_chunk;

/* Zeroed is empty. */
struct gw_page_store {
	int fd;
	bool open;
	struct gw_page_store_chunk
		*chunks; /* in the order of arrival, which is their order in the file */
	size_t nr_chunks, room;
	uint32_t *index; /* open hash: number of a chunk + 1, 0 is free */
	size_t index_size;
	size_t last; /* the chunk of the last call */
};

void gw_page_store_free(struct gw_page_store *s);
/* Marks pfn to be sent with this type. XALLOC leaves a page that came with contents as it is. */
int gw_page_store_mark(struct gw_page_store *s, uint64_t pfn, unsigned type, struct gw_error *err);
/* Writes the contents of n pages from pfn on. 0, or -1 with err. */
int gw_page_store_write(struct gw_page_store *s, uint64_t pfn, size_t n, const void *contents,
			struct gw_error *err);
/* The place of pfn in s->fd, for a caller that writes by itself: *offset, and how many of the n
 * pages are adjacent there. SIZE_MAX with err. */
size_t gw_page_store_place(struct gw_page_store *s, uint64_t pfn, size_t n, uint64_t *offset,
			   struct gw_error *err);
/* Reads n pages, all of one chunk. Pages that never came are zeros. */
int gw_page_store_read(const struct gw_page_store *s, uint64_t pfn, size_t n, void *contents,
		       struct gw_error *err);

/*
 * What has to be sent, a chunk at a time: from number 0 on, entries (as PAGE_DATA has them) into
 * entries[0..GW_PAGE_STORE_CHUNK-1]. Returns how many, and forgets that they have to be; 0 for a
 * chunk of which nothing has. Contents stay.
 */
size_t gw_page_store_take(struct gw_page_store *s, size_t chunk, uint64_t *entries);

#endif
