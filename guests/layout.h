/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The places of the heartbeat guests' data, and the contents of a page of their working set: shared
 * by the guests and by the tests that read their memory. docs/guest-abi.md describes it.
 */
#ifndef GODWIT_GUESTS_LAYOUT_H
#define GODWIT_GUESTS_LAYOUT_H

#include <stdint.h>

#define HB_HEADER_PFN 0x100u
#define HB_MAGIC      "GODWITG1"
#define HB_PAGE_WORDS 1024u
#define HB_PERIOD     251u /* words before the pattern repeats; prime, to detect shifts */

/* The page at HB_HEADER_PFN. */
struct hb_header {
	char magic[8];
	uint32_t version;      /* 1 */
	uint32_t suspend_port; /* event channel at which it takes suspend requests; 0: none yet */
	uint32_t beats;	       /* lines printed */
	uint32_t resumes;      /* number of suspend calls that returned, with either result */
	uint32_t generation;   /* of pages position..pages-1; the pages before have one more */
	uint32_t position;     /* next page to be rewritten */
	uint32_t seed;
	uint32_t pages;	      /* in the working set */
	uint32_t first_pfn;   /* of the working set, which is contiguous */
	uint32_t cursor;      /* next page to be checked */
	uint32_t last_answer; /* of the last suspend call */
	uint32_t light;	      /* 1: only the first four words of a page change, see hb_word */
};

/* A value that only this page has at this generation with this seed. */
static inline uint32_t hb_key(uint32_t seed, uint32_t page, uint32_t generation)
{
	uint32_t h = seed ^ page * 0x85ebca6bu ^ generation * 0xc2b2ae35u;

	h = (h ^ h >> 16) * 0x7feb352du;
	h = (h ^ h >> 15) * 0x846ca68bu;
	return h ^ h >> 16;
}

/*
 * Word i of a page: number, generation, key, its complement, then the pattern, which in a light
 * working set always is that of generation 0.
 */
static inline uint32_t hb_word(uint32_t page, uint32_t generation, uint32_t key, uint32_t i)
{
	switch (i) {
	case 0:
		return page;
	case 1:
		return generation;
	case 2:
		return key;
	case 3:
		return ~key;
	default:
		return key + i % HB_PERIOD * 0x9e3779b1u;
	}
}

#endif
