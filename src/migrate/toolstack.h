/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The toolstack table in the form that the engine uses: complete, so that every entry can be
 * called.
 */
#ifndef GW_MIGRATE_TOOLSTACK_H
#define GW_MIGRATE_TOOLSTACK_H

#include <godwit/toolstack.h>

/* Bits: entries that an operation needs. */
#define GW_TOOLSTACK_SUSPENDS	  1u /* suspend */
#define GW_TOOLSTACK_CHECKPOINTS  2u /* postcopy, checkpoint */
#define GW_TOOLSTACK_BACK_CHANNEL 4u

/*
 * Copies given (NULL: an empty table) to full and supplies the defaults of missing entries,
 * including those that an older, shorter table does not have. needed: GW_TOOLSTACK_ bits. -1 with
 * GW_USAGE if given has no size or lacks a needed entry, with GW_UNSUPPORTED if it has another
 * version.
 */
int gw_toolstack_complete(struct gw_toolstack *full, const struct gw_toolstack *given,
			  unsigned needed, struct gw_error *err);

#endif
