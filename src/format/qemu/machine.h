/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where the memory of a PC lies, which a savevm stream does not say directly: a RAM block that does
 * not fit below 4 GiB goes on at 4 GiB.
 *
 * How much of it is below follows from the machine type (pc_init1() and pc_q35_init() of QEMU)
 * unless the option max-ram-below-4g was given, and from what QEMU wrote into the RTC's memory for
 * the firmware (pc_cmos_init()).
 */
#ifndef GW_FORMAT_QEMU_MACHINE_H
#define GW_FORMAT_QEMU_MACHINE_H

#include "format/qemu/tree.h"

/* The block that is the memory of a PC: "pc.ram", or else the largest. NULL: there is none. */
const struct gw_savevm_block *gw_pc_memory(const struct gw_savevm_ram *ram);

/* Bytes of the memory that lie below 4 GiB by the machine type. False: the type is not known. */
bool gw_pc_below_4g(const char *machine, uint64_t memory, uint64_t *below);

/* The same by the RTC's memory. False: the stream does not have it, or its fields are not known. */
bool gw_pc_below_4g_by_rtc(const struct gw_savevm_stream *s, uint64_t memory, uint64_t *below);

#endif
