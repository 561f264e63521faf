/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Further views of the memory map: holes, and how often pages were resent.
 */
#include "examine/memory/map_internal.h"

#include <stdlib.h>
#include <string.h>

#include <godwit/guest.h>

#include "base/buffer.h"
#include "base/util.h"

struct holes {
	uint64_t next; /* the pfn after the last that has memory */
	bool (*fn)(void *opaque, const struct gw_map_hole *hole);
	void *opaque;
	bool over;
};

static bool before_memory(void *opaque, const struct gw_map_run *run)
{
	struct holes *h = opaque;

	if (!gw_page_is_populated(run->type))
		return true;
	if (run->first > h->next)
		h->over = !h->fn(h->opaque, &(struct gw_map_hole){h->next, run->first - 1});
	h->next = run->last + 1;
	return !h->over;
}

int gw_memory_map_holes(const struct gw_memory_map *map,
			bool (*fn)(void *opaque, const struct gw_map_hole *hole), void *opaque,
			struct gw_error *err)
{
	struct holes h = {.fn = fn, .opaque = opaque};

	if (gw_memory_map_runs(map, before_memory, &h, err) < 0)
		return -1;
	if (!h.over && map->pfns && h.next <= map->highest)
		fn(opaque, &(struct gw_map_hole){h.next, map->highest});
	return 0;
}

int gw_memory_map_resent(const struct gw_memory_map *map,
			 bool (*fn)(void *opaque, const struct gw_map_resent *run), void *opaque,
			 struct gw_error *err)
{
	GW_FREE_ON_EXIT struct gw_map_chunk **sorted = gw_map_sorted(map, err);
	struct gw_map_resent run = {0};

	if (!sorted)
		return -1;
	for (size_t c = 0; c < map->nr_chunks; c++) {
		for (unsigned i = 0; sorted[c]->few && i < GW_MAP_CHUNK_PFNS; i++) {
			uint32_t times = gw_map_chunk_times(sorted[c], i);
			uint64_t pfn = sorted[c]->number * GW_MAP_CHUNK_PFNS + i;

			if (times < 2)
				continue;
			if (run.times == times && run.last + 1 == pfn) {
				run.last = pfn;
				continue;
			}
			if (run.times && !fn(opaque, &run))
				return 0;
			run = (struct gw_map_resent){.first = pfn, .last = pfn, .times = times};
		}
	}
	if (run.times)
		fn(opaque, &run);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* How many pfns came so often, for counts up to 255; those above are listed one by one. */
static int sort_out(const struct gw_memory_map *map, uint64_t few[256], struct gw_buffer *more,
		    struct gw_error *err)
{
	for (size_t s = 0; s < map->nr_slots; s++) {
		const struct gw_map_chunk *chunk = map->slots[s];

		for (unsigned i = 0; chunk && i < GW_MAP_CHUNK_PFNS; i++) {
			uint32_t times = gw_map_chunk_times(chunk, i);

			if (times < 256)
				few[times]++;
			else if (gw_buffer_append(more, &times, sizeof(times), err) < 0)
				return -1;
		}
	}
	if (more->len)
		qsort(more->data, more->len / sizeof(uint32_t), sizeof(uint32_t), by_value);
	return 0;
}

static int list_times(const uint64_t few[256], const struct gw_buffer *more, struct gw_buffer *list,
		      struct gw_error *err)
{
	const uint32_t *values = (const uint32_t *)(const void *)more->data;
	size_t nr = more->len / sizeof(*values);

	for (uint32_t times = 1; times < 256; times++) {
		const struct gw_map_times entry = {.times = times, .pfns = few[times]};

		if (entry.pfns && gw_buffer_append(list, &entry, sizeof(entry), err) < 0)
			return -1;
	}
	for (size_t i = 0, same; i < nr; i += same) {
		for (same = 1; i + same < nr && values[i + same] == values[i];)
			same++;
		const struct gw_map_times entry = {.times = values[i], .pfns = same};

		if (gw_buffer_append(list, &entry, sizeof(entry), err) < 0)
			return -1;
	}
	return 0;
}

int gw_memory_map_histogram(const struct gw_memory_map *map, struct gw_map_times **list, size_t *nr,
			    struct gw_error *err)
{
	uint64_t few[256] = {0};
	struct gw_buffer more = {0}, entries = {0};
	int rc = sort_out(map, few, &more, err);

	if (rc == 0)
		rc = list_times(few, &more, &entries, err);
	gw_buffer_free(&more);
	*list = NULL;
	*nr = 0;
	if (rc < 0) {
		gw_buffer_free(&entries);
		return -1;
	}
	*list = (struct gw_map_times *)(void *)entries.data;
	*nr = entries.len / sizeof(**list);
	return 0;
}
