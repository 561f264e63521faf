/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The data that the loader passes to a PVH guest (struct hvm_start_info of Xen's
 * public/arch-x86/hvm/start_info.h), and the C function that the entry code calls with it.
 */
#ifndef GODWIT_GUESTS_START_H
#define GODWIT_GUESTS_START_H

#include <stdint.h>

struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modules, cmdline, rsdp;
	uint64_t memmap; /* from version 1 on, with the two below */
	uint32_t memmap_entries, reserved;
};

struct memmap_entry {
	uint64_t addr, size;
	uint32_t type, reserved; /* type 1: RAM */
};

void guest_main(const struct start_info *info) __attribute__((noreturn));

#endif
