/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A hash table of chunks of pfns. What is read out of it beyond runs is in map_runs.c.
 */
#include "examine/memory/map_internal.h"

#include <stdlib.h>
#include <string.h>

#include <godwit/guest.h>

#include "base/hash.h"
#include "base/util.h"

/* Stands for "no entry came": 5 is a reserved page type, which is not added. */
#define NONE 0x5u

/* Every chunk must on average hold this many entries, except the first FREE_CHUNKS. */
#define ENTRIES_PER_CHUNK 64u
#define FREE_CHUNKS	  1024u

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
	size_t i = (size_t)gw_hash(number, gw_hash_seed()) & (nr_slots - 1);

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

static uint64_t place_in(const struct gw_map_places *p, unsigned i)
{
	return p->list ? p->list[i] : p->first + (uint64_t)i * GW_PAGE_SIZE;
}

/* any: contents of the block came before. */
static int put_place(struct gw_map_places *p, bool any, unsigned i, uint64_t place,
		     struct gw_error *err)
{
	uint64_t first = place - (uint64_t)i * GW_PAGE_SIZE;

	if (!any)
		p->first = first;
	if (!p->list && p->first == first)
		return 0;
	if (!p->list) {
		uint64_t *list = malloc(GW_MAP_BLOCK_PFNS * sizeof(*list));

		if (!list)
			return gw_fail_errno(err, "the memory map");
		for (unsigned k = 0; k < GW_MAP_BLOCK_PFNS; k++)
			list[k] = place_in(p, k);
		p->list = list;
	}
	p->list[i] = place;
	return 0;
}

static int remember(struct gw_map_chunk *chunk, unsigned i, uint64_t place, struct gw_error *err)
{
	unsigned block = i / GW_MAP_BLOCK_PFNS;

	if (!chunk->places)
		chunk->places = calloc(GW_ARRAY_SIZE(chunk->had_data), sizeof(*chunk->places));
	if (!chunk->places)
		return gw_fail_errno(err, "the memory map");
	return put_place(&chunk->places[block], chunk->had_data[block] != 0, i % GW_MAP_BLOCK_PFNS,
			 place, err);
}

/* Room for counts up to 255, filled from the bits. */
static int count_few(struct gw_map_chunk *chunk, struct gw_error *err)
{
	uint8_t *few = calloc(GW_MAP_CHUNK_PFNS, sizeof(*few));

	if (!few)
		return gw_fail_errno(err, "the memory map");
	for (unsigned i = 0; i < GW_MAP_CHUNK_PFNS; i++)
		few[i] = chunk->had_data[i / 64] >> i % 64 & 1;
	chunk->few = few;
	return 0;
}

/* Room for more, unless too many chunks have it. */
static int count_many(struct gw_memory_map *map, struct gw_map_chunk *chunk, struct gw_error *err)
{
	if (map->nr_many == GW_MAP_MANY_MAX) {
		map->counts_full = true;
		return 0;
	}
	chunk->many = calloc(GW_MAP_CHUNK_PFNS, sizeof(*chunk->many));
	if (!chunk->many)
		return gw_fail_errno(err, "the memory map");
	for (unsigned i = 0; i < GW_MAP_CHUNK_PFNS; i++)
		chunk->many[i] = chunk->few[i];
	map->nr_many++;
	return 0;
}

static int count_contents(struct gw_memory_map *map, struct gw_map_chunk *chunk, unsigned i,
			  struct gw_error *err)
{
	uint64_t bit = UINT64_C(1) << i % 64;

	if (!(chunk->had_data[i / 64] & bit)) {
		chunk->had_data[i / 64] |= bit;
		if (chunk->few)
			chunk->few[i] = 1;
		if (chunk->many)
			chunk->many[i] = 1;
		return 0;
	}
	map->resent++;
	if (!chunk->few && count_few(chunk, err) < 0)
		return -1;
	if (chunk->few[i] == UINT8_MAX && !chunk->many && count_many(map, chunk, err) < 0)
		return -1;
	chunk->few[i] += chunk->few[i] < UINT8_MAX;
	if (chunk->many)
		chunk->many[i] += chunk->many[i] < UINT32_MAX;
	return 0;
}

static int add(struct gw_memory_map *map, uint64_t pfn, unsigned type, const uint64_t *place,
	       struct gw_error *err)
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
	if (place && remember(chunk, i, *place, err) < 0)
		return -1;
	before = get(chunk, i);
	if (before == NONE)
		map->pfns++;
	else
		map->by_type[before]--;
	map->by_type[type]++;
	put(chunk, i, type);
	map->highest = GW_MAX(map->highest, pfn);
	return gw_page_has_data(type) ? count_contents(map, chunk, i, err) : 0;
}

int gw_memory_map_add(struct gw_memory_map *map, uint64_t pfn, unsigned type, struct gw_error *err)
{
	return add(map, pfn, type, NULL, err);
}

