/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pages that were written without an instruction of the guest: a range, whose translations are
 * dropped at the next entry.
 */
#include "base/util.h"
#include "hypervisor/emu/domain.h"

void gw_emu_stale(struct gw_machine *m, uint64_t gfn)
{
	struct gw_emu *e = gw_emu_of_machine(m);

	if (!e->engine.uc)
		return;
	pthread_mutex_lock(&e->m.mem.lock);
	if (e->stale_first > e->stale_last) {
		e->stale_first = e->stale_last = gfn;
	} else {
		e->stale_first = GW_MIN(e->stale_first, gfn);
		e->stale_last = GW_MAX(e->stale_last, gfn);
	}
	pthread_mutex_unlock(&e->m.mem.lock);
}
