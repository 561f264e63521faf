/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The JSON output of the memory map (docs/inspect-json.md).
 */
#include "cli/inspect/memory.h"

#include <stdlib.h>

#include "base/util.h"
#include "format/libxc/image.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static bool add_run(void *opaque, const struct gw_map_run *run)
{
	struct gw_inspect *inspect = opaque;

	gw_json_element(&inspect->writer,
			json_pack("[o, o, s]", number(run->first), number(run->last),
				  gw_inspect_type_name((int)run->type)));
	return true;
}

static bool add_pinned(void *opaque, const struct gw_map_run *run)
{
	if (gw_page_table_level(run->type) && run->type & GW_PAGE_PINNED)
		add_run(opaque, run);
	return true;
}

static bool add_hole(void *opaque, const struct gw_map_hole *hole)
{
	struct gw_inspect *inspect = opaque;

	gw_json_element(&inspect->writer,
			json_pack("[o, o]", number(hole->first), number(hole->last)));
	return true;
}

static bool count_hole(void *opaque, const struct gw_map_hole *hole)
{
	uint64_t *pfns = opaque;

	*pfns += hole->last - hole->first + 1;
	return true;
}

static bool add_resent(void *opaque, const struct gw_map_resent *run)
{
	struct gw_inspect *inspect = opaque;

	gw_json_element(&inspect->writer, json_pack("[o, o, o]", number(run->first),
						    number(run->last), number(run->times)));
	return true;
}

/* [times, pfns], once first. */
static json_t *times_of(const struct gw_memory_map *m, struct gw_error *err)
{
	GW_FREE_ON_EXIT struct gw_map_times *list = NULL;
	json_t *times = json_array();
	size_t nr;

	if (gw_memory_map_histogram(m, &list, &nr, err) < 0) {
		json_decref(times);
		return NULL;
	}
	for (size_t i = 0; i < nr; i++)
		json_array_append_new(
			times, json_pack("[o, o]", number(list[i].times), number(list[i].pfns)));
	return times;
}

static int summary(struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_memory_map *m = &inspect->summary.memory;
	json_t *by_type = json_object(), *times = times_of(m, err);
	uint64_t holes = 0;

	if (!times || gw_memory_map_holes(m, count_hole, &holes, err) < 0) {
		json_decref(by_type);
		json_decref(times);
		return -1;
	}
	for (unsigned type = 0; type < 16; type++) {
		if (m->by_type[type])
			json_object_set_new(by_type, gw_inspect_type_name((int)type),
					    number(m->by_type[type]));
	}
	gw_json_member(&inspect->writer, "memory",
		       json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:b}",
				 "entries", number(m->entries), "pages",
				 number(inspect->examination.pages), "resent", number(m->resent),
				 "pfns", number(m->pfns), "highest_pfn",
				 m->pfns ? number(m->highest) : json_null(), "by_type", by_type,
				 "times", times, "holes", number(holes), "times_complete",
				 !m->counts_full, "unfinished", number(inspect->summary.unfinished),
				 "complete", m->left_out == 0));
	return 0;
}

static int contents(struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_page_contents *c = &inspect->summary.contents;
	struct gw_contents_counts n;

	if (!inspect->pages)
		return 0;
	if (gw_page_contents_count(c, &n, err) < 0)
		return -1;
	gw_json_member(&inspect->writer, "contents",
		       json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "pages", number(n.pages), "zero",
				 number(n.zero), "one_word", number(n.one_word), "equal",
				 number(n.equal), "equal_kinds", number(n.equal_kinds), "complete",
				 c->left_out == 0));
	return 0;
}

int gw_inspect_memory_json(struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_memory_map *m = &inspect->summary.memory;
	struct gw_json_writer *w = &inspect->writer;
	int rc;

	if (summary(inspect, err) < 0)
		return -1;
	gw_json_list(w, "memory_runs");
	rc = gw_memory_map_runs(m, add_run, inspect, err);
	gw_json_list_end(w);
	gw_json_list(w, "memory_holes");
	if (rc == 0)
		rc = gw_memory_map_holes(m, add_hole, inspect, err);
	gw_json_list_end(w);
	gw_json_list(w, "memory_resent");
	if (rc == 0)
		rc = gw_memory_map_resent(m, add_resent, inspect, err);
	gw_json_list_end(w);
	gw_json_list(w, "pinned_tables");
	if (rc == 0)
		rc = gw_memory_map_runs(m, add_pinned, inspect, err);
	gw_json_list_end(w);
	return rc < 0 ? -1 : contents(inspect, err);
}

