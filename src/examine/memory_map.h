/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an image says about each pfn: its last type, and whether its contents came before. Sparse,
 * in five bits per pfn, and bounded: an image that names pfns far apart fills it slower than its
 * own bytes come, and never beyond GW_MAP_CHUNKS_MAX.
 */
#ifndef GW_EXAMINE_MEMORY_MAP_H
#define GW_EXAMINE_MEMORY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#define GW_MAP_CHUNK_PFNS 4096u
/* 2.5 KiB each: 320 MiB in all, enough for a domain of 2 TiB. */
#define GW_MAP_CHUNKS_MAX (1u << 17)

struct gw_map_chunk;

/* Zeroed is empty. */
struct gw_memory_map {
	uint64_t entries;     /* that were added */
	uint64_t resent;      /* of those, contents of a pfn that had come before */
	uint64_t pfns;	      /* different pfns */
	uint64_t by_type[16]; /* pfns whose last entry had this type */
	uint64_t highest;     /* pfn, if pfns > 0 */
	uint64_t left_out;    /* entries that found no room: the map is then incomplete */

	/* private */
	struct gw_map_chunk **slots; /* open addressing by chunk number; a power of two of them */
	size_t nr_slots, nr_chunks;
	struct gw_map_chunk *last;
};

/* Neighbouring pfns of one type. */
struct gw_map_run {
	uint64_t first, last;
	unsigned type; /* enum gw_page_type */
};

int gw_memory_map_add(struct gw_memory_map *map, uint64_t pfn, unsigned type, struct gw_error *err);

/* The last type of a pfn, or -1 if none came. */
int gw_memory_map_type(const struct gw_memory_map *map, uint64_t pfn);

/*
 * Calls fn for every run, lowest pfn first. Sorts the chunks first; -1 if there is no memory for
 * that. Ends early when fn returns false.
 */
int gw_memory_map_runs(const struct gw_memory_map *map,
		       bool (*fn)(void *opaque, const struct gw_map_run *run), void *opaque,
		       struct gw_error *err);

void gw_memory_map_free(struct gw_memory_map *map);

#endif
