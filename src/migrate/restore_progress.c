/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Computes the progress of a restore.
 */
#include "migrate/restore_progress.h"

#include <godwit/guest.h>
#include <godwit/hypervisor.h>

#include "channel/position.h"

static uint64_t expected_bytes(const struct gw_restore_progress *p, uint64_t lacking)
{
	uint64_t size = gw_channel_expected_size(p->in);

	if (size > p->start_pos)
		return size - p->start_pos;
	if (lacking == 0)
		return 0;
	return p->now.bytes + lacking * (GW_PAGE_SIZE + sizeof(uint64_t));
}

void gw_restore_progress_update(struct gw_restore_progress *p, uint64_t pages, uint64_t given,
				uint64_t ns)
{
	uint64_t lacking = p->expected_pages > given ? p->expected_pages - given : 0;

	p->updated_ns = ns;
	p->now.pages_done = pages;
	p->now.pages_total = lacking > 0 ? pages + lacking : 0;
	p->now.bytes = p->in->read_pos - p->start_pos;
	p->now.bytes_total = expected_bytes(p, lacking);
	gw_estimate(&p->estimate, &p->now, ns);
}
