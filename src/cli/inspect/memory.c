/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The text output of the memory map: the totals, and the first lines of each list unless all were
 * requested.
 */
#include "cli/inspect/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cli/inspect/line.h"
#include "examine/describe.h"
#include "format/libxc/image.h"

/* Printed lines of a list; --json has all. */
#define LINES_SHOWN 24u
/* Counts of resent pages, and runs of pinned tables, in one line. */
#define COUNTS_SHOWN 4u
#define PINNED_SHOWN 8u

const char *gw_inspect_type_name(int type)
{
	const char *name = type < 0 ? "nothing" : gw_page_type_name((unsigned)type);

	return name ? name : "reserved";
}

const char *gw_inspect_fault_name(enum gw_table_fault_kind kind)
{
	static const char *const names[] = {
		[GW_TABLE_ABOVE] = "above",
		[GW_TABLE_ABSENT] = "absent",
		[GW_TABLE_SUPERPAGE] = "superpage",
		[GW_TABLE_TYPE] = "type",
	};

	return names[kind];
}

/* A list that is counted and printed. */
struct list {
	uint64_t most; /* to show */
	uint64_t seen, pfns;
};

static void span(const char *name, uint64_t first, uint64_t last, const char *what)
{
	line(name, "0x%08" PRIx64 "-0x%08" PRIx64 " %10" PRIu64 "%s%s", first, last,
	     last - first + 1, *what ? "  " : "", what);
}

static void more(const struct list *l, const char *what)
{
	if (l->seen > l->most)
		line("", "and %" PRIu64 " more %s (--json lists all)", l->seen - l->most, what);
}

static bool show_run(void *opaque, const struct gw_map_run *run)
{
	struct list *l = opaque;

	if (l->seen++ < l->most)
		span("", run->first, run->last, gw_inspect_type_name((int)run->type));
	return true;
}

static int runs(const struct gw_inspect *inspect, struct gw_error *err)
{
	struct list l = {.most = inspect->narrowed ? UINT64_MAX : LINES_SHOWN};

	if (gw_memory_map_runs(&inspect->summary.memory, show_run, &l, err) < 0)
		return -1;
	more(&l, "runs");
	return 0;
}

static bool count_hole(void *opaque, const struct gw_map_hole *hole)
{
	struct list *l = opaque;

	l->seen++;
	l->pfns += hole->last - hole->first + 1;
	return true;
}

static bool show_hole(void *opaque, const struct gw_map_hole *hole)
{
	span("", hole->first, hole->last, "");
	return true;
}

static int holes(const struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_memory_map *m = &inspect->summary.memory;
	struct list l = {0};

	if (gw_memory_map_holes(m, count_hole, &l, err) < 0)
		return -1;
	if (!l.seen)
		return 0;
	line("Holes", "%" PRIu64 " pfn%s without memory in %" PRIu64 " run%s", l.pfns,
	     l.pfns == 1 ? "" : "s", l.seen, l.seen == 1 ? "" : "s");
	return inspect->narrowed ? gw_memory_map_holes(m, show_hole, NULL, err) : 0;
}

/* The runs that were sent most often, so far. */
struct most {
	struct gw_map_resent runs[LINES_SHOWN];
	size_t nr;
	uint64_t seen;
};

static bool keep_most(void *opaque, const struct gw_map_resent *run)
{
	struct most *m = opaque;
	size_t place = m->nr;

	m->seen++;
	while (place > 0 && m->runs[place - 1].times < run->times)
		place--;
	if (place == LINES_SHOWN)
		return true;
	m->nr = GW_MIN(m->nr + 1, (size_t)LINES_SHOWN);
	memmove(&m->runs[place + 1], &m->runs[place], (m->nr - place - 1) * sizeof(m->runs[0]));
	m->runs[place] = *run;
	return true;
}

