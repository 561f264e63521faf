/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a loader needs to know of a guest kernel's ELF file. Pure: bytes in, facts out. Placing it
 * in a domain is in boot.c.
 */
#ifndef GW_HYPERVISOR_PVH_ELF_H
#define GW_HYPERVISOR_PVH_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#define GW_PVH_SEGMENTS 16

/* A part of the file, to be copied to physical memory; the bytes after it up to mem_size are zero.
 */
struct gw_pvh_segment {
	uint64_t paddr, mem_size;
	const uint8_t *bytes;
	uint64_t file_size;
};

struct gw_pvh_elf {
	struct gw_pvh_segment segment[GW_PVH_SEGMENTS];
	unsigned nr_segments;
	uint64_t end;	  /* one past the highest byte of any segment */
	bool has_entry32; /* note "Xen", type 18 (XEN_ELFNOTE_PHYS32_ENTRY) */
	uint32_t entry32;
	bool has_entry64; /* note "Godwit", type 1: entry in long mode (docs/guest-abi.md) */
	uint64_t entry64;
};

/* elf keeps pointers into the file. Every offset and size is checked against len. */
int gw_pvh_elf_parse(struct gw_pvh_elf *elf, const void *file, size_t len, struct gw_error *err);

#endif
