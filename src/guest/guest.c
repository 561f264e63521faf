/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The hooks for each guest type, and the code that all restores share.
 */
#include "guest/guest.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hypervisor/domain.h"

/* pfns handled together: few enough for arrays on the stack, and enough for a populate call to pay
 * off. */
#define CHUNK 512

const struct gw_save_guest_ops *gw_save_guest_ops(enum gw_guest_type type)
{
	switch (type) {
	case GW_GUEST_X86_HVM:
		return &gw_x86_hvm_save;
	case GW_GUEST_X86_PV:
		return &gw_x86_pv_save;
	default:
		return NULL;
	}
}

const struct gw_restore_guest_ops *gw_restore_guest_ops(enum gw_guest_type type)
{
	switch (type) {
	case GW_GUEST_X86_HVM:
		return &gw_x86_hvm_restore;
	case GW_GUEST_X86_PV:
		return &gw_x86_pv_restore;
	default:
		return NULL;
	}
}

/* A page that is needed. */
struct need {
	uint64_t pfn;
	bool filled; /* by the caller */
};

static int compare_needs(const void *a, const void *b)
{
	const struct need *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/*
 * Sorts (most lists are sorted already) and drops duplicates: an entry is filled if the caller
 * fills one of its duplicates. Returns the number of entries left.
 */
static size_t sort_unique(struct need *needs, size_t n)
{
	size_t kept = 0;
	bool sorted = true;

	for (size_t i = 1; i < n && sorted; i++)
		sorted = needs[i - 1].pfn < needs[i].pfn;
	if (sorted)
		return n;
	qsort(needs, n, sizeof(*needs), compare_needs);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && needs[kept - 1].pfn == needs[i].pfn)
			needs[kept - 1].filled |= needs[i].filled;
		else
			needs[kept++] = needs[i];
	}
	return kept;
}

/* Zeroes the pages without data, in a domain whose populate does not zero pages. */
static int zero_rest(struct gw_domain *d, size_t n, const struct need *needs, const uint64_t *gfns,
		     struct gw_error *err)
{
	uint64_t zeroed[CHUNK];
	void *pages[CHUNK];
	struct gw_mapping mapping;
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		if (!needs[i].filled)
			zeroed[count++] = gfns[i];
	if (count == 0)
		return 0;
	if (gw_domain_map(d, count, zeroed, true, pages, &mapping, err) < 0)
		return gw_fail_in(err, "zeroing new pages");
	for (size_t i = 0; i < count; i++)
		memset(pages[i], 0, GW_PAGE_SIZE);
	gw_domain_unmap(d, &mapping);
	return 0;
}

static int give_pages(struct gw_restore_guest *g, size_t n, const struct need *needs,
		      struct gw_error *err)
{
	uint64_t pfns[CHUNK], gfns[CHUNK];
	size_t done;

	for (size_t i = 0; i < n; i++)
		pfns[i] = needs[i].pfn;
	int rc = gw_domain_populate_part(g->domain, n, pfns, gfns, &done, err);

	for (size_t i = 0; i < done; i++)
		g->ops->set_gfn(g, pfns[i], gfns[i]);
	g->given += done;
	if (rc < 0)
		return -1;
	return g->domain->ops->populate_zeroes ? 0 : zero_rest(g->domain, n, needs, gfns, err);
}

static int populate_chunk(struct gw_restore_guest *g, size_t n, const uint64_t *pfns,
			  const uint8_t *types, struct gw_error *err)
{
	struct need needs[CHUNK];
	uint64_t nr_pfns = g->ops->nr_pfns(g);
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (pfns[i] >= nr_pfns)
			return gw_fail(err, GW_INVALID,
				       "pfn 0x%llx is outside the guest's physical memory",
				       (unsigned long long)pfns[i]);
		if (g->ops->pfn_to_gfn(g, pfns[i]) == GW_INVALID_PFN)
			needs[count++] = (struct need){
				.pfn = pfns[i], .filled = types && gw_page_has_data(types[i])};
	}
	count = sort_unique(needs, count);
	return count ? give_pages(g, count, needs, err) : 0;
}

int gw_restore_populate(struct gw_restore_guest *g, size_t n, const uint64_t *pfns,
			const uint8_t *types, struct gw_error *err)
{
	for (size_t done = 0; done < n; done += CHUNK)
		if (populate_chunk(g, GW_MIN(n - done, (size_t)CHUNK), pfns + done,
				   types ? types + done : NULL, err) < 0)
			return -1;
	return 0;
}

int gw_restore_seed_grants(struct gw_restore_guest *g, struct gw_error *err)
{
	const struct gw_ring store = {
		.gfn = g->store_gfn, .domid = g->store.domid, .evtchn = g->store.port};
	const struct gw_ring console = {
		.gfn = g->console_gfn, .domid = g->console.domid, .evtchn = g->console.port};

	return gw_domain_seed_grants(g->domain, &store, &console, err);
}
