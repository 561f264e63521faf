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

struct gw_emu;

enum gw_emu_dirty_kind {
	GW_EMU_DIRTY_PROBE, /* userfaultfd if it works here */
	GW_EMU_DIRTY_UFFD,
	GW_EMU_DIRTY_HOOK,
};

struct gw_emu_dirty_ops {
	const char *name;
	/* While the guest runs. If it fails, stop is called. */
	int (*start)(struct gw_emu *e, struct gw_error *err);
	/* Sets written pages in the bitmap (mem.window bits), and with forget clears its own record
	 * of them. */
	int (*collect)(struct gw_emu *e, uint64_t *bitmap, bool forget, struct gw_error *err);
	void (*stop)(struct gw_emu *e);
	/* Pages were added while logging. */
	int (*added)(struct gw_emu *e, size_t n, const uint64_t *gfns, struct gw_error *err);
};

struct gw_emu_dirty {
	enum gw_emu_dirty_kind kind;
	const struct gw_emu_dirty_ops *ops; /* NULL: not logging */
	uint64_t *marks;		    /* bit per gfn, atomic: other writes; while logging */
	int uffd, pagemap;
};

extern const struct gw_emu_dirty_ops gw_emu_dirty_uffd, gw_emu_dirty_hook;
extern const struct gw_emu_dirty_ops gw_emu_dirty_faults; /* faults.c: as a part of protect */

/* 0 if this kernel and this process can use it, else -1 with the reason. */
int gw_emu_dirty_uffd_probe(struct gw_error *err);

/* "uffd", "hook". -1 with GW_USAGE. */
int gw_emu_dirty_kind_parse(const char *word, enum gw_emu_dirty_kind *kind, struct gw_error *err);

/* The table entries of the domain. */
int gw_emu_dirty_start(struct gw_emu *e, struct gw_error *err);
int gw_emu_dirty_fetch_and_clear(struct gw_emu *e, uint64_t *bitmap, uint64_t nr, uint64_t *dirty,
				 struct gw_error *err);
int gw_emu_dirty_peek(struct gw_emu *e, uint64_t *dirty, struct gw_error *err);
void gw_emu_dirty_stop(struct gw_emu *e);
int gw_emu_dirty_added(struct gw_emu *e, size_t n, const uint64_t *gfns, struct gw_error *err);

/* machine_writes.c: sets the marks in the bitmap (mem.window bits); with forget clears them. */
void gw_emu_dirty_take_marks(struct gw_emu *e, uint64_t *bitmap, bool forget);

/* In the vCPU's thread, between entries: adds or removes the hook on stores as needed. True if that
 * changed. */
bool gw_emu_dirty_attach(struct gw_emu *e);

/* machine_writes.c: the machine itself writes to this gfn, without an instruction of the guest. */
void gw_emu_dirty_mark(struct gw_emu *e, uint64_t gfn);

#endif
