/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the decompression of Remus pages: each kind of run, pages cut anywhere, invalid runs, and
 * random pages made by a compressor that shares no code.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "format/legacy/delta.h"
#include "lib/legacy_compress.h"
#include "lib/random.h"

static void fill(uint8_t *page, uint8_t from)
{
	for (unsigned i = 0; i < 4096; i++)
		page[i] = (uint8_t)(from + 7 * i);
}

/* Applies a page with all of its bytes at hand. */
static void apply_whole(const uint8_t *in, size_t len, uint8_t *page)
{
	struct gw_legacy_delta d = {0};
	struct gw_error err = GW_ERROR_INIT;
	bool complete;

	assert_int_equal(gw_legacy_delta_apply(&d, in, len, page, &complete, &err), len);
	assert_true(complete);
}

static void refuse(const uint8_t *in, size_t len, const char *text)
{
	/* At the end of an array, so that a sanitizer sees a write beyond the page. */
	uint8_t *page = calloc(1, 4096);
	struct gw_legacy_delta d = {0};
	struct gw_error err = GW_ERROR_INIT;
	bool complete;

	assert_non_null(page);
	assert_fails(gw_legacy_delta_apply(&d, in, len, page, &complete, &err), &err, GW_INVALID,
		     text);
	assert_false(complete);
	free(page);
}

static void unchanged_page(void **state)
{
	static const uint8_t in[] = {0x00};
	uint8_t page[4096], was[4096];

	fill(page, 1);
	fill(was, 1);
	apply_whole(in, 1, page);
	assert_memory_equal(page, was, 4096);
}

static void full_page(void **state)
{
	uint8_t in[4097], page[4096];

	in[0] = 0x80;
	fill(in + 1, 9);
	fill(page, 1);
	apply_whole(in, sizeof(in), page);
	assert_memory_equal(page, in + 1, 4096);
}

/* The page with the longest encoding, and one with a single changed word, first or last. */
static void runs(void **state)
{
	uint8_t in[LEGACY_COMPRESS_MAX], page[4096], want[4096];
	size_t n = 0;

	fill(page, 1);
	fill(want, 1);
	for (unsigned i = 0; i < 8; i++) {
		in[n++] = 0x7f;
		memset(in + n, (int)i, 508);
		memset(want + 508 * (size_t)i, (int)i, 508);
		n += 508;
	}
	in[n++] = 8;
	memset(in + n, 0xee, 32);
	memset(want + 4064, 0xee, 32);
	n += 32;
	assert_int_equal(n, LEGACY_COMPRESS_MAX);
	apply_whole(in, n, page);
	assert_memory_equal(page, want, 4096);

	fill(page, 1);
	fill(want, 1);
	memset(want, 0xaa, 4);
	memset(want + 4092, 0xbb, 4);
	n = 0;
	in[n++] = 1;
	memset(in + n, 0xaa, 4);
	n += 4;
	for (unsigned i = 0; i < 8; i++)
		in[n++] = 0xff;
	in[n++] = 0x80 | 6;
	in[n++] = 1;
	memset(in + n, 0xbb, 4);
	n += 4;
	apply_whole(in, n, page);
	assert_memory_equal(page, want, 4096);
}

/* A page made only of runs that skip is valid, if wasteful. */
static void only_skips(void **state)
{
	uint8_t in[9], page[4096], was[4096];

	memset(in, 0xff, 8);
	in[8] = 0x88;
	fill(page, 1);
	fill(was, 1);
	apply_whole(in, sizeof(in), page);
	assert_memory_equal(page, was, 4096);
}

static void not_valid(void **state)
{
	uint8_t in[16];

	memset(in, 0xff, sizeof(in));
	in[1] = 0x00;
	refuse(in, 2, "an empty run (0x00) at byte 508");
	in[1] = 0x80;
	refuse(in, 2, "an empty run (0x80) at byte 508");
	/* 8 * 508 bytes skipped: 32 are left. */
	memset(in, 0xff, sizeof(in));
	in[8] = 0x89;
	refuse(in, 9, "a run of 36 bytes at byte 4064 of the page, which has 32 left");
	in[8] = 9;
	refuse(in, 9, "a run of 36 bytes at byte 4064 of the page, which has 32 left");
}

