/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The two layouts of pv_layout.h, and the slots of Xen in their page tables.
 */
#include "format/x86/pv_layout.h"

#include <stddef.h>

static const struct gw_pv_layout layout64 = {
	.width = 8,
	.levels = 4,
	.fpp = 512,
	.vcpu_size = 5168,
	.vcpu_flags = 512,
	.vcpu_edx = 616,
	.vcpu_eflags = 664,
	.vcpu_ldt = 4816,
	.vcpu_ldt_ents = 4824,
	.vcpu_gdt = 4832,
	.vcpu_gdt_ents = 4960,
	.vcpu_cr = 4984,
	.vcpu_dr = 5048,
	.vcpu_assist = 5136,
	.shared_pending = 2048,
	.shared_mask = 2560,
	.shared_evtchn_len = 512,
	.shared_arch = 3088,
	.shared_arch_len = 48,
	.arch_max_pfn = 0,
	.arch_fll = 8,
	.arch_p2m_cr3 = 24,
	.arch_p2m_vaddr = 32,
	.arch_p2m_generation = 40,
	.start_nr_pages = 32,
	.start_shared_info = 40,
	.start_flags = 48,
	.start_store = 56,
	.start_store_evtchn = 64,
	.start_console = 72,
	.start_console_evtchn = 80,
};

static const struct gw_pv_layout layout32 = {
	.width = 4,
	.levels = 3,
	.fpp = 1024,
	.vcpu_size = 2800,
	.vcpu_flags = 512,
	.vcpu_edx = 524,
	.vcpu_eflags = 556,
	.vcpu_ldt = 2632,
	.vcpu_ldt_ents = 2636,
	.vcpu_gdt = 2640,
	.vcpu_gdt_ents = 2704,
	.vcpu_cr = 2716,
	.vcpu_dr = 2748,
	.vcpu_assist = 2796,
	.shared_pending = 2048,
	.shared_mask = 2176,
	.shared_evtchn_len = 128,
	.shared_arch = 2316,
	.shared_arch_len = 28,
	.arch_max_pfn = 0,
	.arch_fll = 4,
	.arch_p2m_cr3 = 12,
	.arch_p2m_vaddr = 16,
	.arch_p2m_generation = 20,
	.start_nr_pages = 32,
	.start_shared_info = 36,
	.start_flags = 40,
	.start_store = 44,
	.start_store_evtchn = 48,
	.start_console = 52,
	.start_console_evtchn = 56,
};

const struct gw_pv_layout *gw_pv_layout(unsigned width)
{
	return width == 8 ? &layout64 : width == 4 ? &layout32 : NULL;
}

unsigned gw_pv_xen_slots(const struct gw_pv_layout *l, unsigned level, bool xen_l2, unsigned *last)
{
	*last = GW_PV_PTES - 1;
	if (l->width == 8 && level == 4) {
		*last = GW_PV64_L4_XEN_LAST;
		return GW_PV64_L4_XEN_FIRST;
	}
	if (l->width == 4 && level == 3)
		return GW_PV32_L3_GUEST;
	if (l->width == 4 && level == 2 && xen_l2)
		return GW_PV32_L2_XEN_FIRST;
	return GW_PV_PTES;
}

bool gw_pv_is_xens(const struct gw_pv_layout *l, unsigned level, unsigned slot, uint64_t pte)
{
	unsigned last, first = gw_pv_xen_slots(l, level, true, &last);

	if (slot < first || slot > last)
		return false;
	/*
	 * A high entry in the L2 of a 32-bit guest can be Xen's or the guest's; the page alone does
	 * not show which. Old versions left Xen's superpages there, with pfn 0; guests have no
	 * superpages.
	 */
	return l->width == 8 || level == 3 || (pte & GW_PV_PTE_PSE);
}
