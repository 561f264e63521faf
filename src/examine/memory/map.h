/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory map of an image: for each pfn its last type, how often its contents were sent and, on
 * request, the place of the last contents. It is sparse, with five bits per pfn (a byte more where
 * pages were resent), and bounded: an image with scattered pfns fills it slower than its own bytes
 * arrive, and never beyond GW_MAP_CHUNKS_MAX.
 */
#ifndef GW_EXAMINE_MEMORY_MAP_H
#define GW_EXAMINE_MEMORY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#define GW_MAP_CHUNK_PFNS 4096u
/* 2.5 KiB each: 320 MiB in all, enough for a domain of 2 TiB; if all of it is resent, 832 MiB. */
#define GW_MAP_CHUNKS_MAX (1u << 17)
/* Of those, the ones that have room for counts above 255, 16 KiB each. */
#define GW_MAP_MANY_MAX 4096u

struct gw_map_chunk;

/* Zeroed is empty. */
struct gw_memory_map {
	uint64_t entries;     /* that were added */
	uint64_t resent;      /* of those, contents of a pfn that had come before */
	uint64_t pfns;	      /* different pfns */
	uint64_t by_type[16]; /* pfns whose last entry had this type */
	uint64_t highest;     /* pfn, if pfns > 0 */
	uint64_t left_out;    /* entries that found no room: the map is then incomplete */
	bool counts_full;     /* there was no room to count beyond 255 somewhere: "255 or more" */

	/* private */
	struct gw_map_chunk **slots; /* open addressing by chunk number; a power of two of them */
	size_t nr_slots, nr_chunks, nr_many;
	struct gw_map_chunk *last;
};

/* Neighbouring pfns of one type. */
struct gw_map_run {
	uint64_t first, last;
	unsigned type; /* enum gw_page_type */
};

/* What is known about GW_MAP_BLOCK_PFNS pfns in a row; a bit or an element for each. */
#define GW_MAP_BLOCK_PFNS 64u
struct gw_map_block {
	uint64_t there; /* an entry came */
	uint64_t data;	/* contents came: the last are at places[] */
	uint8_t types[GW_MAP_BLOCK_PFNS];
	uint64_t places[GW_MAP_BLOCK_PFNS];
};

int gw_memory_map_add(struct gw_memory_map *map, uint64_t pfn, unsigned type, struct gw_error *err);
/*
 * The same for an entry whose type has contents, and remembers that the contents are at place, a
 * number of the caller's. Where most pages stand in the order of their pfns, 4096 apart, that takes
 * two bits more per pfn, else up to 64.
 */
int gw_memory_map_add_at(struct gw_memory_map *map, uint64_t pfn, unsigned type, uint64_t place,
			 struct gw_error *err);

/* The last type of a pfn, or -1 if none came. */
int gw_memory_map_type(const struct gw_memory_map *map, uint64_t pfn);
/* How often its contents came. */
uint32_t gw_memory_map_times(const struct gw_memory_map *map, uint64_t pfn);
/* Returns the place of a pfn's last contents, if gw_memory_map_add_at() recorded it. */
bool gw_memory_map_place(const struct gw_memory_map *map, uint64_t pfn, uint64_t *place);

/* The numbers of the chunks of GW_MAP_CHUNK_PFNS pfns that have entries, lowest first, for the
 * caller to free. NULL with err. */
uint64_t *gw_memory_map_chunks(const struct gw_memory_map *map, size_t *nr, struct gw_error *err);
/* The block that begins with this pfn, a multiple of its size. False if nothing is there. */
bool gw_memory_map_block(const struct gw_memory_map *map, uint64_t pfn, struct gw_map_block *block);

/*
 * Calls fn for every run, lowest pfn first. Sorts the chunks first; -1 if there is no memory for
 * that. Ends early when fn returns false.
 */
int gw_memory_map_runs(const struct gw_memory_map *map,
		       bool (*fn)(void *opaque, const struct gw_map_run *run), void *opaque,
		       struct gw_error *err);

/* Neighbouring pfns without memory (never mentioned, XTAB, BROKEN) up to the highest pfn. The same
 * way. */
struct gw_map_hole {
	uint64_t first, last;
};
int gw_memory_map_holes(const struct gw_memory_map *map,
			bool (*fn)(void *opaque, const struct gw_map_hole *hole), void *opaque,
			struct gw_error *err);

/* Neighbouring pfns whose contents came equally often, and more than once. The same way. */
struct gw_map_resent {
	uint64_t first, last;
	uint32_t times;
};
int gw_memory_map_resent(const struct gw_memory_map *map,
			 bool (*fn)(void *opaque, const struct gw_map_resent *run), void *opaque,
			 struct gw_error *err);

/* How many pfns' contents came so often. */
struct gw_map_times {
	uint32_t times;
	uint64_t pfns;
};
/* All that there are, fewest times (once) first: free() *list. */
int gw_memory_map_histogram(const struct gw_memory_map *map, struct gw_map_times **list, size_t *nr,
			    struct gw_error *err);

void gw_memory_map_free(struct gw_memory_map *map);

#endif
