/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Checks the entries of a record against the domain.
 */
#include "migrate/restore_judge.h"

#include "base/util.h"
#include "guest/faults.h"

/*
 * As libxc judges: a PV guest's P2M bounds all pfns; an HVM guest may have any, but its domain here
 * has a bound for those that get a page.
 */
static int check_pfn(struct gw_restore_guest *g, uint64_t pfn, unsigned type, struct gw_error *err)
{
	bool hvm = g->domain->type == GW_GUEST_X86_HVM;

	if (hvm && !gw_page_is_populated(type))
		return 0;
	if ((!hvm || pfn < g->max_pfns) && g->ops->pfn_is_valid(g, pfn))
		return 0;
	g->rule = "domain-size";
	return gw_fail(err, GW_INVALID, "pfn 0x%llx is beyond domain %u, which has 0x%llx pfns",
		       (unsigned long long)pfn, g->domain->domid, (unsigned long long)g->max_pfns);
}

int gw_restore_judge_pages(struct gw_restore_guest *g, const struct gw_image_reader *record,
			   size_t first, struct gw_batch *b, struct gw_error *err)
{
	b->nr = GW_MIN(record->nr_entries - first, (size_t)GW_BATCH_MAX);
	b->nr_pages = 0;
	for (size_t i = 0; i < b->nr; i++) {
		uint64_t entry = record->entries[first + i];
		unsigned type = gw_page_entry_type(entry);

		b->pfns[i] = gw_page_entry_pfn(entry);
		b->types[i] = (uint8_t)type;
		b->nr_pages += gw_page_has_data(type);
		if (check_pfn(g, b->pfns[i], type, err) == 0)
			continue;
		if (!gw_restore_survives(g, err))
			return -1;
		b->pfns[i] = GW_INVALID_PFN;
	}
	return 0;
}
