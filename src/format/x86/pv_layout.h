/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The layout of the structures that an x86 PV guest shares with Xen and the toolstack
 * (xen/include/public: xen.h, arch-x86/xen.h), for both guest widths. The library never includes
 * Xen's headers: offsets are data.
 */
#ifndef GW_FORMAT_X86_PV_LAYOUT_H
#define GW_FORMAT_X86_PV_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define GW_PV_PTES		512u
#define GW_PV_PTE_PRESENT	UINT64_C(0x1)
#define GW_PV_PTE_RW		UINT64_C(0x2)
#define GW_PV_PTE_PSE		UINT64_C(0x80) /* above L1: a superpage, which PV guests do not have */
#define GW_PV_PTE_FRAME		UINT64_C(0x000ffffffffff000)
#define GW_PV_GDT_ENTS_MAX	7168u /* FIRST_RESERVED_GDT_ENTRY */
#define GW_PV_LDT_ENTS_MAX	8192u
#define GW_PV_VCPU_KERNEL	UINT32_C(0x4)  /* VGCF_in_kernel in flags */
#define GW_PV_VCPU_ONLINE	UINT32_C(0x20) /* VGCF_online in flags */
#define GW_PV_EXTENDED_MAX	128u	       /* of an X86_PV_VCPU_EXTENDED blob */
#define GW_PV_XSAVE_MIN		16u
#define GW_PV_MSR_SIZE		16u
#define GW_PV_VCPU_INFO_COUNT	32u
#define GW_PV_VCPU_INFO_SIZE	64u
#define GW_PV_VCPU_INFO_PENDING 8u /* evtchn_pending_sel, one word; 4 in a 32-bit guest */

/* Slots of page tables that belong to Xen. */
#define GW_PV64_L4_XEN_FIRST 256u
#define GW_PV64_L4_XEN_LAST  271u
#define GW_PV32_L3_GUEST     4u	  /* slots from here on are unused in a PAE L3 */
#define GW_PV32_L2_XEN_FIRST 428u /* to 511, in the L2 that maps the last GiB */

struct gw_pv_layout {
	unsigned width;	 /* bytes of a word: 4 or 8 */
	unsigned levels; /* of page tables: 3 or 4 */
	unsigned fpp;	 /* frame numbers in a page */

	/* vcpu_guest_context, X86_PV_VCPU_BASIC */
	uint32_t vcpu_size;
	uint32_t vcpu_flags;	/* u32 used of a word */
	uint32_t vcpu_edx;	/* word: user_regs.edx / rdx */
	uint32_t vcpu_eflags;	/* word */
	uint32_t vcpu_ldt;	/* word: its address */
	uint32_t vcpu_ldt_ents; /* word */
	uint32_t vcpu_gdt;	/* 16 words */
	uint32_t vcpu_gdt_ents; /* word */
	uint32_t vcpu_cr;	/* 8 words */
	uint32_t vcpu_dr;	/* 8 words */
	uint32_t vcpu_assist;	/* word: vm_assist */

	/* shared_info */
	uint32_t shared_pending, shared_mask; /* evtchn_pending, evtchn_mask */
	uint32_t shared_evtchn_len;	      /* bytes of each */
	uint32_t shared_arch, shared_arch_len;
	uint32_t arch_max_pfn, arch_fll, arch_p2m_cr3, arch_p2m_vaddr, arch_p2m_generation;

	/* start_info */
	uint32_t start_nr_pages, start_shared_info, start_flags, start_store, start_store_evtchn,
		start_console, start_console_evtchn;
};

/* An address that a 64-bit processor with 48 bits of virtual addresses takes. */
static inline bool gw_pv_is_canonical(uint64_t address)
{
	uint64_t high = address >> 47;

	return high == 0 || high == UINT64_C(0x1ffff);
}

/* An address that can be a 64-bit guest's: Xen's own are the slots GW_PV64_L4_XEN_FIRST to _LAST.
 * Addresses above them count even if they are not canonical, as they do in Xen. */
static inline bool gw_pv_is_guests(uint64_t address)
{
	return address < UINT64_C(1) << 47 || address >= UINT64_C(0xffff880000000000);
}

/* NULL for a width that is neither 4 nor 8. */
const struct gw_pv_layout *gw_pv_layout(unsigned width);

/* A word of the guest, zero-extended. */
static inline uint64_t gw_pv_get_word(const struct gw_pv_layout *l, const void *p)
{
	return l->width == 8 ? gw_get_le64(p) : gw_get_le32(p);
}

static inline void gw_pv_put_word(const struct gw_pv_layout *l, void *p, uint64_t v)
{
	if (l->width == 8)
		gw_put_le64(p, v);
	else
		gw_put_le32(p, (uint32_t)v);
}

/* Word i of a list of the guest, or entry i of a page table. */
static inline uint8_t *gw_pv_word_at(const struct gw_pv_layout *l, const void *list, size_t i)
{
	return (uint8_t *)(uintptr_t)list + i * l->width;
}

static inline uint8_t *gw_pv_pte_at(const void *table, size_t i)
{
	return (uint8_t *)(uintptr_t)table + i * sizeof(uint64_t);
}

/* The frame number in an entry of a page table. */
static inline uint64_t gw_pv_pte_frame(uint64_t pte)
{
	return (pte & GW_PV_PTE_FRAME) >> 12;
}

/*
 * Returns the first slot of Xen in a page table, and *last; GW_PV_PTES if it has none. xen_l2: the
 * L2 of a 32-bit guest that maps the last GiB.
 */
unsigned gw_pv_xen_slots(const struct gw_pv_layout *l, unsigned level, bool xen_l2, unsigned *last);
/* True if this entry of a stored page table belongs to Xen and is not restored. */
bool gw_pv_is_xens(const struct gw_pv_layout *l, unsigned level, unsigned slot, uint64_t pte);

/* cr3 of a 32-bit guest keeps bits 20-31 of the frame number in its low bits ("extended cr3"). */
static inline uint64_t gw_pv_cr3_to_frame(const struct gw_pv_layout *l, uint64_t cr3)
{
	if (l->width == 8)
		return cr3 >> 12;
	return (uint32_t)cr3 >> 12 | (uint32_t)cr3 << 20;
}

static inline uint64_t gw_pv_frame_to_cr3(const struct gw_pv_layout *l, uint64_t frame)
{
	if (l->width == 8)
		return frame << 12;
	return (uint32_t)frame << 12 | (uint32_t)frame >> 20;
}

#endif
