/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Log-dirty of a machine's memory: what all methods share. A method is a small table of the
 * backend's, chosen when log-dirty starts.
 */
#ifndef GW_HYPERVISOR_MACHINE_LOGDIRTY_H
#define GW_HYPERVISOR_MACHINE_LOGDIRTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

struct gw_machine;

struct gw_machine_dirty_ops {
	const char *name;
	/* The host's own stores into guest memory are not seen: a mapping's pages are marked when
	 * it ends. */
	bool misses_host_writes;
	/* While the guest runs. If it fails, stop is called. */
	int (*start)(struct gw_machine *m, struct gw_error *err);
	/* Sets written pages in the bitmap (mem.window bits), and with forget clears its own record
	 * of them. */
	int (*collect)(struct gw_machine *m, uint64_t *bitmap, bool forget, struct gw_error *err);
	void (*stop)(struct gw_machine *m);
	/* Pages were added while logging. */
	int (*added)(struct gw_machine *m, size_t n, const uint64_t *gfns, struct gw_error *err);
};

struct gw_machine_dirty {
	const struct gw_machine_dirty_ops *ops; /* NULL: not logging */
	uint64_t *marks; /* bit per gfn, atomic: other writes; while logging */
};

/* The table entries of the domain. */
int gw_machine_dirty_start(struct gw_machine *m, struct gw_error *err);
int gw_machine_dirty_fetch_and_clear(struct gw_machine *m, uint64_t *bitmap, uint64_t nr,
				     uint64_t *dirty, struct gw_error *err);
int gw_machine_dirty_peek(struct gw_machine *m, uint64_t *dirty, struct gw_error *err);
void gw_machine_dirty_stop(struct gw_machine *m);
int gw_machine_dirty_added(struct gw_machine *m, size_t n, const uint64_t *gfns,
			   struct gw_error *err);

/* For a method: sets the marks in the bitmap (mem.window bits); with forget clears them. */
void gw_machine_dirty_take_marks(struct gw_machine *m, uint64_t *bitmap, bool forget);
/* For a method that misses host writes: sets the pages of open writable mappings. */
void gw_machine_dirty_add_writers(struct gw_machine *m, uint64_t *bitmap);

/* The machine itself writes to this gfn, without an instruction of the guest. */
void gw_machine_dirty_mark(struct gw_machine *m, uint64_t gfn);

#endif
