/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The page-table trees of a PV guest, as the image shows them: from each root down, by the types
 * that the image gives its pages. What an entry points at is judged, nothing is restored. Tables
 * descend a level with each step, so that no image makes a loop; and of trees that share too much
 * to be followed in reasonable time the last are left out, and that is said.
 */
#ifndef GW_EXAMINE_MEMORY_PAGE_TABLES_H
#define GW_EXAMINE_MEMORY_PAGE_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "examine/memory/map.h"
#include "examine/memory/tables.h"
#include "format/x86/pv_layout.h"

/* What a vCPU names as the root of its page tables. */
struct gw_root_use {
	uint64_t pfn;
	uint32_t vcpu;
	bool user; /* of its user mode; 64-bit guests have two */
};

/* A pinned table of the highest level, or what a vCPU names. */
struct gw_root {
	uint64_t pfn;
	int type; /* as the image gave it last; -1: it never came */
	bool pinned;
	const struct gw_root_use *uses; /* by vCPU */
	size_t nr_uses;
	bool is_table; /* of the highest level, and its contents are there */
	bool followed; /* the numbers below are known */
	/* Of the tables below it and itself, each counted once. */
	uint32_t tables[5]; /* by level */
	uint64_t shared;    /* of those, reached from other roots as well */
	uint64_t present;   /* entries */
	uint64_t mapped; /* of those, in tables of level 1: pages with memory, as often as they are
			    mapped */
	uint64_t xen_slots; /* entries that are Xen's, and left out */
};

enum gw_table_fault_kind {
	GW_TABLE_ABOVE,	    /* the target is above the guest's last pfn */
	GW_TABLE_ABSENT,    /* the target has no memory */
	GW_TABLE_SUPERPAGE, /* above level 1: PV guests have none */
	GW_TABLE_TYPE,	    /* above level 1: the target is no table of the next level */
	GW_TABLE_NR_FAULTS,
};

/* A present entry that points at what it should not. */
struct gw_table_fault {
	enum gw_table_fault_kind kind;
	uint64_t table;		 /* pfn */
	unsigned level, slot;	 /* of the table; in it */
	uint64_t entry;		 /* the entry's value */
	uint64_t target;	 /* pfn */
	int target_type;	 /* -1: it never came */
	uint64_t record, offset; /* the PAGE_DATA that has the table: number, and where it is */
};

/* Zeroed is empty. Put tables and roots in, then look. */
struct gw_page_tables {
	struct gw_tables tables;
	/* results */
	struct gw_root *roots; /* by pfn */
	size_t nr_roots;
	bool all_followed;    /* no root was left out, every good one was followed */
	uint64_t by_level[5]; /* tables */
	uint64_t unread;      /* of those, without contents: cut off, or no room */
	uint64_t shared;      /* reached from more than one root */
	uint64_t unreached;   /* reached from none */
	uint64_t faults[GW_TABLE_NR_FAULTS];

	/* private */
	struct gw_root_use *uses;
	size_t nr_uses, cap_uses;
	const struct gw_memory_map *map;
	const struct gw_pv_layout *layout;
	uint64_t nr_pfns;
	struct gw_table_facts *facts; /* of each table in the list */
};

int gw_page_tables_use(struct gw_page_tables *pt, const struct gw_root_use *use,
		       struct gw_error *err);
/* Both of a vCPU's, from its X86_PV_VCPU_BASIC blob, which is of the layout's size. */
int gw_page_tables_use_vcpu(struct gw_page_tables *pt, const struct gw_pv_layout *layout,
			    uint32_t vcpu, const uint8_t *basic, struct gw_error *err);

/* map (borrowed) says what is where, nr_pfns how many pfns the guest has at most. */
int gw_page_tables_examine(struct gw_page_tables *pt, const struct gw_memory_map *map,
			   const struct gw_pv_layout *layout, uint64_t nr_pfns,
			   struct gw_error *err);

/* Behind look: every fault, by pfn of the table and slot. Ends early when fn returns false. */
int gw_page_tables_faults(const struct gw_page_tables *pt,
			  bool (*fn)(void *opaque, const struct gw_table_fault *fault),
			  void *opaque, struct gw_error *err);
/* Behind look: every table that no root reaches, by pfn; type as the image gave it last. */
void gw_page_tables_unreached(const struct gw_page_tables *pt,
			      bool (*fn)(void *opaque, uint64_t pfn, unsigned type), void *opaque);

void gw_page_tables_free(struct gw_page_tables *pt);

#endif
