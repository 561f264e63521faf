/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Page tables of a PV domain held in memory, by Xen's rule: a frame becomes a table of a level
 * when something begins to use it as one, then all it refers to is checked; while it is in use it
 * can be nothing else. Entries that are Xen's own are filled in when that happens.
 *
 * Softer than Xen in one point: it is not checked that tables are mapped read-only.
 */
#include <inttypes.h>

#include "base/util.h"
#include "hypervisor/memory/domain.h"

static uint64_t pte_frame(uint64_t pte)
{
	return (pte & GW_PV_PTE_FRAME) >> GW_PAGE_SHIFT;
}

static uint64_t get_pte(const struct gw_memory_domain *m, uint64_t mfn, unsigned slot)
{
	return gw_get_le64(gw_pv_pte_at(gw_memory_frame(m, mfn), slot));
}

static void put_pte(const struct gw_memory_domain *m, uint64_t mfn, unsigned slot, uint64_t pte)
{
	gw_put_le64(gw_pv_pte_at(gw_memory_frame(m, mfn), slot), pte);
}

/* A slot whose entry the guest answers for. */
static bool is_guest_slot(const struct gw_memory_domain *m, unsigned level, unsigned slot)
{
	if (m->pv.layout->width == 8)
		return level != 4 || slot < GW_PV64_L4_XEN_FIRST || slot > GW_PV64_L4_XEN_LAST;
	return level != 3 || slot < GW_PV32_L3_GUEST;
}

/* An entry of a table in use that refers to another table. */
static bool refers(const struct gw_memory_domain *m, unsigned level, unsigned slot, uint64_t pte)
{
	/* Xen's slots of the last L2 of a 32-bit guest show the compat M2P by superpages. */
	return level > 1 && is_guest_slot(m, level, slot) && (pte & GW_PV_PTE_PRESENT) &&
	       !(pte & GW_PV_PTE_PSE);
}

static void put_children(struct gw_memory_domain *m, uint64_t mfn, unsigned level, unsigned slots)
{
	for (unsigned i = 0; i < slots; i++) {
		uint64_t pte = get_pte(m, mfn, i);

		if (refers(m, level, i, pte))
			gw_memory_put_table(m, pte_frame(pte));
	}
}

void gw_memory_put_table(struct gw_memory_domain *m, uint64_t mfn)
{
	unsigned level = gw_memory_state(m, mfn) & 0x7;

	if (--m->pv.refs[mfn] > 0)
		return;
	put_children(m, mfn, level, GW_PV_PTES);
	gw_memory_set_state(m, mfn, GW_MEMORY_HELD | GW_PAGE_NOTAB);
}

static int check_pte(struct gw_memory_domain *m, uint64_t mfn, unsigned level, unsigned slot,
		     struct gw_error *err)
{
	uint64_t pte = get_pte(m, mfn, slot);
	uint64_t frame = pte_frame(pte);

	if (!is_guest_slot(m, level, slot) || !(pte & GW_PV_PTE_PRESENT))
		return 0;
	if (level > 1 && (pte & GW_PV_PTE_PSE))
		return gw_fail(err, GW_INVALID,
			       "L%u table mfn %#" PRIx64 " entry %u: superpage (%#" PRIx64 ")",
			       level, mfn, slot, pte);
	if (!(gw_memory_state(m, frame) & GW_MEMORY_HELD) || m->pv.m2p[frame] == GW_INVALID_PFN)
		return gw_fail(err, GW_INVALID,
			       "L%u table mfn %#" PRIx64 " entry %u: mfn %#" PRIx64
			       " is not the domain's",
			       level, mfn, slot, frame);
	if (level > 1 && gw_memory_get_table(m, frame, level - 1, err) < 0)
		return gw_fail_in(err, "L%u table mfn %#" PRIx64 " entry %u", level, mfn, slot);
	return 0;
}