static int resent_runs(const struct gw_memory_map *map, struct gw_error *err)
{
	struct most m = {0};

	if (gw_memory_map_resent(map, keep_most, &m, err) < 0)
		return -1;
	for (size_t i = 0; i < m.nr; i++) {
		char what[40];

		snprintf(what, sizeof(what), "%" PRIu32 " times", m.runs[i].times);
		span(i ? "" : "Most often", m.runs[i].first, m.runs[i].last, what);
	}
	more(&(struct list){.most = LINES_SHOWN, .seen = m.seen}, "runs");
	return 0;
}

/* Prints the smallest counts and the biggest in one line. */
static void resent_line(const struct gw_map_times *list, size_t nr, uint64_t pfns)
{
	uint64_t rest = 0;

	label("Resent");
	printf("%" PRIu64 " pfn%s:", pfns, pfns == 1 ? "" : "s");
	for (size_t i = 0; i < nr; i++) {
		if (i >= COUNTS_SHOWN)
			rest += list[i].pfns;
		else
			printf("%s %" PRIu64 " sent %" PRIu32 " times", i ? "," : "", list[i].pfns,
			       list[i].times);
	}
	if (rest)
		printf(", %" PRIu64 " more often, at most %" PRIu32 " times", rest,
		       list[nr - 1].times);
	putchar('\n');
}

static int resent(const struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_memory_map *map = &inspect->summary.memory;
	GW_FREE_ON_EXIT struct gw_map_times *all = NULL;
	const struct gw_map_times *list;
	uint64_t pfns = 0;
	size_t nr;

	if (gw_memory_map_histogram(map, &all, &nr, err) < 0)
		return -1;
	/* Once is not resent. */
	list = nr && all[0].times == 1 ? all + 1 : all;
	nr -= (size_t)(list - all);
	for (size_t i = 0; i < nr; i++)
		pfns += list[i].pfns;
	if (!nr)
		return 0;
	if (!inspect->narrowed) {
		resent_line(list, nr, pfns);
		return 0;
	}
	line("Resent", "%" PRIu64 " pfn%s", pfns, pfns == 1 ? "" : "s");
	for (size_t i = 0; i < nr; i++)
		line("", "%10" PRIu64 "  sent %" PRIu32 " times%s", list[i].pfns, list[i].times,
		     map->counts_full && list[i].times == UINT8_MAX ? " or more" : "");
	return resent_runs(map, err);
}

static int contents(const struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_page_contents *c = &inspect->summary.contents;
	struct gw_contents_counts n;

	if (!inspect->pages)
		return 0;
	if (gw_page_contents_count(c, &n, err) < 0)
		return -1;
	line("Contents",
	     "%" PRIu64 " pages: %" PRIu64 " zero, %" PRIu64 " of one word, %" PRIu64
	     " equal to others (%" PRIu64 " different ones)",
	     n.pages, n.zero, n.one_word, n.equal, n.equal_kinds);
	if (c->left_out)
		line("", "(%" PRIu64 " more did not fit into memory and are not counted)",
		     c->left_out);
	return 0;
}

/* Page tables by their types alone. */
static bool show_pinned(void *opaque, const struct gw_map_run *run)
{
	struct list *l = opaque;
	unsigned level = gw_page_table_level(run->type);

	if (!level || !(run->type & GW_PAGE_PINNED))
		return true;
	if (l->seen++ >= l->most)
		return true;
	printf("%s0x%" PRIx64, l->seen == 1 ? "; pinned: " : ", ", run->first);
	if (run->last != run->first)
		printf("-0x%" PRIx64, run->last);
	printf(" L%u", level);
	return true;
}

