/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of a reading of a savevm stream, shared by its files. Other files include savevm.h.
 */
#ifndef GW_READ_SAVEVM_INTERNAL_H
#define GW_READ_SAVEVM_INTERNAL_H

#include "format/qemu/tail.h"
#include "read/savevm.h"
#include "read/window.h"

struct savevm_reading {
	struct gw_window window;
	const struct gw_savevm_listener *listener;
	struct gw_savevm_stream *stream;
	struct gw_savevm_faults faults;
	bool ram_started, ram_ended;
	struct gw_savevm_head ram_head; /* of its START */
};

/* Each returns 1 to go on, 0 if nothing more can be read (the fault is reported), -1 with err. */

/* The data of a memory section, up to its end. section: its header. */
int gw_savevm_read_ram(struct savevm_reading *r, struct gw_savevm_section *section,
		       struct gw_error *err);
/* Bitmap and pages of a mapped block, whose header was just read. */
int gw_savevm_read_mapped(struct savevm_reading *r, struct gw_savevm_block *block,
			  struct gw_error *err);
/* The input ended inside of a section. */
int gw_savevm_cut(struct savevm_reading *r, const struct gw_savevm_section *section);

#endif
