/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pages in a file without a name, and where to find them.
 */
#include "examine/memory/tables.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <godwit/guest.h>

#include "base/hash.h"
#include "channel/offset_io.h"
#include "format/x86/pv_layout.h"

/* Where the index of this pfn is, or would be: an empty place. There always is one. */
static uint32_t *place_of(const struct gw_tables *t, uint64_t pfn)
{
	size_t i = (size_t)gw_hash(pfn, gw_hash_seed()) & (t->nr_places - 1);

	while (t->places[i] && t->list[t->places[i] - 1].pfn != pfn)
		i = (i + 1) & (t->nr_places - 1);
	return &t->places[i];
}

static int build_places(struct gw_tables *t, size_t nr_places, struct gw_error *err)
{
	uint32_t *places = calloc(nr_places, sizeof(*places));

	if (!places)
		return gw_fail_errno(err, "the list of page tables");
	free(t->places);
	t->places = places;
	t->nr_places = nr_places;
	for (size_t i = 0; i < t->nr; i++)
		*place_of(t, t->list[i].pfn) = (uint32_t)i + 1;
	return 0;
}

/* Room for one more; the places at most half full. */
static int grow(struct gw_tables *t, struct gw_error *err)
{
	if (t->nr == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		struct gw_table *list = reallocarray(t->list, cap, sizeof(*list));

		if (!list)
			return gw_fail_errno(err, "the list of page tables");
		t->list = list;
		t->cap = cap;
	}
	if (2 * (t->nr + 1) > t->nr_places)
		return build_places(t, t->nr_places ? t->nr_places * 2 : 128, err);
	return 0;
}

/* The table of this pfn, added if need be. *table NULL: there is no room for it. */
static int table_of(struct gw_tables *t, uint64_t pfn, struct gw_table **table,
		    struct gw_error *err)
{
	uint32_t *place;

	if (grow(t, err) < 0)
		return -1;
	place = place_of(t, pfn);
	*table = NULL;
	if (!*place && t->nr == GW_TABLES_MAX)
		return 0;
	if (!*place) {
		t->list[t->nr] = (struct gw_table){.pfn = pfn};
		*place = (uint32_t)++t->nr;
	}
	*table = &t->list[*place - 1];
	return 0;
}

static uint64_t place_in_file(const struct gw_table *table)
{
	return ((uint64_t)table->page - 1) * GW_PAGE_SIZE;
}

int gw_tables_put(struct gw_tables *t, uint64_t pfn, unsigned level, const uint8_t *contents,
		  uint64_t record, uint64_t offset, struct gw_error *err)
{
	static const uint8_t zeros[GW_PAGE_SIZE];
	struct gw_table *table;

	if (table_of(t, pfn, &table, err) < 0)
		return -1;
	if (!table) {
		t->left_out++;
		return 0;
	}
	table->level = (uint8_t)level;
	table->record = record;
	table->offset = offset;
	/* Who had a page once keeps it. */
	if (!table->page && memcmp(contents, zeros, sizeof(zeros)) == 0)
		return 0;
	if (!t->file.open && gw_spool_begin(&t->file, err) < 0)
		return -1;
	if (!table->page)
		table->page = ++t->pages;
	return gw_pwrite_all(t->file.fd, place_in_file(table), contents, GW_PAGE_SIZE,
			     "page tables", err);
}

void gw_tables_drop(struct gw_tables *t, uint64_t pfn)
{
	uint32_t place = t->nr ? *place_of(t, pfn) : 0;

	if (place)
		t->list[place - 1].level = 0;
}

ssize_t gw_tables_find(const struct gw_tables *t, uint64_t pfn)
{
	uint32_t place = t->nr ? *place_of(t, pfn) : 0;

	return place && t->list[place - 1].level ? (ssize_t)place - 1 : -1;
}

int gw_tables_read(const struct gw_tables *t, size_t i, uint64_t *ptes, struct gw_error *err)
{
	if (!t->list[i].page) {
		memset(ptes, 0, GW_PAGE_SIZE);
		return 0;
	}
	if (gw_pread_all(t->file.fd, place_in_file(&t->list[i]), ptes, GW_PAGE_SIZE, "page tables",
			 err) < 0)
		return -1;
	for (unsigned slot = 0; slot < GW_PV_PTES; slot++)
		ptes[slot] = le64toh(ptes[slot]);
	return 0;
}

static int by_pfn(const void *a, const void *b)
{
	const struct gw_table *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

int gw_tables_sort(struct gw_tables *t, struct gw_error *err)
{
	if (!t->nr)
		return 0;
	qsort(t->list, t->nr, sizeof(*t->list), by_pfn);
	return build_places(t, t->nr_places, err);
}

void gw_tables_free(struct gw_tables *t)
{
	gw_spool_close(&t->file);
	free(t->list);
	free(t->places);
	*t = (struct gw_tables){0};
}
