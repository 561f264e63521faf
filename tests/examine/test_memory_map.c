/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory map against a plain array, and its bounds.
 */
#include "gwtest.h"

#include <godwit/hypervisor.h>

#include "base/util.h"
#include "examine/memory_map.h"

#define PFNS 20000u

static uint64_t state;

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

struct model {
	int type[PFNS];
	uint64_t runs;
};

/* Each run is maximal, of one type, and nothing between runs was left out. */
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
	const char *seed = getenv("GODWIT_SEED");

	state = seed ? strtoull(seed, NULL, 0) : 0x5eed;
	print_message("GODWIT_SEED=%llu\n", (unsigned long long)state);
	for (unsigned i = 0; i < PFNS; i++)
		m.type[i] = -1;
	for (unsigned i = 0; i < 30000; i++) {
		uint64_t pfn = rnd() % 3 ? rnd() % PFNS : rnd() % 100;
		unsigned type = types[rnd() % GW_ARRAY_SIZE(types)];

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

/* Runs of pages in a row, as records bring them, and pages sent again, against an array. */
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
		uint64_t pfn = rnd() % PFNS, run = rnd() % 4 ? 1 : rnd() % 1000;

		for (; run && pfn < PFNS; run--, pfn++, at += GW_PAGE_SIZE) {
			assert_ok(gw_memory_map_add_at(&map, pfn, GW_PAGE_L1TAB, at, &err), &err);
			places[pfn] = at;
			there[pfn] = true;
		}
		at += rnd() % 10000;
	}
	/* One without contents. */
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
	/* The last pfn of a chunk; what is in the table behind it lies far away. */
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

/* Pfns far apart cost a chunk each: soon they are only counted. */
static void is_bounded(void **unused)
{
	struct gw_memory_map map = {0};
	struct gw_error err = GW_ERROR_INIT;

	for (uint64_t i = 0; i < 200000; i++)
		assert_ok(gw_memory_map_add(&map, i * GW_MAP_CHUNK_PFNS, GW_PAGE_XTAB, &err), &err);
	assert_int_equal(map.entries, 200000);
	assert_int_equal(map.pfns + map.left_out, 200000);
	assert_true(map.left_out > 190000);
	/* An honest image of that size is not refused any room. */
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
		cmocka_unit_test(agrees_with_an_array),
		cmocka_unit_test(remembers_places),
		cmocka_unit_test(runs_cross_chunks),
		cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
