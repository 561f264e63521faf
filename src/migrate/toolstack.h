/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The toolstack table as the engine uses it: complete, so that every entry can be called.
 */
#ifndef GW_MIGRATE_TOOLSTACK_H
#define GW_MIGRATE_TOOLSTACK_H

#include <godwit/toolstack.h>

/* Bits: entries that an operation cannot do without. */
#define GW_TOOLSTACK_SUSPENDS	  1u /* suspend */
#define GW_TOOLSTACK_CHECKPOINTS  2u /* postcopy, checkpoint */
#define GW_TOOLSTACK_BACK_CHANNEL 4u

/*
 * Copies given (NULL: an empty table) to full and supplies the defaults of the entries that it
 * lacks, those that a table of an older size does not have included. needed: GW_TOOLSTACK_ bits. -1
 * with GW_USAGE if given has no size or lacks an entry that is needed, with GW_UNSUPPORTED if it
 * has another version.
 */
int gw_toolstack_complete(struct gw_toolstack *full, const struct gw_toolstack *given,
			  unsigned needed, struct gw_error *err);

#endif
