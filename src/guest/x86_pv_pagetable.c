/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Page tables of PV guests: mfns to pfns when they are saved (normalise), pfns to mfns when they
 * are restored (localise). Flags, and entries that are not present, travel untouched.
 */
#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "guest/x86_pv.h"

static uint64_t with_frame(uint64_t pte, uint64_t frame)
{
	return (pte & ~GW_PV_PTE_FRAME) | frame << GW_PAGE_SHIFT;
}

/* An entry is read once: the guest may change it meanwhile, a half of it never. */
static uint64_t read_pte(const void *page, unsigned slot)
{
	return le64toh(__atomic_load_n((const uint64_t *)page + slot, __ATOMIC_RELAXED));
}

static int check_level(const struct gw_pv_layout *l, unsigned level, struct gw_error *err)
{
	if (level <= l->levels)
		return 0;
	return gw_fail(err, GW_INVALID, "an L%u table in a %u-bit guest", level, l->width * 8);
}

/* One entry of the guest's: 0 with *pte changed, GW_DEFER if it cannot be expressed. */
static int normalise_pte(const struct gw_pv_p2m *p2m, unsigned level, uint64_t *pte)
{
	uint64_t pfn;

	if (!(*pte & GW_PV_PTE_PRESENT))
		return 0;
	if (level > 1 && (*pte & GW_PV_PTE_PSE))
		return GW_DEFER;
	pfn = gw_pv_mfn_to_pfn(p2m, gw_pv_pte_frame(*pte));
	if (pfn == GW_INVALID_PFN)
		return GW_DEFER;
	*pte = with_frame(*pte, pfn);
	return 0;
}

static int inexpressible(uint64_t pfn, unsigned level, unsigned slot, uint64_t pte,
			 struct gw_error *err)
{
	if (level > 1 && (pte & GW_PV_PTE_PSE))
		return gw_fail(err, GW_GUEST,
			       "pfn 0x%" PRIx64
			       ", an L%u page table, entry %u: superpage (0x%" PRIx64 ")",
			       pfn, level, slot, pte);
	return gw_fail(err, GW_GUEST,
		       "pfn 0x%" PRIx64 ", an L%u page table, entry %u: mfn 0x%" PRIx64
		       " is not the guest's memory",
		       pfn, level, slot, gw_pv_pte_frame(pte));
}

/*
 * While the guest runs, whatever cannot be expressed may be gone when it is suspended, and a page
 * may even have ceased to be a table since its type was asked for.
 */
int gw_pv_normalise(const struct gw_pv_p2m *p2m, uint64_t pfn, unsigned level, const void *src,
		    void *dst, bool final, struct gw_error *err)
{
	const struct gw_pv_layout *l = p2m->layout;
	/* Xen's part of a 32-bit guest's last L2 shows the compat M2P first. */
	bool xen_l2 = gw_pv_pte_frame(read_pte(src, GW_PV32_L2_XEN_FIRST)) == p2m->compat_mfn0;
	unsigned last, first = gw_pv_xen_slots(l, level, xen_l2, &last);

	if (check_level(l, level, err) < 0)
		return -1;
	for (unsigned i = 0; i < GW_PV_PTES; i++) {
		uint64_t pte = i >= first && i <= last ? 0 : read_pte(src, i);

		if (normalise_pte(p2m, level, &pte) == GW_DEFER)
			return final ? inexpressible(pfn, level, i, pte, err) : GW_DEFER;
		gw_put_le64(gw_pv_pte_at(dst, i), pte);
	}
	return 0;
}

/* Its flags matter to Xen only once the table is in use. */
static int check_pte(const struct gw_pv_restore *r, uint64_t pfn, unsigned level, unsigned slot,
		     uint64_t pte, struct gw_error *err)
{
	if (gw_pv_pte_frame(pte) >= r->nr_pfns)
		return gw_fail(err, GW_INVALID,
			       "pfn 0x%" PRIx64 ", an L%u page table, entry %u: pfn 0x%" PRIx64
			       " is above the last, 0x%" PRIx64,
			       pfn, level, slot, gw_pv_pte_frame(pte), r->nr_pfns - 1);
	return 0;
}

int gw_pv_localise(struct gw_restore_guest *g, uint64_t pfn, unsigned level, void *page,
		   struct gw_error *err)
{
	const struct gw_pv_restore *r = g->priv;
	uint64_t ptes[GW_PV_PTES], pfns[GW_PV_PTES];
	size_t n = 0;

	g->rule = "pv-table-entry";
	if (!r->layout || r->nr_pfns == 0)
		return gw_fail(err, GW_INVALID, "a page table before the P2M's size is known");
	for (unsigned i = 0; i < GW_PV_PTES; i++) {
		ptes[i] = gw_get_le64(gw_pv_pte_at(page, i));
		if (gw_pv_is_xens(r->layout, level, i, ptes[i]))
			ptes[i] = 0;
		if (!(ptes[i] & GW_PV_PTE_PRESENT))
			continue;
		if (check_pte(r, pfn, level, i, ptes[i], err) < 0)
			return -1;
		pfns[n++] = gw_pv_pte_frame(ptes[i]);
	}
	g->rule = "domain-size"; /* all these pfns are valid, so only their number can be wrong */
	/* What it refers to may come later in the stream, but needs its mfn now. */
	if (gw_restore_populate(g, n, pfns, NULL, err) < 0)
		return gw_fail_in(err, "the pages that page table pfn 0x%" PRIx64 " refers to",
				  pfn);
	for (unsigned i = 0; i < GW_PV_PTES; i++) {
		if (ptes[i] & GW_PV_PTE_PRESENT)
			ptes[i] = with_frame(ptes[i], gw_pv_new_mfn(r, gw_pv_pte_frame(ptes[i])));
		gw_put_le64(gw_pv_pte_at(page, i), ptes[i]);
	}
	g->rule = NULL;
	return 0;
}
