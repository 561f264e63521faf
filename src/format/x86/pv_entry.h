/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One entry of a PV guest's page table, and what pv_tables.c and pv_entry.c know of each other.
 */
#ifndef GW_FORMAT_X86_PV_ENTRY_H
#define GW_FORMAT_X86_PV_ENTRY_H

#include <stdio.h>

#include "format/x86/pv_tables.h"

struct gw_pv_entry {
	uint64_t frame; /* of its table, which is in use */
	unsigned level, slot;
	uint64_t pte;
};

static inline bool gw_pv_pte_is_writable(uint64_t pte)
{
	return (pte & (GW_PV_PTE_PRESENT | GW_PV_PTE_RW)) == (GW_PV_PTE_PRESENT | GW_PV_PTE_RW);
}

/* A slot whose entry the guest answers for. xen_l2: as in struct gw_pv_use. */
bool gw_pv_is_guest_slot(const struct gw_pv_layout *l, unsigned level, bool xen_l2, unsigned slot);

/*
 * Takes what an entry refers to into use. 0, also for an entry that is not present, or -1 with err
 * (GW_INVALID) if Xen refuses the entry; then nothing has changed.
 */
int gw_pv_entry_get(struct gw_pv_tables *t, const struct gw_pv_entry *entry, struct gw_error *err);

/* pv_tables.c */
enum gw_pv_got {
	GW_PV_GOT,
	GW_PV_CONFLICT, /* it has another use; err is not set */
	GW_PV_REFUSED,	/* it cannot be such a table; err names its bad entry */
};
enum gw_pv_got gw_pv_use_try(struct gw_pv_tables *t, uint64_t frame, enum gw_pv_use_type type,
			     bool xen_l2, struct gw_error *err);
/* "is in use as an L2 table". Returns text. */
char *gw_pv_use_describe(struct gw_pv_tables *t, uint64_t frame, char *text, size_t size);

#endif
