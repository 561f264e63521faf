/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files of the memory map share: a chunk of it. Others use map.h.
 */
#ifndef GW_EXAMINE_MEMORY_MAP_INTERNAL_H
#define GW_EXAMINE_MEMORY_MAP_INTERNAL_H

#include "examine/memory/map.h"

/*
 * Where the contents of a block of pfns are: 4096 apart in the order of the pfns, the first would
 * be at base; or as listed.
 */
struct gw_map_places {
	uint64_t first;
	uint64_t *list; /* GW_MAP_BLOCK_PFNS, or NULL */
};

/*
 * How often contents came is counted in as little room as it takes: a bit for each pfn, a byte once
 * one of the chunk's came again, a word once one came more than 255 times.
 */
struct gw_map_chunk {
	uint64_t number;		      /* pfn / GW_MAP_CHUNK_PFNS */
	uint8_t types[GW_MAP_CHUNK_PFNS / 2]; /* the even pfn in the lower half */
	uint64_t had_data[GW_MAP_CHUNK_PFNS / GW_MAP_BLOCK_PFNS];
	struct gw_map_places *places; /* of each block; NULL: no place was recorded */
	uint8_t *few;		      /* times of each pfn; NULL: none came twice */
	uint32_t *many;
};

static inline uint32_t gw_map_chunk_times(const struct gw_map_chunk *chunk, unsigned i)
{
	if (chunk->many)
		return chunk->many[i];
	return chunk->few ? chunk->few[i] : (uint32_t)(chunk->had_data[i / 64] >> i % 64 & 1);
}

/* The chunks, lowest number first, map->nr_chunks of them, for the caller to free. NULL with err.
 */
struct gw_map_chunk **gw_map_sorted(const struct gw_memory_map *map, struct gw_error *err);

#endif