static json_t *levels_of(const struct gw_page_tables *pt, const uint64_t by_level[5])
{
	json_t *levels = json_object();

	for (unsigned level = 1; level <= pt->layout->levels; level++)
		json_object_set_new(levels, gw_inspect_type_name((int)level),
				    number(by_level[level]));
	return levels;
}

static json_t *root_of(const struct gw_page_tables *pt, const struct gw_root *root)
{
	json_t *uses = json_array(), *value;
	uint64_t by_level[5];

	for (size_t i = 0; i < root->nr_uses; i++)
		json_array_append_new(uses,
				      json_pack("{s:o, s:s}", "id", number(root->uses[i].vcpu),
						"mode", root->uses[i].user ? "user" : "kernel"));
	value = json_pack("{s:o, s:s, s:b, s:o, s:b}", "pfn", number(root->pfn), "type",
			  gw_inspect_type_name(root->type), "pinned", root->pinned, "vcpus", uses,
			  "followed", root->followed);
	if (!value || !root->followed)
		return value;
	for (unsigned level = 0; level < 5; level++)
		by_level[level] = root->tables[level];
	json_object_set_new(value, "tables", levels_of(pt, by_level));
	json_object_set_new(value, "shared", number(root->shared));
	json_object_set_new(value, "present", number(root->present));
	json_object_set_new(value, "mapped", number(root->mapped));
	json_object_set_new(value, "xen_slots", number(root->xen_slots));
	return value;
}

static bool add_fault(void *opaque, const struct gw_table_fault *f)
{
	struct gw_inspect *inspect = opaque;

	gw_json_element(&inspect->writer,
			json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "fault",
				  gw_inspect_fault_name(f->kind), "table", number(f->table),
				  "level", number(f->level), "slot", number(f->slot), "entry",
				  gw_json_hex(f->entry), "target", number(f->target), "target_type",
				  gw_inspect_type_name(f->target_type), "record", number(f->record),
				  "offset", number(f->offset)));
	return true;
}

static bool add_unreached(void *opaque, uint64_t pfn, unsigned type)
{
	struct gw_inspect *inspect = opaque;

	gw_json_element(&inspect->writer,
			json_pack("[o, s]", number(pfn), gw_inspect_type_name((int)type)));
	return true;
}

int gw_inspect_tables_json(struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_page_tables *pt = &inspect->summary.tables;
	struct gw_json_writer *w = &inspect->writer;
	json_t *faults = json_object();
	int rc;

	if (!pt->layout) {
		json_decref(faults);
		gw_json_member(w, "page_tables", json_null());
		return 0;
	}
	for (unsigned kind = 0; kind < GW_TABLE_NR_FAULTS; kind++)
		json_object_set_new(faults, gw_inspect_fault_name(kind), number(pt->faults[kind]));
	gw_json_member(w, "page_tables",
		       json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "levels",
				 number(pt->layout->levels), "tables", levels_of(pt, pt->by_level),
				 "unread", number(pt->unread), "shared", number(pt->shared),
				 "unreached", number(pt->unreached), "all_followed",
				 pt->all_followed, "faults", faults));
	gw_json_list(w, "page_table_roots");
	for (size_t i = 0; i < pt->nr_roots; i++)
		gw_json_element(w, root_of(pt, &pt->roots[i]));
	gw_json_list_end(w);
	gw_json_list(w, "page_table_faults");
	rc = gw_page_tables_faults(pt, add_fault, inspect, err);
	gw_json_list_end(w);
	gw_json_list(w, "page_tables_unreached");
	gw_page_tables_unreached(pt, add_unreached, inspect);
	gw_json_list_end(w);
	return rc;
}