static int table_types(const struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_memory_map *m = &inspect->summary.memory;
	struct list l = {.most = inspect->narrowed ? UINT64_MAX : PINNED_SHOWN};
	uint64_t by_level[5] = {0};
	const char *sep = "";

	for (unsigned level = 1; level <= 4; level++) {
		by_level[level] = m->by_type[level] + m->by_type[level | GW_PAGE_PINNED];
		by_level[0] += by_level[level];
	}
	if (!by_level[0])
		return 0;
	label("Page tables");
	for (unsigned level = 1; level <= 4; level++) {
		if (!by_level[level])
			continue;
		printf("%s%" PRIu64 " L%u", sep, by_level[level], level);
		sep = ", ";
	}
	if (gw_memory_map_runs(m, show_pinned, &l, err) < 0)
		return -1;
	if (l.seen > l.most)
		printf(", and %" PRIu64 " more runs (--memory lists all)", l.seen - l.most);
	putchar('\n');
	return 0;
}

int gw_inspect_memory_text(const struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_memory_map *m = &inspect->summary.memory;
	const char *sep = "";

	if (!m->entries)
		return 0;
	line("Memory",
	     "%" PRIu64 " pfns up to 0x%" PRIx64 ", %" PRIu64 " pages in the image, %" PRIu64
	     " of them resent",
	     m->pfns, m->highest, inspect->examination.pages, m->resent);
	label("");
	for (unsigned type = 0; type < 16; type++) {
		if (!m->by_type[type])
			continue;
		printf("%s%" PRIu64 " %s", sep, m->by_type[type], gw_inspect_type_name((int)type));
		sep = ", ";
	}
	putchar('\n');
	if (m->left_out)
		line("", "(%" PRIu64 " entries have pfns too scattered: the map is incomplete)",
		     m->left_out);
	if (inspect->summary.unfinished)
		line("",
		     "(%" PRIu64 " entries after the last complete checkpoint are not in the map)",
		     inspect->summary.unfinished);
	if (runs(inspect, err) < 0 || holes(inspect, err) < 0 || resent(inspect, err) < 0 ||
	    table_types(inspect, err) < 0)
		return -1;
	return contents(inspect, err);
}

/* The trees. */

int gw_inspect_page_tables(struct gw_inspect *inspect, struct gw_error *err)
{
	struct gw_summary *s = &inspect->summary;
	const struct gw_pv_layout *layout =
		s->has_pv_info ? gw_pv_layout(s->pv_info.guest_width) : NULL;

	if (!inspect->page_tables || !layout)
		return 0;
	for (size_t i = 0; i < s->nr_vcpus; i++) {
		const struct gw_buffer *basic = &s->vcpus[i].blobs[GW_VCPU_BASIC];

		if (basic->len == layout->vcpu_size &&
		    gw_page_tables_use_vcpu(&s->tables, layout, s->vcpus[i].id, basic->data, err) <
			    0)
			return -1;
	}
	return gw_page_tables_examine(&s->tables, &s->memory, layout,
				      s->has_p2m ? (uint64_t)s->p2m_end + 1 : s->memory.highest + 1,
				      err);
}

static void root_name(const struct gw_root *root)
{
	const char *sep = "";

	if (root->pinned) {
		printf("pinned");
		sep = ", ";
	}
	for (size_t i = 0; i < root->nr_uses; i++) {
		printf("%s%s of vCPU %" PRIu32, sep, root->uses[i].user ? "user cr3" : "cr3",
		       root->uses[i].vcpu);
		sep = ", ";
	}
}

static void show_root(const struct gw_page_tables *pt, const struct gw_root *root)
{
	label("");
	printf("0x%08" PRIx64 " ", root->pfn);
	if (root->followed) {
		for (unsigned level = pt->layout->levels; level > 0; level--)
			printf(" %7" PRIu32, root->tables[level]);
		printf(" %7" PRIu64 " %9" PRIu64 " %9" PRIu64 " %7" PRIu64 "  ", root->shared,
		       root->present, root->mapped, root->xen_slots);
	} else if (root->is_table) {
		printf(" not followed: too much is shared  ");
	} else if (root->type >= 0 &&
		   gw_page_table_level((unsigned)root->type) == pt->layout->levels) {
		printf(" its contents are not there  ");
	} else {
		printf(" is %s, expected an L%u  ", gw_inspect_type_name(root->type),
		       pt->layout->levels);
	}
	root_name(root);
	putchar('\n');
}

