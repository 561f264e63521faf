/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Page tables of a PV domain held in memory: Xen's rules for the uses of its frames
 * (format/x86/pv_tables.h), and Xen's own entries, which are filled in when a table becomes one.
 */
#include <inttypes.h>

#include "base/util.h"
#include "hypervisor/memory/domain.h"
#include "hypervisor/memory/memory.h"

static void put_pte(const struct gw_memory_domain *m, uint64_t mfn, unsigned slot, uint64_t pte)
{
	gw_put_le64(gw_pv_pte_at(gw_memory_frame(m, mfn), slot), pte);
}

bool gw_memory_is_guests(const struct gw_memory_domain *m, uint64_t mfn)
{
	return (gw_memory_state(m, mfn) & GW_MEMORY_HELD) && m->pv.m2p[mfn] != GW_INVALID_PFN;
}

/* What Xen puts into its slots; the frames are made up, but none is the domain's. */
static void fill_xen_slots(struct gw_memory_domain *m, uint64_t mfn, const struct gw_pv_use *use)
{
	if (m->pv.layout->width == 8 && use->type == GW_PV_USE_L4)
		for (unsigned i = GW_PV64_L4_XEN_FIRST; i <= GW_PV64_L4_XEN_LAST; i++)
			put_pte(m, mfn, i, (UINT64_C(0x300) + i) << GW_PAGE_SHIFT | 0x63);
	for (unsigned i = GW_PV32_L2_XEN_FIRST; use->xen_l2 && i < GW_PV_PTES; i++) {
		unsigned n = i - GW_PV32_L2_XEN_FIRST;

		put_pte(m, mfn, i,
			n < 4 ? (m->pv.compat_mfn0 + UINT64_C(512) * n) << GW_PAGE_SHIFT | 0xe3
			      : 0);
	}
}

/* The calls of struct gw_pv_tables. */

static uint8_t *page(void *owner, uint64_t mfn)
{
	struct gw_memory_domain *m = owner;

	return gw_memory_is_guests(m, mfn) ? gw_memory_frame(m, mfn) : NULL;
}

static uint64_t pfn(void *owner, uint64_t mfn)
{
	return ((struct gw_memory_domain *)owner)->pv.m2p[mfn];
}

static void changed(void *owner, uint64_t mfn)
{
	struct gw_memory_domain *m = owner;
	const struct gw_pv_use *use = &m->pv.tables.uses[mfn];

	if (use->valid)
		fill_xen_slots(m, mfn, use);
	gw_memory_set_state(m, mfn, GW_MEMORY_HELD | (use->valid ? use->type : GW_PAGE_NOTAB));
}

int gw_memory_tables_init(struct gw_memory_domain *m, struct gw_error *err)
{
	struct gw_pv_tables *t = &m->pv.tables;

	*t = (struct gw_pv_tables){
		.layout = m->pv.layout,
		.uses = gw_memory_reserve(m->frames.nr * sizeof(*t->uses), err),
		.nr_frames = m->frames.nr,
		.owner = m,
		.page = page,
		.pfn = pfn,
		.changed = changed,
	};
	return t->uses ? 0 : -1;
}

void gw_memory_tables_free(struct gw_memory_domain *m)
{
	gw_memory_release(m->pv.tables.uses, m->frames.nr * sizeof(*m->pv.tables.uses));
}

int gw_memory_get_table(struct gw_memory_domain *m, uint64_t mfn, unsigned level,
			struct gw_error *err)
{
	if (!gw_memory_is_guests(m, mfn))
		return gw_fail(err, GW_INVALID, "mfn 0x%" PRIx64 " is not the domain's", mfn);
	if (level > m->pv.layout->levels)
		return gw_fail(err, GW_INVALID, "pfn 0x%" PRIx64 ": an L%u table in a %u-bit guest",
			       m->pv.m2p[mfn], level, m->pv.layout->width * 8);
	return gw_pv_use_get(&m->pv.tables, mfn, (enum gw_pv_use_type)level, err);
}

void gw_memory_put_table(struct gw_memory_domain *m, uint64_t mfn)
{
	gw_pv_use_put(&m->pv.tables, mfn);
}

static int pin_one(struct gw_memory_domain *m, uint64_t mfn, unsigned type, struct gw_error *err)
{
	unsigned level = gw_page_table_level(type);

	if (level == 0 || !(type & GW_PAGE_PINNED))
		return gw_fail(err, GW_USAGE, "pinning mfn %#" PRIx64 " as type %#x", mfn, type);
	if (gw_memory_state(m, mfn) & GW_PAGE_PINNED)
		return gw_fail(err, GW_USAGE, "mfn %#" PRIx64 " is pinned already", mfn);
	/* Xen does not look at such a pin. */
	if (level > m->pv.layout->levels)
		return 0;
	if (gw_memory_get_table(m, mfn, level, err) < 0)
		return -1;
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
