/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The items of a legacy image, as a walk through it reports them.
 */
#ifndef GW_TESTS_EXAMINE_ITEMS_H
#define GW_TESTS_EXAMINE_ITEMS_H

#include "examine/examine.h"
#include "examine/summary/summary.h"

#define ITEMS_MAX 4096u

/* The items of an image, and a sum over the records they become. */
struct items {
	uint64_t at[ITEMS_MAX], end[ITEMS_MAX];
	int32_t id[ITEMS_MAX];
	size_t nr;
	uint64_t records_sum;
	struct gw_summary summary;
};

struct items *items_new(void);
void items_free(struct items *items);
/* Walks an image into fresh items; it must not fail. */
struct gw_examination items_walk(const uint8_t *data, size_t len, struct items *items);

#endif
