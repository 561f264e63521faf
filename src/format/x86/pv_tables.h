/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Xen's rules for the memory of an x86 PV guest (get_page_type() and what it calls, the same in
 * Xen 4.14 to 4.22): a frame has one use at a time, and uses are counted. It is a page table of one
 * level, or holds descriptors, or is mapped writable. A frame becomes a page table when something
 * begins to use it as one, and then all that it refers to is checked.
 */
#ifndef GW_FORMAT_X86_PV_TABLES_H
#define GW_FORMAT_X86_PV_TABLES_H

#include <godwit/error.h>

#include "format/x86/pv_layout.h"

/* The first four are also the level of the table. */
enum gw_pv_use_type {
	GW_PV_USE_NONE,
	GW_PV_USE_L1,
	GW_PV_USE_L2,
	GW_PV_USE_L3,
	GW_PV_USE_L4,
	GW_PV_USE_DESCRIPTORS, /* a frame of a GDT or LDT */
	GW_PV_USE_WRITABLE,
};

/* The use of a frame. Zeroed: it has no use. */
struct gw_pv_use {
	uint32_t count;
	/*
	 * Linear page tables: a table may show another one of its own level. Above 0: entries of
	 * this table that show others; below 0: entries of others that show this table.
	 */
	int16_t linear;
	uint8_t type;	 /* enum gw_pv_use_type */
	bool valid : 1;	 /* all its entries were checked */
	bool xen_l2 : 1; /* the L2 of a 32-bit guest's last slot, with Xen's own entries */
};

struct gw_pv_tables {
	const struct gw_pv_layout *layout;
	struct gw_pv_use *uses; /* nr_frames */
	uint64_t nr_frames;
	void *owner;
	/* The contents of a frame of the guest's; NULL if it is not the guest's. */
	uint8_t *(*page)(void *owner, uint64_t frame);
	/* The pfn of such a frame, for messages. */
	uint64_t (*pfn)(void *owner, uint64_t frame);
	/* A frame has become a valid page table, or ceases to be one. */
	void (*changed)(void *owner, uint64_t frame);
	/*
	 * NULL: a table with a bad entry is refused. Else it is reported, once with its first bad
	 * entry, and used without its bad entries, which are cleared.
	 */
	void (*fault)(void *fault_owner, const struct gw_error *fault);
	void *fault_owner;
	unsigned searches; /* how often a writable mapping was searched for */
};

/*
 * Something begins to use a frame of the guest's. 0, or -1 with err (GW_INVALID) if Xen refuses it;
 * then nothing has changed. The text names pfns, levels and slots.
 */
int gw_pv_use_get(struct gw_pv_tables *t, uint64_t frame, enum gw_pv_use_type type,
		  struct gw_error *err);
/* That use ends. */
void gw_pv_use_put(struct gw_pv_tables *t, uint64_t frame);
/*
 * For an owner that changes the entry of a table in use: what the new entry refers to is taken into
 * use (begin; 0, or -1 with err as above), then what the present one refers to is released (end).
 * After both the owner writes the entry.
 */
int gw_pv_entry_begin(struct gw_pv_tables *t, uint64_t frame, unsigned slot, uint64_t pte,
		      struct gw_error *err);
void gw_pv_entry_end(struct gw_pv_tables *t, uint64_t frame, unsigned slot);

#endif
