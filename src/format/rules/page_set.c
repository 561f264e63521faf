/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The set of pfns: an array of bitmaps, each of which comes with its first pfn.
 */
#include "format/rules/page_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define LEAF_PFNS  UINT64_C(32768)
#define LEAF_WORDS (LEAF_PFNS / 64)
/* 64 MiB of bitmaps: enough for 2 TiB of memory in one piece. */
#define LEAVES_MAX 16384u
#define PLACES_MAX ((size_t)1 << 21) /* for leaves, of all pfns below 2^36 */

static uint64_t *leaf_of(struct gw_page_set *set, uint64_t pfn)
{
	size_t at = (size_t)(pfn / LEAF_PFNS);

	if (at >= PLACES_MAX)
		return NULL;
	if (at >= set->nr_leaves) {
		size_t nr = GW_MIN(GW_MAX(at + 1, set->nr_leaves * 2), PLACES_MAX);
		uint64_t **leaves = realloc(set->leaves, nr * sizeof(*leaves));

		if (!leaves)
			return NULL;
		memset(leaves + set->nr_leaves, 0, (nr - set->nr_leaves) * sizeof(*leaves));
		set->leaves = leaves;
		set->nr_leaves = nr;
	}
	if (!set->leaves[at] && set->used < LEAVES_MAX) {
		set->leaves[at] = calloc(LEAF_WORDS, sizeof(uint64_t));
		set->used += set->leaves[at] != NULL;
	}
	return set->leaves[at];
}

/* Sets the bits of the mask; returns how many of them were clear. */
static unsigned add_to_word(uint64_t *word, uint64_t mask)
{
	unsigned new = (unsigned)__builtin_popcountll(mask & ~*word);

	*word |= mask;
	return new;
}

void gw_page_set_add(struct gw_page_set *set, uint64_t first, uint64_t count)
{
	while (count > 0) {
		uint64_t bit = first % 64, n = GW_MIN(count, 64 - bit);
		uint64_t mask = (n == 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1) << bit;
		uint64_t *leaf = leaf_of(set, first);

		if (leaf)
			set->count += add_to_word(&leaf[first % LEAF_PFNS / 64], mask);
		first += n;
		count -= n;
	}
}

void gw_page_set_free(struct gw_page_set *set)
{
	for (size_t i = 0; i < set->nr_leaves; i++)
		free(set->leaves[i]);
	free(set->leaves);
	*set = (struct gw_page_set){0};
}
