/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files that read the devices' sections share. Other files include tail.h.
 */
#ifndef GW_FORMAT_QEMU_TAIL_INTERNAL_H
#define GW_FORMAT_QEMU_TAIL_INTERNAL_H

#include "format/qemu/tail.h"

/* Detects where the data of a section ends, which begins at t->pos: sets its length and layout.
 * False: it is not known. */
bool gw_savevm_find_end(struct gw_savevm_tail *t, struct gw_savevm_section *section);

/* The offset in the input of a place in the bytes. */
static inline uint64_t gw_savevm_offset_of(const struct gw_savevm_tail *t, size_t pos)
{
	return t->offset + pos;
}

#endif
