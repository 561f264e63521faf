/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Comparing a PV domain with the stream it came from, computed here from the stream's bytes and
 * from the backend's pfn to mfn alone; offsets are written out again, not taken from the library.
 */
#ifndef GW_TESTS_GUEST_COMPARE_H
#define GW_TESTS_GUEST_COMPARE_H

#include "loop.h"

/* What a PV image says of itself. */
struct pv_image {
	unsigned width;
	uint64_t nr_pfns;
	uint64_t start_info; /* pfn */
	uint64_t leaves[64];
	unsigned nr_leaves;
};
struct pv_image pv_image_of(const struct image *image);
bool is_leaf(const struct pv_image *pv, uint64_t pfn);

struct comparison {
	unsigned tables, ptes, data;			/* how much was compared */
	unsigned wrong_tables, wrong_data, wrong_pages; /* pages; the last: there or not there */
};
/* Every page of the domain with what the stream's pages say it must hold. */
struct comparison compare_domain(struct gw_domain *d, const struct pv_image *pv,
				 const struct pages *expected);
/* Every page of a later save with the pages of the first one, both in canonical form. Asserts. */
void assert_same_pages(const struct pv_image *pv, const struct pages *first,
		       const struct pages *later);
/* The records that are not pages. Asserts. */
void assert_same_state(const struct image *first, const struct image *later);

#endif
