/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What Xen demands of one entry of a PV guest's page table (mm.c of Xen: get_page_from_l1e to
 * get_page_from_l4e, the linear page tables, and the last slot of a 32-bit guest's L3).
 */
#include "format/x86/pv_entry.h"

#include <inttypes.h>

/*
 * Flags that no entry may have. The cache attributes (PWT, PCD, PAT) are for domains with hardware
 * of their own, which a domain gets only after its restore. Above L1 bit 7 is a superpage and bit 8
 * is reserved. A 32-bit guest's L3 has no NX either, and no bits for the guest's own use above 51.
 */
#define FLAGS_CACHE   UINT64_C(0x98)
#define FLAGS_GLOBAL  UINT64_C(0x100)
#define FLAGS_HIGH    UINT64_C(0xfff0000000000000)
#define LAST_SLOT_PAE (GW_PV32_L3_GUEST - 1)
#define LINEAR_MAX    INT16_MAX
#define LINEAR_MIN    INT16_MIN

static uint64_t disallowed(const struct gw_pv_layout *l, unsigned level)
{
	if (level == 1)
		return FLAGS_CACHE;
	if (level == 3 && l->width == 4)
		return FLAGS_CACHE | FLAGS_GLOBAL | FLAGS_HIGH;
	return FLAGS_CACHE | FLAGS_GLOBAL;
}

bool gw_pv_is_guest_slot(const struct gw_pv_layout *l, unsigned level, bool xen_l2, unsigned slot)
{
	unsigned last, first = gw_pv_xen_slots(l, level, xen_l2, &last);

	return slot < first || slot > last;
}

/* Fails with the entry's place before the text. */
#define FAULT(t, e, err, fmt, ...)                                                                 \
	gw_fail(err, GW_INVALID, "pfn 0x%" PRIx64 " (L%u), entry %u: " fmt,                        \
		(t)->pfn((t)->owner, (e)->frame), (e)->level, (e)->slot, ##__VA_ARGS__)

static int check_flags(const struct gw_pv_tables *t, const struct gw_pv_entry *e,
		       struct gw_error *err)
{
	uint64_t bad = e->pte & disallowed(t->layout, e->level);

	if (e->level > 1 && (bad & GW_PV_PTE_PSE))
		return FAULT(t, e, err, "superpage (0x%" PRIx64 "), which no PV guest may have",
			     e->pte);
	if (bad)
		return FAULT(t, e, err, "flags 0x%" PRIx64 " of 0x%" PRIx64 " are not allowed", bad,
			     e->pte);
	return 0;
}

static int get_mapped(struct gw_pv_tables *t, const struct gw_pv_entry *e, struct gw_error *err)
{
	uint64_t frame = gw_pv_pte_frame(e->pte);
	const struct gw_pv_use *use = &t->uses[frame];

	if (!gw_pv_pte_is_writable(e->pte) ||
	    gw_pv_use_try(t, frame, GW_PV_USE_WRITABLE, false, NULL) == GW_PV_GOT)
		return 0;
	if (use->type == GW_PV_USE_DESCRIPTORS)
		return FAULT(t, e, err, "maps pfn 0x%" PRIx64 " (a GDT page) writable",
			     t->pfn(t->owner, frame));
	return FAULT(t, e, err, "maps pfn 0x%" PRIx64 " (L%u table) writable",
		     t->pfn(t->owner, frame), use->type);
}

/* A table of the same level, shown as if it were of the next one: a linear page table. */
static bool is_sibling(const struct gw_pv_tables *t, const struct gw_pv_entry *e)
{
	const struct gw_pv_use *to = &t->uses[gw_pv_pte_frame(e->pte)];

	return to->count > 0 && to->type == e->level;
}

static bool allows_linear(const struct gw_pv_layout *l, unsigned level)
{
	return level == 2 || level == 4 || (level == 3 && l->width == 8);
}

/*
 * A table may show itself, or another valid one of its level, read-only. A table that shows others
 * may not be shown by others.
 */
static int get_linear(struct gw_pv_tables *t, const struct gw_pv_entry *e, struct gw_error *err)
{
	uint64_t frame = gw_pv_pte_frame(e->pte), pfn = t->pfn(t->owner, frame);
	struct gw_pv_use *from = &t->uses[e->frame], *to = &t->uses[frame];

	if (!allows_linear(t->layout, e->level))
		return FAULT(t, e, err,
			     "shows pfn 0x%" PRIx64 " (L%u table): a %u-bit guest may not do that",
			     pfn, e->level, t->layout->width * 8);
	if (gw_pv_pte_is_writable(e->pte))
		return FAULT(t, e, err, "shows pfn 0x%" PRIx64 " (L%u table) writable", pfn,
			     e->level);
	if (frame == e->frame)
		return 0;
	if (!to->valid)
		return FAULT(t, e, err,
			     "shows pfn 0x%" PRIx64 " (L%u table), which is not valid yet", pfn,
			     e->level);
	if (from->linear < 0 || from->linear == LINEAR_MAX || to->linear > 0 ||
	    to->linear == LINEAR_MIN)
		return FAULT(t, e, err,
			     "shows pfn 0x%" PRIx64
			     " (L%u table), but one of the two tables shows and is shown",
			     pfn, e->level);
	from->linear++;
	to->linear--;
	to->count++;
	return 0;
}

/* Xen's entries are in the last L2 of a 32-bit guest, so no two L3 tables can share it. */
static int check_shared(struct gw_pv_tables *t, const struct gw_pv_entry *e, struct gw_error *err)
{
	uint64_t frame = gw_pv_pte_frame(e->pte);

	if (t->uses[frame].count == 1)
		return 0;
	gw_pv_use_put(t, frame);
	return FAULT(t, e, err, "refers to pfn 0x%" PRIx64 ", the last L2 of another L3",
		     t->pfn(t->owner, frame));
}

static int get_table(struct gw_pv_tables *t, const struct gw_pv_entry *e, struct gw_error *err)
{
	uint64_t frame = gw_pv_pte_frame(e->pte);
	bool last = e->level == 3 && t->layout->width == 4 && e->slot == LAST_SLOT_PAE;
	char text[120];

	switch (gw_pv_use_try(t, frame, (enum gw_pv_use_type)(e->level - 1), last, err)) {
	case GW_PV_GOT:
		return last ? check_shared(t, e, err) : 0;
	case GW_PV_REFUSED:
		return -1;
	default:
		break;
	}
	if (!last && is_sibling(t, e))
		return get_linear(t, e, err);
	return FAULT(t, e, err, "refers to pfn 0x%" PRIx64 " as an L%u table, but it %s",
		     t->pfn(t->owner, frame), e->level - 1,
		     gw_pv_use_describe(t, frame, text, sizeof(text)));
}

int gw_pv_entry_get(struct gw_pv_tables *t, const struct gw_pv_entry *e, struct gw_error *err)
{
	uint64_t frame = gw_pv_pte_frame(e->pte);

	if (!(e->pte & GW_PV_PTE_PRESENT)) {
		if (e->level == 3 && t->layout->width == 4 && e->slot == LAST_SLOT_PAE)
			return FAULT(t, e, err,
				     "is not present, but Xen needs the last L2 of a 32-bit guest");
		return 0;
	}
	if (check_flags(t, e, err) < 0)
		return -1;
	if (frame >= t->nr_frames || !t->page(t->owner, frame))
		return FAULT(t, e, err, "mfn 0x%" PRIx64 " is not the guest's memory", frame);
	return e->level == 1 ? get_mapped(t, e, err) : get_table(t, e, err);
}
