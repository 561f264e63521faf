/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Word-wise bitmap walks.
 */
#include "base/bitmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

uint64_t *gw_bitmap_new(uint64_t nbits)
{
	return calloc(GW_MAX(GW_BITMAP_WORDS(nbits), UINT64_C(1)), sizeof(uint64_t));
}

void gw_bitmap_set_range(uint64_t *map, uint64_t first, uint64_t count)
{
	if (!count)
		return;

	uint64_t last = first + count - 1;
	uint64_t head = ~UINT64_C(0) << (first % 64);
	uint64_t tail = ~UINT64_C(0) >> (63 - last % 64);

	if (first / 64 == last / 64) {
		map[first / 64] |= head & tail;
		return;
	}
	map[first / 64] |= head;
	memset(map + first / 64 + 1, 0xff, (last / 64 - first / 64 - 1) * sizeof(*map));
	map[last / 64] |= tail;
}

/* Searches for bits that are 1 after the XOR with flip. */
static uint64_t next(const uint64_t *map, uint64_t nbits, uint64_t from, uint64_t flip)
{
	if (from >= nbits)
		return nbits;

	uint64_t i = from / 64;
	uint64_t word = (map[i] ^ flip) & (~UINT64_C(0) << (from % 64));

	while (!word) {
		if (++i >= GW_BITMAP_WORDS(nbits))
			return nbits;
		word = map[i] ^ flip;
	}
	return GW_MIN(i * 64 + (uint64_t)__builtin_ctzll(word), nbits);
}

uint64_t gw_bitmap_next_set(const uint64_t *map, uint64_t nbits, uint64_t from)
{
	return next(map, nbits, from, 0);
}

uint64_t gw_bitmap_next_clear(const uint64_t *map, uint64_t nbits, uint64_t from)
{
	return next(map, nbits, from, ~UINT64_C(0));
}

__attribute__((always_inline)) static inline uint64_t count_words(const uint64_t *map,
								  uint64_t words)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < words; i++)
		n += (uint64_t)__builtin_popcountll(map[i]);
	return n;
}

#if defined(__x86_64__)
/* x86-64 without extensions has no instruction that counts bits. */
__attribute__((target("popcnt"))) static uint64_t count_by_popcnt(const uint64_t *map,
								  uint64_t words)
{
	return count_words(map, words);
}

static uint64_t count_fast(const uint64_t *map, uint64_t words)
{
	return __builtin_cpu_supports("popcnt") ? count_by_popcnt(map, words)
						: count_words(map, words);
}
#else
static uint64_t count_fast(const uint64_t *map, uint64_t words)
{
	return count_words(map, words);
}
#endif

uint64_t gw_bitmap_count(const uint64_t *map, uint64_t nbits)
{
	uint64_t n = count_fast(map, nbits / 64), last;

	if (nbits % 64) {
		last = map[nbits / 64] & (~UINT64_C(0) >> (64 - nbits % 64));
		n += count_words(&last, 1);
	}
	return n;
}

void gw_bitmap_or(uint64_t *dst, const uint64_t *src, uint64_t nbits)
{
	for (uint64_t i = 0; i < GW_BITMAP_WORDS(nbits); i++)
		dst[i] |= src[i];
}
