/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes to guest memory without an instruction of the guest: the machine fills a page, a page is
 * added, the host writes. Log-dirty gets marks for them, the engine a range of stale pages.
 */
#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/emu/domain.h"

void gw_emu_dirty_mark(struct gw_emu *e, uint64_t gfn)
{
	uint64_t *marks = __atomic_load_n(&e->dirty.marks, __ATOMIC_ACQUIRE);

	if (marks && gfn < e->mem.window)
		__atomic_fetch_or(&marks[gfn / 64], UINT64_C(1) << (gfn % 64), __ATOMIC_ACQ_REL);
}

void gw_emu_dirty_take_marks(struct gw_emu *e, uint64_t *bitmap, bool forget)
{
	uint64_t *marks = e->dirty.marks;

	for (uint64_t w = 0; w < GW_BITMAP_WORDS(e->mem.window); w++) {
		/* Reading first avoids writes to unused words of a large bitmap. */
		uint64_t word = __atomic_load_n(&marks[w], __ATOMIC_ACQUIRE);

		if (word && forget)
			word = __atomic_exchange_n(&marks[w], 0, __ATOMIC_ACQ_REL);
		bitmap[w] |= word;
	}
}

void gw_emu_stale(struct gw_emu *e, uint64_t gfn)
{
	pthread_mutex_lock(&e->mem.lock);
	if (e->stale_first > e->stale_last) {
		e->stale_first = e->stale_last = gfn;
	} else {
		e->stale_first = GW_MIN(e->stale_first, gfn);
		e->stale_last = GW_MAX(e->stale_last, gfn);
	}
	pthread_mutex_unlock(&e->mem.lock);
}
