/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The uses of a PV guest's frames (pv_tables.h): taking and ending them, and what becoming a page
 * table checks. What a single entry may be is in pv_entry.c.
 */
#include "format/x86/pv_tables.h"

#include <inttypes.h>

#include "base/util.h"
#include "format/x86/pv_entry.h"

/* A conflict is explained by a search through all tables, at most so often. */
#define SEARCHES_MAX 32u

static void put_pte(struct gw_pv_tables *t, uint64_t frame, unsigned slot, uint64_t pte)
{
	gw_put_le64(gw_pv_pte_at(t->page(t->owner, frame), slot), pte);
}

static bool is_table(const struct gw_pv_use *use)
{
	return use->type >= GW_PV_USE_L1 && use->type <= GW_PV_USE_L4;
}

/* Messages */

static bool maps_writable(const uint8_t *table, uint64_t frame, unsigned *slot)
{
	for (*slot = 0; *slot < GW_PV_PTES; (*slot)++) {
		uint64_t pte = gw_get_le64(gw_pv_pte_at(table, *slot));

		if (gw_pv_pte_is_writable(pte) && gw_pv_pte_frame(pte) == frame)
			return true;
	}
	return false;
}

/* ", by pfn 0x5 (L1), entry 7": where a frame is mapped writable. */
static void name_mapping(struct gw_pv_tables *t, uint64_t frame, char *text, size_t size)
{
	unsigned slot;

	snprintf(text, size, "%s", "");
	if (t->searches++ >= SEARCHES_MAX)
		return;
	for (uint64_t i = 0; i < t->nr_frames; i++) {
		if (t->uses[i].count == 0 || t->uses[i].type != GW_PV_USE_L1 ||
		    !maps_writable(t->page(t->owner, i), frame, &slot))
			continue;
		snprintf(text, size, " by pfn 0x%" PRIx64 " (L1), entry %u", t->pfn(t->owner, i),
			 slot);
		return;
	}
}

char *gw_pv_use_describe(struct gw_pv_tables *t, uint64_t frame, char *text, size_t size)
{
	const struct gw_pv_use *use = &t->uses[frame];
	char mapping[64];

	switch (use->type) {
	case GW_PV_USE_WRITABLE:
		name_mapping(t, frame, mapping, sizeof(mapping));
		snprintf(text, size, "is mapped writable%s", mapping);
		break;
	case GW_PV_USE_DESCRIPTORS:
		snprintf(text, size, "is a GDT page");
		break;
	default:
		snprintf(text, size, "is in use as an L%u table%s", use->type,
			 use->xen_l2 ? " with Xen's entries" : "");
		break;
	}
	return text;
}

/* Ending uses */

/* Guests of tests write into their tables without a word: an entry may name what was never got. */
static void put_entry(struct gw_pv_tables *t, uint64_t frame, unsigned level, uint64_t pte)
{
	uint64_t to = gw_pv_pte_frame(pte);
	struct gw_pv_use *use = to < t->nr_frames ? &t->uses[to] : NULL;

	if (!(pte & GW_PV_PTE_PRESENT) || !use || use->count == 0 || to == frame)
		return;
	if (level == 1 && gw_pv_pte_is_writable(pte) && use->type == GW_PV_USE_WRITABLE)
		gw_pv_use_put(t, to);
	if (level == 1 || (use->type != level && use->type != level - 1))
		return;
	if (use->type == level) {
		t->uses[frame].linear--;
		use->linear++;
	}
	gw_pv_use_put(t, to);
}

/* The entries of a table before slot end. */
static void put_entries(struct gw_pv_tables *t, uint64_t frame, unsigned end)
{
	const struct gw_pv_use use = t->uses[frame];
	const uint8_t *page = t->page(t->owner, frame);

	for (unsigned i = 0; page && i < end; i++)
		if (gw_pv_is_guest_slot(t->layout, use.type, use.xen_l2, i))
			put_entry(t, frame, use.type, gw_get_le64(gw_pv_pte_at(page, i)));
}

