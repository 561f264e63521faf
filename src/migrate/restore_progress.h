/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The progress of a restore: what has come, and what is still to come as far as that is known.
 */
#ifndef GW_MIGRATE_RESTORE_PROGRESS_H
#define GW_MIGRATE_RESTORE_PROGRESS_H

#include <godwit/channel.h>
#include <godwit/progress.h>

#include "base/estimate.h"

/* Zeroed with `in` and start_pos set is ready for use. The caller sets the stage and the round of
 * `now`. */
struct gw_restore_progress {
	const struct gw_channel *in;
	uint64_t start_pos;	 /* of in */
	uint64_t expected_pages; /* of the domain; 0: unknown */
	struct gw_progress now;
	struct gw_estimate estimate;
	uint64_t updated_ns;
};

/*
 * Updates p->now at the time ns. pages: with contents, that came in this round. given: pages that
 * the domain has now. A file says where the input ends; else the pages that the domain still lacks
 * are to come. When it lacks none, only the sender knows how many come again, and the total is
 * unknown.
 */
void gw_restore_progress_update(struct gw_restore_progress *p, uint64_t pages, uint64_t given,
				uint64_t ns);

#endif
