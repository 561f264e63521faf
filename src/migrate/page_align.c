/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The arithmetic of page boundaries, and the choice of pfns without a page.
 */
#include "migrate/page_align.h"

#include "base/util.h"
#include "format/libxc/image.h"
#include "format/record.h"

#define HEAD_SIZE (GW_RECORD_HEADER_SIZE + 8) /* of a PAGE_DATA record without entries */
#define IN_PAGE	  (GW_PAGE_SIZE / 8)	      /* entries that fill a page */

void gw_page_align_begin(struct gw_page_align *a, int64_t offset)
{
	a->on = offset >= 0 && offset % 8 == 0;
	a->offset = a->on ? (uint64_t)offset : 0;
}

void gw_page_align_choose(struct gw_page_align *a, enum gw_guest_type type,
			  const struct gw_pfn_range *ranges, size_t n, uint64_t nr_pfns)
{
	uint64_t at = 0;

	a->filler = GW_INVALID_PFN;
	for (size_t i = 0; i < n && ranges[i].first < nr_pfns; i++) {
		if (ranges[i].first - at >= GW_PAGE_ALIGN_MAX)
			break;
		at = ranges[i].first + ranges[i].count;
	}
	if (at <= nr_pfns && nr_pfns - at >= GW_PAGE_ALIGN_MAX)
		a->filler = at;
	else if (type == GW_GUEST_X86_HVM)
		a->filler = GW_MAX(at, nr_pfns);
}

size_t gw_page_align_fillers(const struct gw_page_align *a, size_t n)
{
	uint64_t contents = a->offset + HEAD_SIZE + 8 * (uint64_t)n;

	if (!a->on || a->filler == GW_INVALID_PFN)
		return 0;
	return (size_t)(-contents % GW_PAGE_SIZE / 8);
}

void gw_page_align_fill(const struct gw_page_align *a, size_t count, uint64_t *entries)
{
	for (size_t i = 0; i < count; i++)
		entries[i] = gw_page_entry(a->filler + i, GW_PAGE_XTAB);
}

bool gw_page_align_by_count(const struct gw_page_align *a)
{
	return a->on && a->filler == GW_INVALID_PFN;
}

size_t gw_page_align_count(const struct gw_page_align *a, size_t max)
{
	size_t least = (size_t)(-(a->offset + HEAD_SIZE) % GW_PAGE_SIZE / 8);

	return least + (max - least) / IN_PAGE * IN_PAGE;
}
