/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every table is looked at once for itself, then every root is followed: once to see what other
 * roots reach, too, once to count.
 */
#include "examine/memory/page_tables.h"

#include <stdlib.h>

#include <godwit/guest.h>

#include "base/util.h"

/* Entries that are looked at while roots are followed: some seconds. */
#define ENTRIES_FOLLOWED (UINT64_C(1) << 28)

struct gw_table_facts {
	uint8_t level;	   /* 0: it is a table no more */
	uint16_t present;  /* entries */
	uint16_t good;	   /* of those, without fault */
	uint16_t xen;	   /* entries left out */
	uint32_t nr_roots; /* that reach it */
	uint32_t seen;	   /* in the walk of that number */
};

/* What an entry is. */
enum verdict { NOT_PRESENT = -3, XENS = -2, GOOD = -1 /* else enum gw_table_fault_kind */ };

int gw_page_tables_use(struct gw_page_tables *pt, const struct gw_root_use *use,
		       struct gw_error *err)
{
	if (pt->nr_uses == pt->cap_uses) {
		size_t cap = pt->cap_uses ? pt->cap_uses * 2 : 16;
		struct gw_root_use *uses = reallocarray(pt->uses, cap, sizeof(*uses));

		if (!uses)
			return gw_fail_errno(err, "the roots of page tables");
		pt->uses = uses;
		pt->cap_uses = cap;
	}
	pt->uses[pt->nr_uses++] = *use;
	return 0;
}

int gw_page_tables_use_vcpu(struct gw_page_tables *pt, const struct gw_pv_layout *layout,
			    uint32_t vcpu, const uint8_t *basic, struct gw_error *err)
{
	const uint8_t *cr = basic + layout->vcpu_cr;
	uint64_t cr3 = gw_pv_get_word(layout, gw_pv_word_at(layout, cr, 3));
	uint64_t cr1 = layout->width == 8 ? gw_get_le64(cr + 8) : 0;
	struct gw_root_use use = {.pfn = gw_pv_cr3_to_frame(layout, cr3), .vcpu = vcpu};

	if (gw_page_tables_use(pt, &use, err) < 0)
		return -1;
	if (!(cr1 & 1)) /* in a stream that says: none */
		return 0;
	use.pfn = cr1 >> 12;
	use.user = true;
	return gw_page_tables_use(pt, &use, err);
}

/* The level of what the image says is a page table of the guest's now. */
static unsigned level_of(const struct gw_page_tables *pt, uint64_t pfn)
{
	int type = gw_memory_map_type(pt->map, pfn);
	unsigned level = type < 0 ? 0 : gw_page_table_level((unsigned)type);

	return level <= pt->layout->levels ? level : 0;
}

static int judge(const struct gw_page_tables *pt, unsigned level, unsigned slot, uint64_t pte)
{
	uint64_t target = gw_pv_pte_frame(pte);
	int type;

	if (gw_pv_is_xens(pt->layout, level, slot, pte))
		return XENS;
	if (!(pte & GW_PV_PTE_PRESENT))
		return NOT_PRESENT;
	if (level > 1 && (pte & GW_PV_PTE_PSE))
		return GW_TABLE_SUPERPAGE;
	if (target >= pt->nr_pfns)
		return GW_TABLE_ABOVE;
	type = gw_memory_map_type(pt->map, target);
	if (type < 0 || !gw_page_is_populated((unsigned)type))
		return GW_TABLE_ABSENT;
	if (level > 1 && level_of(pt, target) != level - 1)
		return GW_TABLE_TYPE;
	return GOOD;
}

static int look_at_table(struct gw_page_tables *pt, size_t i, struct gw_error *err)
{
	struct gw_table_facts *facts = &pt->facts[i];
	uint64_t ptes[GW_PV_PTES];

	facts->level = pt->tables.list[i].level ? (uint8_t)level_of(pt, pt->tables.list[i].pfn) : 0;
	if (!facts->level)
		return 0;
	if (gw_tables_read(&pt->tables, i, ptes, err) < 0)
		return -1;
	for (unsigned slot = 0; slot < GW_PV_PTES; slot++) {
		int verdict = judge(pt, facts->level, slot, ptes[slot]);

		facts->xen += verdict == XENS;
		facts->present += verdict >= GOOD;
		facts->good += verdict == GOOD;
		if (verdict > GOOD)
			pt->faults[verdict]++;
	}
	return 0;
}

