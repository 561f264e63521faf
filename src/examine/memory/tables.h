/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The page tables of a PV guest as an image has them: the last contents of each, by its pfn. They
 * are kept in an unlinked file, one page for each pfn that ever was a table, but for those that are
 * all zero; in memory there are some bytes for each. What they mean is not known here.
 */
#ifndef GW_EXAMINE_MEMORY_TABLES_H
#define GW_EXAMINE_MEMORY_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "channel/spool.h"

/* Enough for a guest of 2 TiB: 40 MiB of memory, 4 GiB in the file. */
#define GW_TABLES_MAX (1u << 20)

struct gw_table {
	uint64_t pfn;
	uint64_t record, offset; /* the PAGE_DATA its contents came in: number, and where it is */
	uint32_t page;		 /* in the file, from 1; 0: all zero */
	uint8_t level;		 /* as its contents came; 0: it is a table no more */
};

/* Zeroed is empty. */
struct gw_tables {
	struct gw_table *list;
	size_t nr;
	uint64_t left_out; /* tables that found no room */

	/* private */
	size_t cap;
	uint32_t *places; /* open addressing by pfn: index in list, plus 1 */
	size_t nr_places;
	struct gw_spool file;
	uint32_t pages; /* in the file */
};

/* These 4096 bytes are the contents of this pfn, a table of this level, from record number record
 * at offset. */
int gw_tables_put(struct gw_tables *t, uint64_t pfn, unsigned level, const uint8_t *contents,
		  uint64_t record, uint64_t offset, struct gw_error *err);
/* Other contents came for this pfn: it is no table any more. */
void gw_tables_drop(struct gw_tables *t, uint64_t pfn);

/* Its place in the list, or -1: contents never came or it is a table no more. */
ssize_t gw_tables_find(const struct gw_tables *t, uint64_t pfn);
/* The entries of a table, 512 of them. */
int gw_tables_read(const struct gw_tables *t, size_t i, uint64_t *ptes, struct gw_error *err);

/* Puts the list in the order of pfns. */
int gw_tables_sort(struct gw_tables *t, struct gw_error *err);

void gw_tables_free(struct gw_tables *t);

#endif
