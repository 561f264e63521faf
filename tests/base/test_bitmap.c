/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the bitmap's walks against a bit-by-bit model, with seeded random bitmaps.
 */
#include "lib/gwtest.h"

#include "base/bitmap.h"
#include "base/util.h"
#include "lib/random.h"

static uint64_t model_next(const uint64_t *map, uint64_t nbits, uint64_t from, bool wanted)
{
	for (; from < nbits; from++)
		if (gw_bitmap_test(map, from) == wanted)
			return from;
	return nbits;
}

static void walks_match_the_model(void **state)
{
	for (int round = 0; round < 300; round++) {
		uint64_t nbits = (uint64_t)(random64() % 400) + 1;
		uint64_t *map = gw_bitmap_new(nbits);
		uint64_t *other = gw_bitmap_new(nbits);
		uint64_t want = 0;

		assert_non_null(map);
		assert_non_null(other);
		for (uint64_t i = 0, n = (uint64_t)random64() % nbits; i < n; i++)
			gw_bitmap_set(map, (uint64_t)random64() % nbits);
		uint64_t first = (uint64_t)random64() % nbits;
		uint64_t count = (uint64_t)random64() % (nbits - first + 1);
		gw_bitmap_set_range(other, first, count);
		for (uint64_t i = 0; i < nbits; i++)
			assert_int_equal(gw_bitmap_test(other, i), i >= first && i < first + count);
		gw_bitmap_or(map, other, nbits);
		for (uint64_t i = 0; i < nbits; i++) {
			want += gw_bitmap_test(map, i);
			assert_int_equal(gw_bitmap_next_set(map, nbits, i),
					 model_next(map, nbits, i, true));
			assert_int_equal(gw_bitmap_next_clear(map, nbits, i),
					 model_next(map, nbits, i, false));
		}
		assert_int_equal(gw_bitmap_count(map, nbits), want);
		gw_bitmap_clear(map, first);
		assert_false(gw_bitmap_test(map, first));
		assert_int_equal(gw_bitmap_next_set(map, nbits, nbits), nbits);
		free(map);
		free(other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_match_the_model),
	};

	return cmocka_run_group_tests_name("bitmap", tests, NULL, NULL);
}