static int examine_tables(struct gw_page_tables *pt, struct gw_error *err)
{
	uint64_t read = 0;

	if (gw_tables_sort(&pt->tables, err) < 0)
		return -1;
	pt->facts = calloc(pt->tables.nr + 1, sizeof(*pt->facts));
	if (!pt->facts)
		return gw_fail_errno(err, "the page table index");
	for (size_t i = 0; i < pt->tables.nr; i++) {
		if (look_at_table(pt, i, err) < 0)
			return -1;
		read += pt->facts[i].level != 0;
	}
	for (unsigned level = 1; level <= pt->layout->levels; level++)
		pt->by_level[level] =
			pt->map->by_type[level] + pt->map->by_type[level | GW_PAGE_PINNED];
	for (unsigned level = 1; level <= 4; level++)
		pt->unread += pt->by_level[level];
	pt->unread -= GW_MIN(read, pt->unread);
	return 0;
}

static int by_use(const void *a, const void *b)
{
	const struct gw_root_use *x = a, *y = b;

	if (x->pfn != y->pfn)
		return x->pfn < y->pfn ? -1 : 1;
	if (x->vcpu != y->vcpu)
		return x->vcpu < y->vcpu ? -1 : 1;
	return (int)x->user - (int)y->user;
}

static int by_pfn(const void *a, const void *b)
{
	const struct gw_root *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/* The pinned tables of the highest level. Their contents may be missing all the same. */
struct pinned {
	struct gw_page_tables *pt;
	struct gw_error *err;
	size_t cap;
	int rc;
};

static int add_root(struct pinned *p, uint64_t pfn)
{
	struct gw_page_tables *pt = p->pt;

	if (pt->nr_roots == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 16;
		struct gw_root *roots = reallocarray(pt->roots, cap, sizeof(*roots));

		if (!roots)
			return gw_fail_errno(p->err, "the roots of page tables");
		pt->roots = roots;
		p->cap = cap;
	}
	pt->roots[pt->nr_roots++] = (struct gw_root){
		.pfn = pfn,
		.type = gw_memory_map_type(pt->map, pfn),
	};
	return 0;
}

static bool add_pinned(void *opaque, const struct gw_map_run *run)
{
	struct pinned *p = opaque;

	if (run->type != (p->pt->layout->levels | GW_PAGE_PINNED))
		return true;
	for (uint64_t pfn = run->first; p->rc == 0 && pfn <= run->last; pfn++) {
		if (p->pt->nr_roots == GW_TABLES_MAX) {
			p->pt->all_followed = false;
			return false;
		}
		p->rc = add_root(p, pfn);
	}
	return p->rc == 0;
}

/* Each root once, with those that name it. */
static int gather_roots(struct gw_page_tables *pt, struct gw_error *err)
{
	struct pinned p = {.pt = pt, .err = err};
	size_t unique = 0, use = 0;

	if (pt->nr_uses)
		qsort(pt->uses, pt->nr_uses, sizeof(*pt->uses), by_use);
	if (gw_memory_map_runs(pt->map, add_pinned, &p, err) < 0 || p.rc < 0)
		return -1;
	for (size_t i = 0; i < pt->nr_uses; i++) {
		if ((i == 0 || pt->uses[i].pfn != pt->uses[i - 1].pfn) &&
		    add_root(&p, pt->uses[i].pfn) < 0)
			return -1;
	}
	if (pt->nr_roots)
		qsort(pt->roots, pt->nr_roots, sizeof(*pt->roots), by_pfn);
	for (size_t i = 0; i < pt->nr_roots; i++) {
		if (unique == 0 || pt->roots[unique - 1].pfn != pt->roots[i].pfn)
			pt->roots[unique++] = pt->roots[i];
	}
	pt->nr_roots = unique;
	for (size_t i = 0; i < unique; i++) {
		struct gw_root *root = &pt->roots[i];

		root->pinned = root->type == (int)(pt->layout->levels | GW_PAGE_PINNED);
		root->uses = pt->uses + use;
		while (use < pt->nr_uses && pt->uses[use].pfn == root->pfn)
			use++;
		root->nr_uses = (size_t)(pt->uses + use - root->uses);
	}
	return 0;
}

/* One root being followed. */
struct walk {
	struct gw_page_tables *pt;
	struct gw_root *counts; /* NULL: only note what is reached */
	uint32_t number;
	uint64_t left; /* entries that may be looked at */
	bool over;     /* and that was not enough */
};

static void meet(struct walk *w, struct gw_table_facts *facts)
{
	if (!w->counts) {
		facts->nr_roots++;
		return;
	}
	w->counts->tables[facts->level]++;
	w->counts->shared += facts->nr_roots > 1;
	w->counts->present += facts->present;
	w->counts->mapped += facts->level == 1 ? facts->good : 0;
	w->counts->xen_slots += facts->xen;
}

/* As deep as there are levels: a good entry points to a table of the next one. */
static int follow(struct walk *w, size_t i, struct gw_error *err)
{
	struct gw_table_facts *facts = &w->pt->facts[i];
	uint64_t ptes[GW_PV_PTES];

	if (facts->seen == w->number || w->over)
		return 0;
	facts->seen = w->number;
	meet(w, facts);
	if (facts->level == 1)
		return 0;
	if (w->left < GW_PV_PTES) {
		w->over = true;
		return 0;
	}
	w->left -= GW_PV_PTES;
	if (gw_tables_read(&w->pt->tables, i, ptes, err) < 0)
		return -1;
	for (unsigned slot = 0; slot < GW_PV_PTES; slot++) {
		ssize_t child = -1;

		if (judge(w->pt, facts->level, slot, ptes[slot]) == GOOD)
			child = gw_tables_find(&w->pt->tables, gw_pv_pte_frame(ptes[slot]));
		if (child >= 0 && follow(w, (size_t)child, err) < 0)
			return -1;
	}
	return 0;
}

static int follow_roots(struct gw_page_tables *pt, bool count, uint32_t *walks,
			struct gw_error *err)
{
	struct walk w = {.pt = pt, .left = ENTRIES_FOLLOWED};

	for (size_t i = 0; i < pt->nr_roots; i++) {
		struct gw_root *root = &pt->roots[i];
		ssize_t table = gw_tables_find(&pt->tables, root->pfn);

		root->is_table = table >= 0 && pt->facts[table].level == pt->layout->levels;
		if (!root->is_table)
			continue;
		w.number = ++*walks;
		w.counts = count ? root : NULL;
		if (follow(&w, (size_t)table, err) < 0)
			return -1;
		root->followed = count && !w.over;
	}
	pt->all_followed &= !w.over;
	return 0;
}

int gw_page_tables_examine(struct gw_page_tables *pt, const struct gw_memory_map *map,
			   const struct gw_pv_layout *layout, uint64_t nr_pfns,
			   struct gw_error *err)
{
	uint32_t walks = 0;

	pt->map = map;
	pt->layout = layout;
	pt->nr_pfns = nr_pfns;
	pt->all_followed = true;
	if (examine_tables(pt, err) < 0 || gather_roots(pt, err) < 0 ||
	    follow_roots(pt, false, &walks, err) < 0 || follow_roots(pt, true, &walks, err) < 0)
		return -1;
	for (size_t i = 0; i < pt->tables.nr; i++) {
		if (!pt->facts[i].level)
			continue;
		pt->shared += pt->facts[i].nr_roots > 1;
		pt->unreached += pt->facts[i].nr_roots == 0;
	}
	return 0;
}

int gw_page_tables_faults(const struct gw_page_tables *pt,
			  bool (*fn)(void *opaque, const struct gw_table_fault *fault),
			  void *opaque, struct gw_error *err)
{
	for (size_t i = 0; i < pt->tables.nr; i++) {
		const struct gw_table *table = &pt->tables.list[i];
		unsigned level = pt->facts[i].level;
		uint64_t ptes[GW_PV_PTES];

		if (!level)
			continue;
		if (gw_tables_read(&pt->tables, i, ptes, err) < 0)
			return -1;
		for (unsigned slot = 0; slot < GW_PV_PTES; slot++) {
			int verdict = judge(pt, level, slot, ptes[slot]);
			struct gw_table_fault fault = {
				.kind = (enum gw_table_fault_kind)verdict,
				.table = table->pfn,
				.level = level,
				.slot = slot,
				.entry = ptes[slot],
				.target = gw_pv_pte_frame(ptes[slot]),
				.target_type =
					gw_memory_map_type(pt->map, gw_pv_pte_frame(ptes[slot])),
				.record = table->record,
				.offset = table->offset,
			};

			if (verdict > GOOD && !fn(opaque, &fault))
				return 0;
		}
	}
	return 0;
}

void gw_page_tables_unreached(const struct gw_page_tables *pt,
			      bool (*fn)(void *opaque, uint64_t pfn, unsigned type), void *opaque)
{
	for (size_t i = 0; i < pt->tables.nr; i++) {
		uint64_t pfn = pt->tables.list[i].pfn;

		if (pt->facts[i].level && pt->facts[i].nr_roots == 0 &&
		    !fn(opaque, pfn, (unsigned)gw_memory_map_type(pt->map, pfn)))
			return;
	}
}

void gw_page_tables_free(struct gw_page_tables *pt)
{
	gw_tables_free(&pt->tables);
	free(pt->roots);
	free(pt->uses);
	free(pt->facts);
	*pt = (struct gw_page_tables){0};
}
