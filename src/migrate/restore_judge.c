/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Checks the entries of a record against the domain.
 */
#include "migrate/restore_judge.h"

#include <string.h>

#include "base/util.h"
#include "guest/faults.h"

static int refuse_pfn(struct gw_restore_guest *g, uint64_t pfn, struct gw_error *err)
{
	g->rule = "domain-size";
	return gw_fail(err, GW_INVALID, "pfn 0x%llx is beyond domain %u, which has 0x%llx pfns",
		       (unsigned long long)pfn, g->domain->domid, (unsigned long long)g->max_pfns);
}

/* Leaves out those of the batch's n pfns from i on that are beyond the bound, or fails. */
static int check_pfns(struct gw_restore_guest *g, struct gw_batch *b, size_t i, size_t n,
		      uint64_t bound, struct gw_error *err)
{
	for (; n > 0; i++, n--) {
		if (b->pfns[i] < bound)
			continue;
		refuse_pfn(g, b->pfns[i], err);
		if (!gw_restore_survives(g, err))
			return -1;
		b->pfns[i] = GW_INVALID_PFN;
	}
	return 0;
}

/*
 * As libxc judges: a PV guest's P2M bounds all pfns; an HVM guest may have any, but its domain here
 * has a bound for those that get a page.
 */
static uint64_t bound_of(const struct gw_restore_guest *g)
{
	uint64_t nr_pfns = g->ops->nr_pfns(g);

	return g->domain->type == GW_GUEST_X86_HVM ? GW_MIN(g->max_pfns, nr_pfns) : nr_pfns;
}

static bool is_bounded(const struct gw_restore_guest *g, unsigned type)
{
	return g->domain->type != GW_GUEST_X86_HVM || gw_page_is_populated(type);
}

int gw_restore_judge_pages(struct gw_restore_guest *g, const struct gw_image_reader *record,
			   size_t first, struct gw_batch *b, struct gw_error *err)
{
	const uint64_t *entries = record->entries + first;
	uint64_t bound = bound_of(g);
	size_t run;

	b->nr = GW_MIN(record->nr_entries - first, (size_t)GW_BATCH_MAX);
	b->nr_pages = 0;
	/* Most entries come in runs of adjacent pfns of one type. */
	for (size_t i = 0; i < b->nr; i += run) {
		uint64_t pfn = gw_page_entry_pfn(entries[i]);
		unsigned type = gw_page_entry_type(entries[i]);

		run = gw_page_entry_run(entries + i, b->nr - i);
		memset(b->types + i, (int)type, run);
		for (size_t k = 0; k < run; k++)
			b->pfns[i + k] = pfn + k;
		if (gw_page_has_data(type))
			b->nr_pages += run;
		if (pfn + run > bound && is_bounded(g, type) &&
		    check_pfns(g, b, i, run, bound, err) < 0)
			return -1;
	}
	return 0;
}
