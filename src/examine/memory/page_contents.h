/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A digest of each pfn's last contents. It counts pages that are zero, one repeated word, or equal
 * to others. It needs 8 bytes for each page that arrived, and never more than
 * GW_CONTENTS_CHUNKS_MAX allows.
 */
#ifndef GW_EXAMINE_MEMORY_PAGE_CONTENTS_H
#define GW_EXAMINE_MEMORY_PAGE_CONTENTS_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#define GW_CONTENTS_CHUNK_PFNS 512u
/* 4 KiB each: 512 MiB in all, for a domain of 256 GiB. */
#define GW_CONTENTS_CHUNKS_MAX (1u << 17)

struct gw_contents_chunk;
struct gw_page_key;

/* Zeroed is empty. */
struct gw_page_contents {
	uint64_t left_out; /* pages that found no room: the counts are then of the others only */

	/* private */
	struct gw_page_key *key;
	struct gw_contents_chunk **slots; /* open addressing by chunk number; a power of two */
	size_t nr_slots, nr_chunks;
	struct gw_contents_chunk *last;
};

/*
 * *digest of 4096 bytes, never 0. Equal pages have equal ones. Whether others may have depends on a
 * random key, so that no image can be made to look as if.
 */
int gw_page_digest(struct gw_page_contents *c, const uint8_t *page, uint64_t *digest,
		   struct gw_error *err);
/* The contents of this pfn are these from now on; digest 0: it has none. */
int gw_page_contents_put(struct gw_page_contents *c, uint64_t pfn, uint64_t digest,
			 struct gw_error *err);

struct gw_contents_counts {
	uint64_t pages;	      /* with contents */
	uint64_t zero;	      /* of those, all zero */
	uint64_t one_word;    /* the same 64-bit word throughout, not zero */
	uint64_t equal;	      /* of all others: another pfn has the same contents */
	uint64_t equal_kinds; /* how many different contents these have among them */
};
int gw_page_contents_count(const struct gw_page_contents *c, struct gw_contents_counts *counts,
			   struct gw_error *err);

void gw_page_contents_free(struct gw_page_contents *c);

#endif