static void show_roots(const struct gw_page_tables *pt)
{
	label("Roots");
	printf("%-11s", "pfn");
	for (unsigned level = pt->layout->levels; level > 0; level--)
		printf("      L%u", level);
	printf(" %7s %9s %9s %7s\n", "shared", "entries", "mapped", "Xen's");
	for (size_t i = 0; i < pt->nr_roots; i++)
		show_root(pt, &pt->roots[i]);
	if (!pt->nr_roots)
		line("", "none");
}

static bool show_fault(void *opaque, const struct gw_table_fault *f)
{
	struct list *l = opaque;

	if (l->seen++ >= l->most)
		return true;
	label("");
	printf("L%u 0x%08" PRIx64 " entry %3u (0x%016" PRIx64 "): ", f->level, f->table, f->slot,
	       f->entry);
	switch (f->kind) {
	case GW_TABLE_ABOVE:
		printf("pfn 0x%" PRIx64 " is above the last\n", f->target);
		break;
	case GW_TABLE_ABSENT:
		printf("pfn 0x%" PRIx64 " has no memory\n", f->target);
		break;
	case GW_TABLE_SUPERPAGE:
		printf("a superpage\n");
		break;
	default:
		printf("pfn 0x%" PRIx64 " is %s, expected an L%u\n", f->target,
		       gw_inspect_type_name(f->target_type), f->level - 1);
		break;
	}
	return true;
}

static int show_faults(const struct gw_page_tables *pt, struct gw_error *err)
{
	struct list l = {.most = LINES_SHOWN};
	uint64_t all = 0;

	for (unsigned kind = 0; kind < GW_TABLE_NR_FAULTS; kind++)
		all += pt->faults[kind];
	if (!all)
		return 0;
	line("Faults",
	     "%" PRIu64 " entries: %" PRIu64 " point above the last pfn, %" PRIu64
	     " where no memory is, %" PRIu64 " at a wrong type, %" PRIu64 " are superpages",
	     all, pt->faults[GW_TABLE_ABOVE], pt->faults[GW_TABLE_ABSENT],
	     pt->faults[GW_TABLE_TYPE], pt->faults[GW_TABLE_SUPERPAGE]);
	if (gw_page_tables_faults(pt, show_fault, &l, err) < 0)
		return -1;
	more(&l, "entries");
	return 0;
}

static bool show_unreached(void *opaque, uint64_t pfn, unsigned type)
{
	struct list *l = opaque;

	if (l->seen++ < l->most)
		line("", "0x%08" PRIx64 "  %s", pfn, gw_inspect_type_name((int)type));
	return true;
}

int gw_inspect_tables_text(const struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_page_tables *pt = &inspect->summary.tables;
	struct list l = {.most = LINES_SHOWN};

	if (!pt->layout) {
		line("Page tables",
		     "unknown: they are in the guest's memory, and only images of PV guests mark them");
		return 0;
	}
	if (!inspect->memory && table_types(inspect, err) < 0)
		return -1;
	if (pt->unread)
		line("", "(of %" PRIu64 " the contents are not there)", pt->unread);
	show_roots(pt);
	if (!pt->all_followed)
		line("", "(not all roots were followed: they share too much)");
	line("Shared", "%" PRIu64 " tables are below more than one root", pt->shared);
	if (show_faults(pt, err) < 0)
		return -1;
	if (!pt->unreached)
		return 0;
	line("Below none", "%" PRIu64 " table%s", pt->unreached, pt->unreached == 1 ? "" : "s");
	gw_page_tables_unreached(pt, show_unreached, &l);
	more(&l, "tables");
	return 0;
}
