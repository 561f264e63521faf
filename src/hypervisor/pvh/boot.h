/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starts a PVH guest in a new domain of any backend: memory, the kernel's segments, the start info
 * and the vCPU's first state, all through the domain's table.
 */
#ifndef GW_HYPERVISOR_PVH_BOOT_H
#define GW_HYPERVISOR_PVH_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/hypervisor.h>

/*
 * d: new and without memory, type X86_HVM; it stays paused. elf: the kernel's whole file. cmdline:
 * NULL for none. mem_pages: RAM of the guest; besides it gets the 8 special pages Xen gives a PVH
 * guest. The domain's max_pfns must allow for both (GW_PVH_EXTRA_PAGES).
 */
#define GW_PVH_EXTRA_PAGES 8
int gw_pvh_boot(struct gw_domain *d, const void *elf, size_t len, const char *cmdline,
		uint64_t mem_pages, struct gw_error *err);

#endif