int gw_memory_map_add_at(struct gw_memory_map *map, uint64_t pfn, unsigned type, uint64_t place,
			 struct gw_error *err)
{
	return add(map, pfn, type, &place, err);
}

/* The chunk that has this pfn; NULL if there is none. */
static const struct gw_map_chunk *find(const struct gw_memory_map *map, uint64_t pfn)
{
	uint64_t number = pfn / GW_MAP_CHUNK_PFNS;

	if (map->last && map->last->number == number)
		return map->last;
	return map->nr_slots ? *slot_of(map->slots, map->nr_slots, number) : NULL;
}

int gw_memory_map_type(const struct gw_memory_map *map, uint64_t pfn)
{
	const struct gw_map_chunk *chunk = find(map, pfn);
	unsigned type = chunk ? get(chunk, (unsigned)(pfn % GW_MAP_CHUNK_PFNS)) : NONE;

	return type == NONE ? -1 : (int)type;
}

uint32_t gw_memory_map_times(const struct gw_memory_map *map, uint64_t pfn)
{
	const struct gw_map_chunk *chunk = find(map, pfn);

	return chunk ? gw_map_chunk_times(chunk, (unsigned)(pfn % GW_MAP_CHUNK_PFNS)) : 0;
}

bool gw_memory_map_place(const struct gw_memory_map *map, uint64_t pfn, uint64_t *place)
{
	const struct gw_map_chunk *chunk = find(map, pfn);
	unsigned i = (unsigned)(pfn % GW_MAP_CHUNK_PFNS), block = i / GW_MAP_BLOCK_PFNS;

	if (!chunk || !chunk->places || !(chunk->had_data[block] >> i % GW_MAP_BLOCK_PFNS & 1))
		return false;
	*place = place_in(&chunk->places[block], i % GW_MAP_BLOCK_PFNS);
	return true;
}

bool gw_memory_map_block(const struct gw_memory_map *map, uint64_t pfn, struct gw_map_block *b)
{
	const struct gw_map_chunk *chunk = find(map, pfn);
	unsigned first = (unsigned)(pfn % GW_MAP_CHUNK_PFNS), block = first / GW_MAP_BLOCK_PFNS;

	b->there = b->data = 0;
	if (!chunk)
		return false;
	for (unsigned i = 0; i < GW_MAP_BLOCK_PFNS; i++) {
		b->types[i] = (uint8_t)get(chunk, first + i);
		b->there |= (uint64_t)(b->types[i] != NONE) << i;
	}
	if (chunk->places) {
		b->data = chunk->had_data[block];
		for (unsigned i = 0; i < GW_MAP_BLOCK_PFNS; i++)
			b->places[i] = place_in(&chunk->places[block], i);
	}
	return b->there != 0;
}

static int by_number(const void *a, const void *b)
{
	const struct gw_map_chunk *const *x = a, *const *y = b;

	return (*x)->number < (*y)->number ? -1 : (*x)->number > (*y)->number;
}

struct gw_map_chunk **gw_map_sorted(const struct gw_memory_map *map, struct gw_error *err)
{
	struct gw_map_chunk **sorted = calloc(map->nr_chunks + 1, sizeof(struct gw_map_chunk *));
	size_t n = 0;

	if (!sorted) {
		gw_fail_errno(err, "the memory map");
		return NULL;
	}
	for (size_t i = 0; i < map->nr_slots; i++) {
		if (map->slots[i])
			sorted[n++] = map->slots[i];
	}
	qsort(sorted, n, sizeof(struct gw_map_chunk *), by_number);
	return sorted;
}

uint64_t *gw_memory_map_chunks(const struct gw_memory_map *map, size_t *nr, struct gw_error *err)
{
	GW_FREE_ON_EXIT struct gw_map_chunk **sorted = gw_map_sorted(map, err);
	uint64_t *numbers = sorted ? calloc(map->nr_chunks + 1, sizeof(*numbers)) : NULL;

	if (sorted && !numbers)
		gw_fail_errno(err, "the memory map");
	if (!numbers)
		return NULL;
	*nr = map->nr_chunks;
	for (size_t i = 0; i < *nr; i++)
		numbers[i] = sorted[i]->number;
	return numbers;
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
	GW_FREE_ON_EXIT struct gw_map_chunk **sorted = gw_map_sorted(map, err);
	struct gw_map_run run = {.type = NONE};

	if (!sorted)
		return -1;
	for (size_t c = 0; c < map->nr_chunks; c++) {
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

static void free_chunk(struct gw_map_chunk *chunk)
{
	if (!chunk)
		return;
	for (size_t i = 0; chunk->places && i < GW_ARRAY_SIZE(chunk->had_data); i++)
		free(chunk->places[i].list);
	free(chunk->places);
	free(chunk->few);
	free(chunk->many);
	free(chunk);
}

void gw_memory_map_free(struct gw_memory_map *map)
{
	for (size_t i = 0; i < map->nr_slots; i++)
		free_chunk(map->slots[i]);
	free(map->slots);
	*map = (struct gw_memory_map){0};
}