void gw_pv_use_put(struct gw_pv_tables *t, uint64_t frame)
{
	struct gw_pv_use *use = &t->uses[frame];
	bool table = is_table(use);

	if (use->count == 0 || --use->count > 0)
		return;
	if (table)
		put_entries(t, frame, GW_PV_PTES);
	*use = (struct gw_pv_use){0};
	if (table)
		t->changed(t->owner, frame);
}

/* Beginning uses */

/*
 * Checks the entries of a new table. Xen's slots are skipped. In the last slot of a 32-bit guest's
 * L3 there must be a table, since Xen has entries of its own in it.
 */
static int check_entries(struct gw_pv_tables *t, uint64_t frame, struct gw_error *err)
{
	const struct gw_pv_use use = t->uses[frame];
	struct gw_error first = GW_ERROR_INIT;
	unsigned bad = 0;

	for (unsigned i = 0; i < GW_PV_PTES; i++) {
		struct gw_error fault = GW_ERROR_INIT;
		struct gw_pv_entry entry = {frame, use.type, i, 0};

		if (!gw_pv_is_guest_slot(t->layout, use.type, use.xen_l2, i))
			continue;
		entry.pte = gw_get_le64(gw_pv_pte_at(t->page(t->owner, frame), i));
		if (gw_pv_entry_get(t, &entry, &fault) == 0)
			continue;
		if (!t->fault) {
			put_entries(t, frame, i);
			return gw_fail_as(err, &fault);
		}
		if (!bad++)
			first = fault;
		put_pte(t, frame, i, 0);
	}
	if (bad > 1)
		gw_fail_more(&first, " (and %u more entries of this table)", bad - 1);
	if (bad)
		t->fault(t->fault_owner, &first);
	return 0;
}

static int begin_table(struct gw_pv_tables *t, uint64_t frame, struct gw_error *err)
{
	struct gw_pv_use *use = &t->uses[frame];

	if (check_entries(t, frame, err) < 0) {
		*use = (struct gw_pv_use){0};
		return -1;
	}
	use->valid = true;
	t->changed(t->owner, frame);
	return 0;
}

enum gw_pv_got gw_pv_use_try(struct gw_pv_tables *t, uint64_t frame, enum gw_pv_use_type type,
			     bool xen_l2, struct gw_error *err)
{
	struct gw_pv_use *use = &t->uses[frame];

	if (use->count > 0) {
		if (use->type != type || use->xen_l2 != xen_l2)
			return GW_PV_CONFLICT;
		use->count++;
		return GW_PV_GOT;
	}
	*use = (struct gw_pv_use){.count = 1, .type = (uint8_t)type, .xen_l2 = xen_l2};
	if (is_table(use))
		return begin_table(t, frame, err) < 0 ? GW_PV_REFUSED : GW_PV_GOT;
	use->valid = true;
	return GW_PV_GOT;
}

int gw_pv_use_get(struct gw_pv_tables *t, uint64_t frame, enum gw_pv_use_type type,
		  struct gw_error *err)
{
	char text[120], what[40];

	snprintf(what, sizeof(what), "an L%u table", (unsigned)type);
	switch (gw_pv_use_try(t, frame, type, false, err)) {
	case GW_PV_GOT:
		return 0;
	case GW_PV_REFUSED:
		return -1;
	default:
		return gw_fail(err, GW_INVALID, "pfn 0x%" PRIx64 " cannot be %s: it %s",
			       t->pfn(t->owner, frame),
			       type == GW_PV_USE_DESCRIPTORS ? "a GDT page"
			       : type == GW_PV_USE_WRITABLE  ? "mapped writable"
							     : what,
			       gw_pv_use_describe(t, frame, text, sizeof(text)));
	}
}

int gw_pv_entry_begin(struct gw_pv_tables *t, uint64_t frame, unsigned slot, uint64_t pte,
		      struct gw_error *err)
{
	const struct gw_pv_entry entry = {frame, t->uses[frame].type, slot, pte};

	return gw_pv_entry_get(t, &entry, err);
}

void gw_pv_entry_end(struct gw_pv_tables *t, uint64_t frame, unsigned slot)
{
	put_entry(t, frame, t->uses[frame].type,
		  gw_get_le64(gw_pv_pte_at(t->page(t->owner, frame), slot)));
}
