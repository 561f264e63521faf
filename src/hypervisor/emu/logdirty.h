/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Log-dirty of an emulated domain's memory. There are two methods with a small table each: the
 * kernel's write-protect faults (userfaultfd, Linux 6.7), or Unicorn's hook on every guest store,
 * which works everywhere and is slower.
 */
#ifndef GW_HYPERVISOR_EMU_LOGDIRTY_H
#define GW_HYPERVISOR_EMU_LOGDIRTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "hypervisor/machine/logdirty.h"

struct gw_emu;

enum gw_emu_dirty_kind {
	GW_EMU_DIRTY_PROBE, /* userfaultfd if it works here */
	GW_EMU_DIRTY_UFFD,
	GW_EMU_DIRTY_HOOK,
};

struct gw_emu_dirty {
	enum gw_emu_dirty_kind kind;
	int uffd, pagemap;
};

extern const struct gw_machine_dirty_ops gw_emu_dirty_uffd, gw_emu_dirty_hook;
extern const struct gw_machine_dirty_ops gw_emu_dirty_faults; /* faults.c: as a part of protect */

/* 0 if this kernel and this process can use it, else -1 with the reason. */
int gw_emu_dirty_uffd_probe(struct gw_error *err);

/* "uffd", "hook". -1 with GW_USAGE. */
int gw_emu_dirty_kind_parse(const char *word, enum gw_emu_dirty_kind *kind, struct gw_error *err);

/* The method for log-dirty that starts now. */
const struct gw_machine_dirty_ops *gw_emu_dirty_method(struct gw_machine *m);

/* In the vCPU's thread, between entries: adds or removes the hook on stores as needed. True if that
 * changed. */
bool gw_emu_dirty_attach(struct gw_emu *e);

#endif