/* What Xen puts into its slots; the frames are made up, but none is the domain's. */
static void fill_xen_slots(struct gw_memory_domain *m, uint64_t mfn, unsigned level)
{
	if (m->pv.layout->width == 8 && level == 4)
		for (unsigned i = GW_PV64_L4_XEN_FIRST; i <= GW_PV64_L4_XEN_LAST; i++)
			put_pte(m, mfn, i, (UINT64_C(0x300) + i) << GW_PAGE_SHIFT | 0x63);

	if (m->pv.layout->width == 4 && level == 3) {
		uint64_t pte = get_pte(m, mfn, GW_PV32_L3_GUEST - 1);

		for (unsigned i = 0; i < 4 && (pte & GW_PV_PTE_PRESENT); i++)
			put_pte(m, pte_frame(pte), GW_PV32_L2_XEN_FIRST + i,
				(m->pv.compat_mfn0 + UINT64_C(512) * i) << GW_PAGE_SHIFT | 0xe3);
	}
}

/* The L2 of an L3's last slot may have saved values in Xen's slots, because Xen overwrites them. */
static void clear_xen_slots(struct gw_memory_domain *m, uint64_t mfn, unsigned level)
{
	uint64_t pte = get_pte(m, mfn, GW_PV32_L3_GUEST - 1);
	uint64_t l2 = pte_frame(pte);

	if (m->pv.layout->width == 4 && level == 3 && (pte & GW_PV_PTE_PRESENT) &&
	    (gw_memory_state(m, l2) & GW_MEMORY_HELD) && m->pv.refs[l2] == 0)
		for (unsigned i = GW_PV32_L2_XEN_FIRST; i < GW_PV_PTES; i++)
			put_pte(m, l2, i, 0);
}

int gw_memory_get_table(struct gw_memory_domain *m, uint64_t mfn, unsigned level,
			struct gw_error *err)
{
	unsigned state = gw_memory_state(m, mfn);

	if (!(state & GW_MEMORY_HELD) || m->pv.m2p[mfn] == GW_INVALID_PFN)
		return gw_fail(err, GW_INVALID, "mfn %#" PRIx64 " is not the domain's", mfn);
	if (level > m->pv.layout->levels)
		return gw_fail(err, GW_INVALID, "mfn %#" PRIx64 ": an L%u table in a %u-bit guest",
			       mfn, level, m->pv.layout->width * 8);
	if (m->pv.refs[mfn] > 0) {
		if ((state & 0x7) != level)
			return gw_fail(err, GW_INVALID,
				       "mfn %#" PRIx64 " is in use as an L%u table, not L%u", mfn,
				       state & 0x7, level);
		m->pv.refs[mfn]++;
		return 0;
	}
	/* Before its entries are looked at: a table that refers to itself is an error, not a loop.
	 */
	gw_memory_set_state(m, mfn, GW_MEMORY_HELD | level);
	m->pv.refs[mfn] = 1;
	clear_xen_slots(m, mfn, level);
	for (unsigned i = 0; i < GW_PV_PTES; i++) {
		if (check_pte(m, mfn, level, i, err) == 0)
			continue;
		put_children(m, mfn, level, i);
		m->pv.refs[mfn] = 0;
		gw_memory_set_state(m, mfn, GW_MEMORY_HELD | GW_PAGE_NOTAB);
		return -1;
	}
	fill_xen_slots(m, mfn, level);
	return 0;
}

static int pin_one(struct gw_memory_domain *m, uint64_t mfn, unsigned type, struct gw_error *err)
{
	unsigned level = gw_page_table_level(type);

	if (level == 0 || !(type & GW_PAGE_PINNED))
		return gw_fail(err, GW_USAGE, "pinning mfn %#" PRIx64 " as type %#x", mfn, type);
	if (gw_memory_state(m, mfn) & GW_PAGE_PINNED)
		return gw_fail(err, GW_USAGE, "mfn %#" PRIx64 " is pinned already", mfn);
	if (gw_memory_get_table(m, mfn, level, err) < 0)
		return gw_fail_in(err, "pinning mfn %#" PRIx64 " as L%u table", mfn, level);
	gw_memory_set_state(m, mfn, gw_memory_state(m, mfn) | GW_PAGE_PINNED);
	return 0;
}

int gw_memory_pin(struct gw_domain *d, size_t n, const uint64_t *mfns, const uint8_t *types,
		  struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	int r = 0;

	gw_memory_lock(m);
	for (size_t i = 0; i < n && r == 0; i++)
		r = pin_one(m, mfns[i], types[i], err);
	gw_memory_unlock(m);
	return r;
}
