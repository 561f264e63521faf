/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The first half of restoring pages: makes a batch from the entries of a PAGE_DATA record.
 */
#ifndef GW_MIGRATE_RESTORE_JUDGE_H
#define GW_MIGRATE_RESTORE_JUDGE_H

#include "migrate/batch.h"
#include "guest/guest.h"

/*
 * Fills b (pfns, types, nr, nr_pages) with entries of a record that obeys the rules, from first on,
 * at most GW_BATCH_MAX of them; their contents come next in the record's input. An entry whose pfn
 * the domain cannot have is a fault; if the restore goes on, the entry has GW_INVALID_PFN and its
 * contents are read and dropped. Does not change the guest. 0 or -1 with err and g->rule.
 */
int gw_restore_judge_pages(struct gw_restore_guest *g, const struct gw_image_reader *record,
			   size_t first, struct gw_batch *b, struct gw_error *err);

#endif
