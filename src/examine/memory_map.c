/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A hash table of chunks of pfns.
 */
#include "examine/memory_map.h"

#include <stdlib.h>
#include <string.h>

#include <godwit/hypervisor.h>

#include "base/util.h"

/* Stands for "no entry came": 5 is a reserved page type, which is not added. */
#define NONE 0x5u

/* Every chunk must on average hold this many entries, except the first FREE_CHUNKS. */
#define ENTRIES_PER_CHUNK 64u
#define FREE_CHUNKS	  1024u

struct gw_map_chunk {
	uint64_t number;		      /* pfn / GW_MAP_CHUNK_PFNS */
	uint8_t types[GW_MAP_CHUNK_PFNS / 2]; /* the even pfn in the lower half */
	uint64_t had_data[GW_MAP_CHUNK_PFNS / 64];
};

static unsigned get(const struct gw_map_chunk *chunk, unsigned i)
{
	return chunk->types[i / 2] >> (i % 2 * 4) & 0xf;
}

static void put(struct gw_map_chunk *chunk, unsigned i, unsigned type)
{
	unsigned shift = i % 2 * 4;

	chunk->types[i / 2] = (uint8_t)((chunk->types[i / 2] & ~(0xfu << shift)) | type << shift);
}

/* Where the chunk is, or the empty slot where it would be. There always is one. */
static struct gw_map_chunk **slot_of(struct gw_map_chunk **slots, size_t nr_slots, uint64_t number)
{
	/* Fibonacci hashing: neighbouring chunk numbers scatter. */
	size_t i = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (nr_slots - 1);

	while (slots[i] && slots[i]->number != number)
		i = (i + 1) & (nr_slots - 1);
	return &slots[i];
}

/* Keeps the table at most half full. */
static int grow(struct gw_memory_map *map, struct gw_error *err)
{
	size_t nr = map->nr_slots ? map->nr_slots * 2 : 64;
	struct gw_map_chunk **slots;

	if (map->nr_slots && map->nr_chunks < map->nr_slots / 2)
		return 0;
	slots = calloc(nr, sizeof(struct gw_map_chunk *));
	if (!slots)
		return gw_fail_errno(err, "the memory map");
	for (size_t i = 0; i < map->nr_slots; i++) {
		if (map->slots[i])
			*slot_of(slots, nr, map->slots[i]->number) = map->slots[i];
	}
	free(map->slots);
	map->slots = slots;
	map->nr_slots = nr;
	return 0;
}

static bool has_room(const struct gw_memory_map *map)
{
	return map->nr_chunks < GW_MAP_CHUNKS_MAX &&
	       map->nr_chunks < FREE_CHUNKS + map->entries / ENTRIES_PER_CHUNK;
}

/* The chunk of that number, made if need be. *chunk NULL: there is no room for it. */
static int chunk_of(struct gw_memory_map *map, uint64_t number, struct gw_map_chunk **chunk,
		    struct gw_error *err)
{
	struct gw_map_chunk **slot;

	*chunk = map->last;
	if (map->last && map->last->number == number)
		return 0;
	if (grow(map, err) < 0)
		return -1;
	slot = slot_of(map->slots, map->nr_slots, number);
	if (!*slot && has_room(map)) {
		*slot = calloc(1, sizeof(**slot));
		if (!*slot)
			return gw_fail_errno(err, "the memory map");
		(*slot)->number = number;
		memset((*slot)->types, NONE | NONE << 4, sizeof((*slot)->types));
		map->nr_chunks++;
	}
	*chunk = *slot;
	if (*slot)
		map->last = *slot;
	return 0;
}

int gw_memory_map_add(struct gw_memory_map *map, uint64_t pfn, unsigned type, struct gw_error *err)
{
	unsigned i = (unsigned)(pfn % GW_MAP_CHUNK_PFNS);
	struct gw_map_chunk *chunk;
	unsigned before;

	map->entries++;
	if (chunk_of(map, pfn / GW_MAP_CHUNK_PFNS, &chunk, err) < 0)
		return -1;
	if (!chunk || type == NONE) {
		map->left_out++;
		return 0;
	}
	before = get(chunk, i);
	if (before == NONE)
		map->pfns++;
	else
		map->by_type[before]--;
	map->by_type[type]++;
	put(chunk, i, type);
	map->highest = GW_MAX(map->highest, pfn);
	if (gw_page_has_data(type)) {
		uint64_t bit = UINT64_C(1) << i % 64;

		map->resent += (chunk->had_data[i / 64] & bit) != 0;
		chunk->had_data[i / 64] |= bit;
	}
	return 0;
}

int gw_memory_map_type(const struct gw_memory_map *map, uint64_t pfn)
{
	const struct gw_map_chunk *chunk;
	unsigned type;

	if (!map->nr_slots)
		return -1;
	chunk = *slot_of(map->slots, map->nr_slots, pfn / GW_MAP_CHUNK_PFNS);
	if (!chunk)
		return -1;
	type = get(chunk, (unsigned)(pfn % GW_MAP_CHUNK_PFNS));
	return type == NONE ? -1 : (int)type;
}

static int by_number(const void *a, const void *b)
{
	const struct gw_map_chunk *const *x = a, *const *y = b;

	return (*x)->number < (*y)->number ? -1 : (*x)->number > (*y)->number;
}

/* Adds one pfn to the run at hand, or hands that on and begins another. */
static bool extend(struct gw_map_run *run, uint64_t pfn, unsigned type,
		   bool (*fn)(void *opaque, const struct gw_map_run *run), void *opaque)
{
	bool go_on = true;

	if (run->type == type && type != NONE && run->last + 1 == pfn) {
		run->last = pfn;
		return true;
	}
	if (run->type != NONE)
		go_on = fn(opaque, run);
	*run = (struct gw_map_run){.first = pfn, .last = pfn, .type = type};
	return go_on;
}

int gw_memory_map_runs(const struct gw_memory_map *map,
		       bool (*fn)(void *opaque, const struct gw_map_run *run), void *opaque,
		       struct gw_error *err)
{
	GW_FREE_ON_EXIT struct gw_map_chunk **sorted =
		calloc(map->nr_chunks + 1, sizeof(struct gw_map_chunk *));
	struct gw_map_run run = {.type = NONE};
	size_t n = 0;

	if (!sorted)
		return gw_fail_errno(err, "the memory map");
	for (size_t i = 0; i < map->nr_slots; i++) {
		if (map->slots[i])
			sorted[n++] = map->slots[i];
	}
	qsort(sorted, n, sizeof(struct gw_map_chunk *), by_number);
	for (size_t c = 0; c < n; c++) {
		for (unsigned i = 0; i < GW_MAP_CHUNK_PFNS; i++) {
			if (!extend(&run, sorted[c]->number * GW_MAP_CHUNK_PFNS + i,
				    get(sorted[c], i), fn, opaque))
				return 0;
		}
	}
	if (run.type != NONE)
		fn(opaque, &run);
	return 0;
}

void gw_memory_map_free(struct gw_memory_map *map)
{
	for (size_t i = 0; i < map->nr_slots; i++)
		free(map->slots[i]);
	free(map->slots);
	*map = (struct gw_memory_map){0};
}
