/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A set of pfns that grows as they come: which pages an image gives the domain, each counted once.
 */
#ifndef GW_FORMAT_RULES_PAGE_SET_H
#define GW_FORMAT_RULES_PAGE_SET_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed is empty. */
struct gw_page_set {
	uint64_t count; /* of its pfns */

	/* private */
	uint64_t **leaves; /* a bitmap for each run of pfns that has one in the set */
	size_t nr_leaves, used;
};

/*
 * Adds count pfns below 2^36 from first on. pfns for which there is no room are left out, so that
 * count is never too high; an image whose pages lie that far apart exists only to fill memory.
 */
void gw_page_set_add(struct gw_page_set *set, uint64_t first, uint64_t count);
void gw_page_set_free(struct gw_page_set *set);

#endif
