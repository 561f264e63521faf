/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The guest in numbers, as an image and a hypervisor both know it: page size, page types, guest
 * types, the TSC.
 */
#ifndef GODWIT_GUEST_H
#define GODWIT_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GW_PAGE_SHIFT  12
#define GW_PAGE_SIZE   4096u
#define GW_INVALID_PFN (~UINT64_C(0))

/* The values of the domain header: section "Domain Header" of Xen's
 * docs/specs/libxc-migration-stream.pandoc. */
enum gw_guest_type {
	GW_GUEST_NONE = 0,
	GW_GUEST_X86_PV = 1,
	GW_GUEST_X86_HVM = 2, /* PVH too */
};

/* Page types: the nibble of a PAGE_DATA entry (XEN_DOMCTL_PFINFO_* without its shift). */
enum gw_page_type {
	GW_PAGE_NOTAB = 0x0,
	GW_PAGE_L1TAB = 0x1,
	GW_PAGE_L2TAB = 0x2,
	GW_PAGE_L3TAB = 0x3,
	GW_PAGE_L4TAB = 0x4,
	GW_PAGE_PINNED = 0x8, /* a bit: L1TAB..L4TAB with it are pinned tables */
	GW_PAGE_BROKEN = 0xd,
	GW_PAGE_XALLOC = 0xe,
	GW_PAGE_XTAB = 0xf,
};

/* NOTAB and tables, pinned or not. Reserved types (5-8) carry none. */
static inline bool gw_page_has_data(unsigned type)
{
	return type <= 0x4 || (type >= 0x9 && type <= 0xc);
}

static inline bool gw_page_is_populated(unsigned type)
{
	return gw_page_has_data(type) || type == GW_PAGE_XALLOC;
}

/* 1..4 for a page table of that level, 0 for anything else. */
static inline unsigned gw_page_table_level(unsigned type)
{
	return gw_page_has_data(type) ? type & 0x7 : 0;
}

/* The TSC of a guest: section "X86_TSC_INFO" of Xen's docs/specs/libxc-migration-stream.pandoc. */
struct gw_tsc_info {
	uint32_t mode, khz;
	uint64_t nsec;
	uint32_t incarnation;
};

#ifdef __cplusplus
}
#endif
#endif
