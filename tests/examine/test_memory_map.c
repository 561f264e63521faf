/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the memory map against a plain array, and its bounds.
 */
#include "lib/gwtest.h"

#include <godwit/hypervisor.h>

#include "base/util.h"
#include "examine/memory/map.h"
#include "lib/random.h"

#define PFNS 20000u

struct model {
	int type[PFNS];
	uint64_t runs;
};

/* Each run is as long as possible and of one type, and no pfn between runs is left out. */
static bool check_run(void *opaque, const struct gw_map_run *run)
{
	struct model *m = opaque;

	assert_true(run->first <= run->last && run->last < PFNS);
	for (uint64_t pfn = run->first; pfn <= run->last; pfn++)
		assert_int_equal(m->type[pfn], run->type);
	if (run->first > 0)
		assert_int_not_equal(m->type[run->first - 1], run->type);
	if (run->last + 1 < PFNS)
		assert_int_not_equal(m->type[run->last + 1], run->type);
	m->runs += run->last - run->first + 1;
	return true;
}

static void agrees_with_an_array(void **unused)
{
	static const unsigned types[] = {0x0, 0x1, 0x9, 0xd, 0xe, 0xf};
	static struct model m;
	struct gw_memory_map map = {0};
	struct gw_error err = GW_ERROR_INIT;
	uint64_t pfns = 0, resent = 0, by_type[16] = {0};
	static bool had_data[PFNS];

	for (unsigned i = 0; i < PFNS; i++)
		m.type[i] = -1;
	for (unsigned i = 0; i < 30000; i++) {
		uint64_t pfn = random64() % 3 ? random64() % PFNS : random64() % 100;
		unsigned type = types[random64() % GW_ARRAY_SIZE(types)];

		assert_ok(gw_memory_map_add(&map, pfn, type, &err), &err);
		m.type[pfn] = (int)type;
		resent += gw_page_has_data(type) && had_data[pfn];
		had_data[pfn] |= gw_page_has_data(type);
	}
	for (unsigned i = 0; i < PFNS; i++) {
		assert_int_equal(gw_memory_map_type(&map, i), m.type[i]);
		if (m.type[i] >= 0)
			by_type[m.type[i]]++;
		pfns += m.type[i] >= 0;
	}
	assert_memory_equal(by_type, map.by_type, sizeof(by_type));
	assert_int_equal(map.entries, 30000);
	assert_int_equal(map.pfns, pfns);
	assert_int_equal(map.resent, resent);
	assert_int_equal(map.left_out, 0);
	assert_int_equal(gw_memory_map_type(&map, UINT64_C(1) << 40), -1);
	assert_ok(gw_memory_map_runs(&map, check_run, &m, &err), &err);
	assert_int_equal(m.runs, pfns);
	gw_memory_map_free(&map);
}

/* Runs of pages in a row, as records bring them, and pages sent again, compared with an array. */
static void remembers_places(void **unused)
{
	static uint64_t places[PFNS];
	static bool there[PFNS];
	struct gw_memory_map map = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_map_block block;
	uint64_t *chunks, at = 5, place;
	size_t nr;

	for (unsigned i = 0; i < 3000; i++) {
		uint64_t pfn = random64() % PFNS, run = random64() % 4 ? 1 : random64() % 1000;

		for (; run && pfn < PFNS; run--, pfn++, at += GW_PAGE_SIZE) {
			assert_ok(gw_memory_map_add_at(&map, pfn, GW_PAGE_L1TAB, at, &err), &err);
			places[pfn] = at;
			there[pfn] = true;
		}
		at += random64() % 10000;
	}
	/* An entry without contents. */
	assert_ok(gw_memory_map_add(&map, PFNS, GW_PAGE_XALLOC, &err), &err);
	assert_false(gw_memory_map_place(&map, PFNS, &place));
	for (unsigned i = 0; i < PFNS; i++) {
		assert_int_equal(gw_memory_map_place(&map, i, &place), there[i]);
		if (there[i])
			assert_int_equal(place, places[i]);
	}
	chunks = gw_memory_map_chunks(&map, &nr, &err);
	assert_int_equal(nr, PFNS / GW_MAP_CHUNK_PFNS + 1);
	for (size_t c = 0; c < nr; c++)
		assert_int_equal(chunks[c], c);
	free(chunks);
	for (unsigned i = 0; i < PFNS; i++) {
		unsigned k = i % GW_MAP_BLOCK_PFNS;

		if (k == 0)
			gw_memory_map_block(&map, i, &block);
		assert_int_equal(block.there >> k & 1, there[i]);
		assert_int_equal(block.data >> k & 1, there[i]);
		if (there[i]) {
			assert_int_equal(block.places[k], places[i]);
			assert_int_equal(block.types[k], GW_PAGE_L1TAB);
		}
	}
	assert_true(gw_memory_map_block(&map, PFNS / 64 * 64, &block));
	assert_int_equal(block.types[PFNS % 64], GW_PAGE_XALLOC);
	assert_true(block.there >> PFNS % 64 & ~block.data >> PFNS % 64 & 1);
	assert_false(gw_memory_map_block(&map, UINT64_C(1) << 40, &block));
	gw_memory_map_free(&map);
}

