/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The new frames of a restored PV guest: looks them up, and writes the new P2M into the pages where
 * the guest has its own. Those are mapped many at a time: a mapping costs far more than the words
 * of a page.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/util.h"
#include "guest/faults.h"
#include "guest/x86_pv.h"
#include "hypervisor/domain.h"

#define LEAVES_AT_ONCE 256u

/* Leaves of the P2M that have a page: their indices, and the mfns of the pages. */
struct leaves {
	size_t nr;
	size_t index[LEAVES_AT_ONCE];
	uint64_t mfns[LEAVES_AT_ONCE];
};

int gw_pv_page_mfn(const struct gw_pv_restore *r, uint64_t pfn, const char *what, uint64_t *mfn,
		   struct gw_error *err)
{
	if (pfn >= r->nr_pfns)
		return gw_fail(err, GW_INVALID,
			       "%s: pfn 0x%" PRIx64 " is above the last, 0x%" PRIx64, what, pfn,
			       r->nr_pfns - 1);
	*mfn = gw_pv_new_mfn(r, pfn);
	if (*mfn == GW_INVALID_PFN)
		return gw_fail(err, GW_INVALID, "%s: pfn 0x%" PRIx64 " has no page", what, pfn);
	return 0;
}

int gw_pv_data_mfn(const struct gw_pv_restore *r, uint64_t pfn, const char *what, uint64_t *mfn,
		   struct gw_error *err)
{
	if (gw_pv_page_mfn(r, pfn, what, mfn, err) < 0)
		return -1;
	if (r->types[pfn] != GW_PAGE_NOTAB)
		return gw_fail(err, GW_INVALID,
			       "%s: pfn 0x%" PRIx64 " is of type 0x%x, expected an ordinary page",
			       what, pfn, r->types[pfn]);
	return 0;
}

static int survive(struct gw_restore_guest *g, struct gw_error *err)
{
	g->rule = "pv-p2m-page";
	return gw_restore_survives(g, err) ? 0 : -1;
}

/* Those of the n leaves from first on whose pages are there. */
static int find_leaves(struct gw_restore_guest *g, size_t first, size_t n, struct leaves *leaves,
		       struct gw_error *err)
{
	const struct gw_pv_restore *r = g->priv;

	leaves->nr = 0;
	for (size_t i = first; i < first + n; i++) {
		char what[40];
		uint64_t mfn;

		snprintf(what, sizeof(what), "P2M frame %zu", i);
		if (gw_pv_data_mfn(r, r->frames[i], what, &mfn, err) < 0) {
			if (survive(g, err) < 0)
				return -1;
			continue;
		}
		leaves->index[leaves->nr] = i;
		leaves->mfns[leaves->nr++] = mfn;
	}
	return 0;
}

static void fill_leaf(const struct gw_pv_restore *r, size_t leaf, void *page)
{
	const struct gw_pv_layout *l = r->layout;

	for (unsigned i = 0; i < l->fpp; i++)
		gw_pv_put_word(l, gw_pv_word_at(l, page, i),
			       gw_pv_new_mfn(r, (uint64_t)leaf * l->fpp + i));
}

static int write_leaves(struct gw_restore_guest *g, const struct leaves *leaves,
			struct gw_error *err)
{
	uint8_t results[LEAVES_AT_ONCE];
	void *pages[LEAVES_AT_ONCE];
	struct gw_mapping mapping;
	int rc = 0;

	if (leaves->nr == 0)
		return 0;
	if (gw_domain_map_each(g->domain, leaves->nr, leaves->mfns, true, pages, results, &mapping,
			       err) < 0)
		return gw_fail_in(err, "P2M frames %zu to %zu", leaves->index[0],
				  leaves->index[leaves->nr - 1]);
	for (size_t i = 0; i < leaves->nr && rc == 0; i++) {
		if (results[i] == GW_MAP_OK) {
			fill_leaf(g->priv, leaves->index[i], pages[i]);
			continue;
		}
		gw_domain_refuse_map(leaves->mfns[i], results[i], err);
		gw_fail_in(err, "P2M frame %zu", leaves->index[i]);
		rc = survive(g, err);
	}
	gw_domain_unmap(g->domain, &mapping);
	return rc;
}

int gw_pv_write_p2m(struct gw_restore_guest *g, struct gw_error *err)
{
	const struct gw_pv_restore *r = g->priv;
	struct leaves leaves;

	for (size_t i = 0; i < r->nr_frames; i += LEAVES_AT_ONCE) {
		size_t n = GW_MIN(r->nr_frames - i, (size_t)LEAVES_AT_ONCE);

		if (find_leaves(g, i, n, &leaves, err) < 0 || write_leaves(g, &leaves, err) < 0)
			return -1;
	}
	return 0;
}
