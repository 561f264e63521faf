/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain of the built-in machine for fuzz targets, made once for each mode of the processor and
 * set back for each input. Its vCPU never runs.
 */
#ifndef GW_FUZZ_EMU_MACHINE_H
#define GW_FUZZ_EMU_MACHINE_H

#include "format/x86/hvm_context.h"
#include "hypervisor/emu/domain.h"

#define EMU_PAGES  16u /* gfns from 0 that have a page */
#define EMU_WINDOW 64u /* gfns that can have one */

/*
 * Paused; zeroed memory, but for the page tables of a 64-bit one at gfns 14 and 15 that map
 * addresses to themselves; the registers loaded. Ends the program with 77, which is "skipped",
 * where there is no Unicorn.
 */
struct gw_emu *emu_machine(bool wide);

/* Its state as the blob of HVM_CONTEXT that emu_machine() loads; the caller frees it. */
struct gw_buffer emu_context(bool wide);

#endif