static void kinds(void **state)
{
	static const uint8_t none[] = {0x00}, full[] = {0x80, 1, 2, 3}, run[] = {0x01, 1, 2, 3, 4},
			     skip[] = {0xff};
	struct gw_legacy_delta d = {0};
	struct gw_error err = GW_ERROR_INIT;
	uint8_t page[4096] = {0};
	bool complete;

	assert_int_equal(gw_legacy_delta_kind(&d, none, 0), GW_DELTA_NONE);
	assert_int_equal(gw_legacy_delta_kind(&d, none, 1), GW_DELTA_UNCHANGED);
	assert_int_equal(gw_legacy_delta_kind(&d, full, 4), GW_DELTA_FULL);
	assert_int_equal(gw_legacy_delta_kind(&d, run, 5), GW_DELTA_RUNS);
	assert_int_equal(gw_legacy_delta_kind(&d, skip, 1), GW_DELTA_RUNS);
	/* Inside a page, the length of the bytes at hand makes no difference. */
	assert_int_equal(gw_legacy_delta_apply(&d, run, 5, page, &complete, &err), 5);
	assert_false(complete);
	assert_int_equal(gw_legacy_delta_kind(&d, none, 1), GW_DELTA_RUNS);
	assert_int_equal(gw_legacy_delta_kind(&d, full, 0), GW_DELTA_RUNS);
	d = (struct gw_legacy_delta){0};
	assert_int_equal(gw_legacy_delta_apply(&d, full, 4, page, &complete, &err), 4);
	assert_false(complete);
	assert_int_equal(gw_legacy_delta_kind(&d, none, 1), GW_DELTA_FULL);
}

/* Changes some words of the page, from none to all. */
static void change(uint8_t *page)
{
	unsigned odds = random64() % 6;

	for (unsigned i = 0; i < 1024; i++) {
		bool hit = odds == 5 || (odds && random64() % (1u << (3 * (5 - odds))) == 0);

		for (unsigned j = 0; hit && j < 4; j++)
			page[4 * i + j] = (uint8_t)random64();
	}
}

#define PAGES 8u

struct set {
	uint8_t old[PAGES][4096], new_page[PAGES][4096];
	uint8_t in[PAGES * LEGACY_COMPRESS_MAX];
	size_t len;
};

static void make_set(struct set *s)
{
	s->len = 0;
	for (unsigned i = 0; i < PAGES; i++) {
		fill(s->old[i], (uint8_t)random64());
		memcpy(s->new_page[i], s->old[i], 4096);
		change(s->new_page[i]);
		if (random64() % 8 == 0)
			s->len += legacy_compress_full(s->new_page[i], s->in + s->len);
		else
			s->len += legacy_compress_page(s->old[i], s->new_page[i], s->in + s->len);
	}
}

/* Applies all pages of the set from pieces of these sizes (0: random), each in a block of its
 * own. */
static void apply_pieces(struct set *s, size_t first, bool chop)
{
	struct gw_legacy_delta d = {0};
	struct gw_error err = GW_ERROR_INIT;
	unsigned page = 0;
	size_t at = 0;

	while (at < s->len) {
		size_t n = at == 0 ? first : chop ? 1 + random64() % 300 : s->len - at;
		uint8_t *piece;
		size_t used = 0;

		n = GW_MIN(n, s->len - at);
		piece = malloc(n ? n : 1);
		assert_non_null(piece);
		memcpy(piece, s->in + at, n);
		while (used < n) {
			bool complete;
			long got;

			assert_true(page < PAGES);
			got = gw_legacy_delta_apply(&d, piece + used, n - used, s->old[page],
						    &complete, &err);
			assert_ok(got, &err);
			assert_true(got > 0);
			used += (size_t)got;
			assert_true(complete || used == n);
			page += complete;
		}
		free(piece);
		at += n;
	}
	assert_int_equal(page, PAGES);
	for (unsigned i = 0; i < PAGES; i++)
		assert_memory_equal(s->old[i], s->new_page[i], 4096);
}

static void random_round_trip(void **state)
{
	struct set *s = malloc(sizeof(*s));

	assert_non_null(s);
	for (unsigned i = 0; i < 60; i++) {
		make_set(s);
		apply_pieces(s, 1 + random64() % 300, true);
	}
	free(s);
}

/* Splits one set into two pieces at every byte. */
static void every_split(void **state)
{
	struct set *s = malloc(sizeof(*s)), *copy = malloc(sizeof(*copy));

	assert_non_null(s);
	assert_non_null(copy);
	do
		make_set(s);
	while (s->len > 9000);
	for (size_t at = 1; at < s->len; at++) {
		memcpy(copy, s, sizeof(*s));
		apply_pieces(copy, at, false);
	}
	free(copy);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unchanged_page),
		cmocka_unit_test(full_page),
		cmocka_unit_test(runs),
		cmocka_unit_test(only_skips),
		cmocka_unit_test(not_valid),
		cmocka_unit_test(kinds),
		cmocka_unit_test(random_round_trip),
		cmocka_unit_test(every_split),
	};

	return cmocka_run_group_tests_name("legacy_delta", tests, NULL, NULL);
}