/* The count of each page's copies, with adjacent pages of the same count. */
struct times {
	uint32_t of[PFNS];
	uint64_t next, pfns;
};

static bool check_resent(void *opaque, const struct gw_map_resent *run)
{
	struct times *t = opaque;

	assert_true(run->times > 1 && run->first >= t->next && run->first <= run->last);
	for (; t->next < run->first; t->next++)
		assert_true(t->of[t->next] < 2);
	for (; t->next <= run->last; t->next++)
		assert_int_equal(t->of[t->next], run->times);
	assert_true(t->next == PFNS || t->of[t->next] != run->times);
	return true;
}

static void check_histogram(const struct gw_memory_map *map, const struct times *t)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_map_times *list;
	uint64_t pfns = 0, made = 0;
	size_t nr;

	assert_ok(gw_memory_map_histogram(map, &list, &nr, &err), &err);
	for (size_t i = 0; i < nr; i++) {
		uint64_t n = 0;

		assert_true(i == 0 || list[i].times > list[i - 1].times);
		for (unsigned k = 0; k < PFNS; k++)
			n += t->of[k] == list[i].times;
		assert_int_equal(list[i].pfns, n);
		pfns += n;
	}
	for (unsigned k = 0; k < PFNS; k++)
		made += t->of[k] > 0;
	assert_int_equal(pfns, made);
	free(list);
}

/* From one copy to more than a byte can count, in chunks that need larger counters and chunks that
 * do not. */
static void counts_times(void **unused)
{
	static struct times t;
	struct gw_memory_map map = {0};
	struct gw_error err = GW_ERROR_INIT;
	uint64_t resent = 0;

	for (unsigned i = 0; i < 60000; i++) {
		unsigned pfn = (unsigned)(random64() % PFNS);

		switch (random64() % 4) {
		case 0:
			pfn %= 3; /* a page that is sent often */
			break;
		case 1:
			pfn = 9000 + pfn % 1000;
			break;
		default:
			pfn = pfn < 5000 ? pfn : pfn % 5000;
			break;
		}
		assert_ok(gw_memory_map_add(&map, pfn, GW_PAGE_NOTAB, &err), &err);
		assert_ok(gw_memory_map_add(&map, pfn, GW_PAGE_XTAB, &err), &err);
		resent += t.of[pfn]++ > 0;
	}
	assert_true(t.of[1] > 1000);
	assert_int_equal(map.resent, resent);
	for (unsigned i = 0; i < PFNS; i++)
		assert_int_equal(gw_memory_map_times(&map, i), t.of[i]);
	assert_int_equal(gw_memory_map_times(&map, UINT64_C(1) << 40), 0);
	assert_ok(gw_memory_map_resent(&map, check_resent, &t, &err), &err);
	for (; t.next < PFNS; t.next++)
		assert_true(t.of[t.next] < 2);
	check_histogram(&map, &t);
	assert_false(map.counts_full);
	gw_memory_map_free(&map);
}

/* Only a limited number of chunks gets counters that are larger than a byte. */
static void counts_are_bounded(void **unused)
{
	struct gw_memory_map map = {0};
	struct gw_error err = GW_ERROR_INIT;
	const uint64_t chunks = GW_MAP_MANY_MAX + 3;
	uint64_t last = 0;

	for (uint64_t c = 0; c < chunks; c++)
		for (unsigned i = 0; i < 300; i++)
			assert_ok(
				gw_memory_map_add(&map, c * GW_MAP_CHUNK_PFNS, GW_PAGE_NOTAB, &err),
				&err);
	assert_true(map.counts_full);
	for (uint64_t c = 0; c < chunks; c++)
		last += gw_memory_map_times(&map, c * GW_MAP_CHUNK_PFNS) == 255;
	assert_int_equal(last, 3);
	assert_int_equal(gw_memory_map_times(&map, 0), 300);
	gw_memory_map_free(&map);
}

struct holes {
	struct gw_map_hole list[8];
	size_t nr;
};

static bool take_hole(void *opaque, const struct gw_map_hole *hole)
{
	struct holes *h = opaque;

	h->list[h->nr++] = *hole;
	return true;
}

