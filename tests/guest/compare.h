/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Compares a PV domain with the stream it came from, using only the stream's bytes and the
 * backend's pfn-to-mfn table. Offsets are written out here again, not taken from the library.
 */
#ifndef GW_TESTS_GUEST_COMPARE_H
#define GW_TESTS_GUEST_COMPARE_H

#include "loop.h"

/* The facts about the guest that a PV image contains. */
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
	unsigned tables, ptes, data;			/* numbers of things compared */
	unsigned wrong_tables, wrong_data, wrong_pages; /* pages: missing or unexpected ones */
};
/* Compares every page of the domain with the contents that the stream's pages require. */
struct comparison compare_domain(struct gw_domain *d, const struct pv_image *pv,
				 const struct pages *expected);
/* Asserts that every page of a later save equals that of the first one, both in canonical form. */
void assert_same_pages(const struct pv_image *pv, const struct pages *first,
		       const struct pages *later);
/* Asserts the same of the records other than pages. */
void assert_same_state(const struct image *first, const struct image *later);

#endif
