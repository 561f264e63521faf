/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * COLO: two domains compute in lockstep. The secondary sends over the back channel which pfns it
 * has written since the last checkpoint, and the primary sends those pages again
 * (CHECKPOINT_DIRTY_PFN_LIST, docs/specs/libxc-migration-stream.pandoc of Xen).
 */
#ifndef GW_MIGRATE_LOCKSTEP_H
#define GW_MIGRATE_LOCKSTEP_H

#include <stdint.h>

#include <godwit/channel.h>
#include <godwit/toolstack.h>

#include "guest/guest.h"
#include "read/input.h"

/*
 * How the other side writes a list's header. Xen 4.7 to 4.17 wrote 8 bytes: type and length. Xen
 * 4.18 to 4.22 write 16: its own struct xc_sr_record, whose pointer, always NULL, comes before the
 * pfns and is not part of the length.
 */
enum gw_list_form { GW_LIST_UNKNOWN, GW_LIST_8, GW_LIST_16 };

/*
 * Reads one list and sets the pfns in bitmap, which has nr bits. *form is UNKNOWN before the first
 * list of a channel, and detected from the bytes. Only a list that fits both forms waits a moment
 * to see whether more of it comes.
 */
int gw_dirty_list_read(struct gw_channel *in, enum gw_list_form *form, uint64_t *bitmap,
		       uint64_t nr, struct gw_error *err);
/* Writes the pfns that are set in bitmap, with a header of 8 bytes. */
int gw_dirty_list_write(struct gw_channel *out, const uint64_t *bitmap, uint64_t nr,
			struct gw_error *err);

/*
 * The secondary, at a checkpoint that was applied: completes the domain, lets its owner run it
 * until the next checkpoint, and sends what it has written. GW_READ_ENDED: the primary is gone.
 */
enum gw_read_result gw_lockstep_run(const struct gw_toolstack *ts, struct gw_restore_guest *guest,
				    struct gw_error *err);

#endif