static void finds_holes(void **unused)
{
	struct gw_memory_map map = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct holes h = {0};
	static const struct gw_map_hole made[] = {
		{0, 4}, {8, 8}, {10, 0xfffff}, {0x100001, 0x200000}};

	assert_ok(gw_memory_map_holes(&map, take_hole, &h, &err), &err);
	assert_int_equal(h.nr, 0);
	for (uint64_t pfn = 5; pfn < 10; pfn++)
		assert_ok(gw_memory_map_add(&map, pfn, pfn == 8 ? GW_PAGE_BROKEN : GW_PAGE_L1TAB,
					    &err),
			  &err);
	assert_ok(gw_memory_map_add(&map, 12, GW_PAGE_XTAB, &err), &err);
	assert_ok(gw_memory_map_add(&map, 0x100000, GW_PAGE_XALLOC, &err), &err);
	assert_ok(gw_memory_map_add(&map, 0x200000, GW_PAGE_XTAB, &err), &err);
	assert_ok(gw_memory_map_holes(&map, take_hole, &h, &err), &err);
	assert_int_equal(h.nr, GW_ARRAY_SIZE(made));
	for (size_t i = 0; i < h.nr; i++) {
		assert_int_equal(h.list[i].first, made[i].first);
		assert_int_equal(h.list[i].last, made[i].last);
	}
	/* Memory at the top: no hole after it. */
	assert_ok(gw_memory_map_add(&map, 0x200000, GW_PAGE_NOTAB, &err), &err);
	h.nr = 0;
	assert_ok(gw_memory_map_holes(&map, take_hole, &h, &err), &err);
	assert_int_equal(h.nr, 4);
	assert_int_equal(h.list[3].last, 0x1fffff);
	/* A hole that is the highest pfn alone. */
	assert_ok(gw_memory_map_add(&map, 0x200001, GW_PAGE_XTAB, &err), &err);
	h.nr = 0;
	assert_ok(gw_memory_map_holes(&map, take_hole, &h, &err), &err);
	assert_int_equal(h.nr, 5);
	assert_int_equal(h.list[4].first, 0x200001);
	assert_int_equal(h.list[4].last, 0x200001);
	gw_memory_map_free(&map);
}

static bool collect(void *opaque, const struct gw_map_run *run)
{
	struct gw_map_run **next = opaque;

	*(*next)++ = *run;
	return true;
}

/* Chunks are kept in no order, runs come in order and go across chunks. */
static void runs_cross_chunks(void **unused)
{
	struct gw_memory_map map = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_map_run runs[8], *next = runs;

	for (uint64_t pfn = 4 * GW_MAP_CHUNK_PFNS; pfn-- > GW_MAP_CHUNK_PFNS - 5;)
		assert_ok(gw_memory_map_add(&map, pfn, GW_PAGE_NOTAB, &err), &err);
	assert_ok(gw_memory_map_add(&map, UINT64_C(1) << 35, GW_PAGE_XTAB, &err), &err);
	assert_ok(gw_memory_map_add(&map, 0, GW_PAGE_XTAB, &err), &err);
	/* The last pfn of a chunk; the chunk next to it in the table is far away. */
	assert_ok(gw_memory_map_add(&map, (UINT64_C(1) << 34) - 1, GW_PAGE_XTAB, &err), &err);
	assert_ok(gw_memory_map_runs(&map, collect, &next, &err), &err);
	assert_int_equal(next - runs, 4);
	assert_int_equal(runs[0].first, 0);
	assert_int_equal(runs[0].type, GW_PAGE_XTAB);
	assert_int_equal(runs[1].first, GW_MAP_CHUNK_PFNS - 5);
	assert_int_equal(runs[1].last, 4 * GW_MAP_CHUNK_PFNS - 1);
	assert_int_equal(runs[2].last, (UINT64_C(1) << 34) - 1);
	assert_int_equal(runs[3].first, UINT64_C(1) << 35);
	assert_int_equal(map.highest, UINT64_C(1) << 35);
	gw_memory_map_free(&map);
}

/* Pfns far apart use a chunk each: soon they are only counted. */
static void is_bounded(void **unused)
{
	struct gw_memory_map map = {0};
	struct gw_error err = GW_ERROR_INIT;

	for (uint64_t i = 0; i < 200000; i++)
		assert_ok(gw_memory_map_add(&map, i * GW_MAP_CHUNK_PFNS, GW_PAGE_XTAB, &err), &err);
	assert_int_equal(map.entries, 200000);
	assert_int_equal(map.pfns + map.left_out, 200000);
	assert_true(map.left_out > 190000);
	/* A real image of that size gets all the room it needs. */
	gw_memory_map_free(&map);
	for (uint64_t i = 0; i < 8000000; i++)
		assert_ok(gw_memory_map_add(&map, i, GW_PAGE_NOTAB, &err), &err);
	assert_int_equal(map.left_out, 0);
	assert_int_equal(map.pfns, 8000000);
	gw_memory_map_free(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_an_array), cmocka_unit_test(remembers_places),
		cmocka_unit_test(counts_times),		cmocka_unit_test(counts_are_bounded),
		cmocka_unit_test(finds_holes),		cmocka_unit_test(runs_cross_chunks),
		cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
