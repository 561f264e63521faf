/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bitmaps of pfns, scanned a word at a time: at 64 GiB a bit-by-bit walk would cost more than the
 * search for dirty pages. A word is 64 bits, bit 0 lowest.
 */
#ifndef GW_BASE_BITMAP_H
#define GW_BASE_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GW_BITMAP_WORDS(nbits) (((nbits) + 63) / 64)

static inline void gw_bitmap_set(uint64_t *map, uint64_t bit)
{
	map[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline void gw_bitmap_clear(uint64_t *map, uint64_t bit)
{
	map[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

static inline bool gw_bitmap_test(const uint64_t *map, uint64_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

/* A zeroed bitmap of nbits bits, freed with free(); NULL when out of memory. */
uint64_t *gw_bitmap_new(uint64_t nbits);

/* Sets bits first to first + count - 1. */
void gw_bitmap_set_range(uint64_t *map, uint64_t first, uint64_t count);

/* First set (clear) bit at or after from; nbits if there is none. */
uint64_t gw_bitmap_next_set(const uint64_t *map, uint64_t nbits, uint64_t from);
uint64_t gw_bitmap_next_clear(const uint64_t *map, uint64_t nbits, uint64_t from);

/* Number of set bits. */
uint64_t gw_bitmap_count(const uint64_t *map, uint64_t nbits);

/* dst |= src. */
void gw_bitmap_or(uint64_t *dst, const uint64_t *src, uint64_t nbits);

#endif
