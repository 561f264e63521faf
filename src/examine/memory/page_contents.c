/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A hash table of chunks of digests.
 */
#include "examine/memory/page_contents.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <godwit/guest.h>

#include "base/hash.h"
#include "base/util.h"

#define WORDS (GW_PAGE_SIZE / 8)

/* Digests that say what a page is; those of other pages are above. */
enum { ZERO = 1, ONE_WORD = 2, OTHERS = 16 };

/* Digests sorted at once, when equal ones are looked for: 16 MiB. */
#define SORTED_AT_ONCE (UINT64_C(2) << 20)

struct gw_contents_chunk {
	uint64_t number; /* pfn / GW_CONTENTS_CHUNK_PFNS */
	uint64_t digests[GW_CONTENTS_CHUNK_PFNS];
};

__extension__ typedef unsigned __int128 u128;

struct gw_page_key {
	uint64_t words[WORDS];
	u128 high, low, plus;
};

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static int make_key(struct gw_page_contents *c, struct gw_error *err)
{
	uint64_t seed = gw_hash_seed();

	if (c->key)
		return 0;
	c->key = malloc(sizeof(*c->key));
	if (!c->key)
		return gw_fail_errno(err, "a key for page digests");
	for (size_t i = 0; i < WORDS; i++)
		c->key->words[i] = splitmix(&seed);
	c->key->high = (u128)splitmix(&seed) << 64 | splitmix(&seed);
	c->key->low = (u128)splitmix(&seed) << 64 | splitmix(&seed);
	c->key->plus = (u128)splitmix(&seed) << 64 | splitmix(&seed);
	return 0;
}

/*
 * Two universal hashes one after the other (NH of UMAC, RFC 4418, with words of 64 bits; then
 * multiply-shift): two different pages meet in one case of 2^63.
 */
static uint64_t hash(const struct gw_page_key *key, const uint8_t *page)
{
	uint64_t words[WORDS];
	u128 sum = 0;

	memcpy(words, page, sizeof(words));
	for (size_t i = 0; i < WORDS; i += 2)
		sum += (u128)(words[i] + key->words[i]) * (words[i + 1] + key->words[i + 1]);
	sum = key->high * (uint64_t)(sum >> 64) + key->low * (uint64_t)sum + key->plus;
	return (uint64_t)(sum >> 64);
}

int gw_page_digest(struct gw_page_contents *c, const uint8_t *page, uint64_t *digest,
		   struct gw_error *err)
{
	static const uint8_t zero[8];

	if (memcmp(page, page + 8, GW_PAGE_SIZE - 8) == 0) {
		*digest = memcmp(page, zero, sizeof(zero)) == 0 ? ZERO : ONE_WORD;
		return 0;
	}
	if (make_key(c, err) < 0)
		return -1;
	*digest = GW_MAX(hash(c->key, page), (uint64_t)OTHERS);
	return 0;
}

/* Where the chunk is, or the empty slot where it would be. There always is one. */
static struct gw_contents_chunk **slot_of(struct gw_contents_chunk **slots, size_t nr_slots,
					  uint64_t number)
{
	size_t i = (size_t)gw_hash(number, gw_hash_seed()) & (nr_slots - 1);

	while (slots[i] && slots[i]->number != number)
		i = (i + 1) & (nr_slots - 1);
	return &slots[i];
}

/* Keeps the table at most half full. */
static int grow(struct gw_page_contents *c, struct gw_error *err)
{
	size_t nr = c->nr_slots ? c->nr_slots * 2 : 64;
	struct gw_contents_chunk **slots;

	if (c->nr_slots && c->nr_chunks < c->nr_slots / 2)
		return 0;
	slots = calloc(nr, sizeof(struct gw_contents_chunk *));
	if (!slots)
		return gw_fail_errno(err, "the digests of pages");
	for (size_t i = 0; i < c->nr_slots; i++) {
		if (c->slots[i])
			*slot_of(slots, nr, c->slots[i]->number) = c->slots[i];
	}
	free(c->slots);
	c->slots = slots;
	c->nr_slots = nr;
	return 0;
}

int gw_page_contents_put(struct gw_page_contents *c, uint64_t pfn, uint64_t digest,
			 struct gw_error *err)
{
	uint64_t number = pfn / GW_CONTENTS_CHUNK_PFNS;
	struct gw_contents_chunk **slot = &c->last;

	if (!c->last || c->last->number != number) {
		if (grow(c, err) < 0)
			return -1;
		slot = slot_of(c->slots, c->nr_slots, number);
	}
	/* What has no contents needs no room to say so. */
	if (!*slot && digest == 0)
		return 0;
	if (!*slot && c->nr_chunks == GW_CONTENTS_CHUNKS_MAX) {
		c->left_out++;
		return 0;
	}
	if (!*slot) {
		*slot = calloc(1, sizeof(**slot));
		if (!*slot)
			return gw_fail_errno(err, "the digests of pages");
		(*slot)->number = number;
		c->nr_chunks++;
	}
	c->last = *slot;
	c->last->digests[pfn % GW_CONTENTS_CHUNK_PFNS] = digest;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts digests of pages and counts those that are there twice or more. */
static void count_equal(uint64_t *digests, size_t n, struct gw_contents_counts *counts)
{
	if (n)
		qsort(digests, n, sizeof(*digests), by_value);
	for (size_t i = 0, same; i < n; i += same) {
		for (same = 1; i + same < n && digests[i + same] == digests[i];)
			same++;
		if (same > 1) {
			counts->equal += same;
			counts->equal_kinds++;
		}
	}
}

/* Of the digests that are hashes, those of one part: which part, the hash itself says. */
static size_t gather(const struct gw_page_contents *c, uint64_t part, uint64_t parts, uint64_t *to,
		     size_t room)
{
	size_t n = 0;

	for (size_t s = 0; s < c->nr_slots; s++) {
		for (size_t i = 0; c->slots[s] && i < GW_CONTENTS_CHUNK_PFNS; i++) {
			uint64_t digest = c->slots[s]->digests[i];

			if (digest < OTHERS || (digest >> 32) * parts >> 32 != part)
				continue;
			if (n < room)
				to[n] = digest;
			n++;
		}
	}
	return n;
}

int gw_page_contents_count(const struct gw_page_contents *c, struct gw_contents_counts *counts,
			   struct gw_error *err)
{
	uint64_t parts;

	*counts = (struct gw_contents_counts){0};
	for (size_t s = 0; s < c->nr_slots; s++) {
		for (size_t i = 0; c->slots[s] && i < GW_CONTENTS_CHUNK_PFNS; i++) {
			uint64_t digest = c->slots[s]->digests[i];

			counts->pages += digest != 0;
			counts->zero += digest == ZERO;
			counts->one_word += digest == ONE_WORD;
		}
	}
	parts = counts->pages / SORTED_AT_ONCE + 1;
	for (uint64_t part = 0; part < parts; part++) {
		/* Asked first how many: equal pages are all in one part. */
		size_t n = gather(c, part, parts, NULL, 0);
		GW_FREE_ON_EXIT uint64_t *digests = malloc((n + 1) * sizeof(*digests));

		if (!digests)
			return gw_fail_errno(err, "the digests of %zu pages", n);
		gather(c, part, parts, digests, n);
		count_equal(digests, n, counts);
	}
	return 0;
}

void gw_page_contents_free(struct gw_page_contents *c)
{
	for (size_t i = 0; i < c->nr_slots; i++)
		free(c->slots[i]);
	free(c->slots);
	free(c->key);
	*c = (struct gw_page_contents){0};
}
