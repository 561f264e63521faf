/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The place of page contents in a file: records are padded, or hold fewer pages, so that the
 * contents of each page begin on a page boundary of the file. The kernel then copies whole pages.
 */
#ifndef GW_MIGRATE_PAGE_ALIGN_H
#define GW_MIGRATE_PAGE_ALIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/guest.h>
#include <godwit/hypervisor.h>

/* Entries that a record may need beyond its own: a head grows by less than a page. */
#define GW_PAGE_ALIGN_MAX (GW_PAGE_SIZE / 8 - 1)

/* Zeroed: pages lie anywhere. */
struct gw_page_align {
	bool on;
	uint64_t offset; /* in the file: of the next record, a multiple of 8 */
	/*
	 * The pfns filler to filler + GW_PAGE_ALIGN_MAX - 1 have no page. A reader does nothing for
	 * their XTAB entries. GW_INVALID_PFN: there are no such pfns.
	 */
	uint64_t filler;
};

/*
 * Turns it on for records from this offset of a file on; a negative offset, or one that no number
 * of entries corrects, leaves it off.
 */
void gw_page_align_begin(struct gw_page_align *a, int64_t offset);
/*
 * Chooses filler. ranges: n ranges, ascending, that have all pages of a guest of this type with
 * nr_pfns pfns, which does not run. A reader accepts every pfn of an HVM guest without a page, and
 * for a PV guest only those below nr_pfns.
 */
void gw_page_align_choose(struct gw_page_align *a, enum gw_guest_type type,
			  const struct gw_pfn_range *ranges, size_t n, uint64_t nr_pfns);
/* The filler entries that the next record needs besides its own n; 0 if it is off. */
size_t gw_page_align_fillers(const struct gw_page_align *a, size_t n);
/* Writes count filler entries to entries. */
void gw_page_align_fill(const struct gw_page_align *a, size_t count, uint64_t *entries);
/* True if records have to have the right number of entries, because there is no filler. */
bool gw_page_align_by_count(const struct gw_page_align *a);
/* Then: the number of entries of the next record, at most max, which is at least 512. */
size_t gw_page_align_count(const struct gw_page_align *a, size_t max);

#endif
