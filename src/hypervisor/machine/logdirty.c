/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Log-dirty of a machine: the code that all methods share, and the marks for writes without an
 * instruction of the guest: the machine fills a page, a page is added, the host writes.
 */
#include "hypervisor/machine/logdirty.h"

#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "hypervisor/machine/machine.h"

int gw_machine_dirty_start(struct gw_machine *m, struct gw_error *err)
{
	const struct gw_machine_dirty_ops *ops = m->ops->dirty_method(m);
	uint64_t *marks;

	gw_machine_dirty_stop(m);
	marks = gw_bitmap_new(m->mem.window);
	if (!marks)
		return gw_fail(err, GW_NO_MEMORY, "no memory to log dirty pages");
	/* The vCPU's thread sets marks as well, so the bitmap is set and freed while that thread is
	 * stopped. */
	gw_machine_pause(m);
	__atomic_store_n(&m->dirty.marks, marks, __ATOMIC_RELEASE);
	m->dirty.ops = ops;
	gw_machine_release(m);
	/* Protecting much memory takes time, and the guest can run during it. */
	if (ops->start(m, err) == 0)
		return 0;
	gw_machine_dirty_stop(m);
	return -1;
}

void gw_machine_dirty_stop(struct gw_machine *m)
{
	if (!m->dirty.ops)
		return;
	m->dirty.ops->stop(m);
	gw_machine_pause(m);
	m->dirty.ops = NULL;
	free(m->dirty.marks);
	__atomic_store_n(&m->dirty.marks, NULL, __ATOMIC_RELEASE);
	gw_machine_release(m);
}

int gw_machine_dirty_fetch_and_clear(struct gw_machine *m, uint64_t *bitmap, uint64_t nr,
				     uint64_t *dirty, struct gw_error *err)
{
	uint64_t *fresh, n = nr < m->mem.window ? nr : m->mem.window;
	int rc;

	if (!m->dirty.ops)
		return gw_fail(err, GW_USAGE, "domain %u does not log dirty pages", m->d.domid);
	fresh = gw_bitmap_new(m->mem.window);
	if (!fresh)
		return gw_fail(err, GW_NO_MEMORY, "no memory to collect dirty pages");
	rc = m->dirty.ops->collect(m, fresh, true, err);
	if (rc < 0) {
		/* Writes that collect() has already forgotten are marked again. */
		for (uint64_t gfn = 0;
		     (gfn = gw_bitmap_next_set(fresh, m->mem.window, gfn)) < m->mem.window; gfn++)
			gw_machine_dirty_mark(m, gfn);
	} else {
		*dirty = gw_bitmap_count(fresh, n);
		gw_bitmap_or(bitmap, fresh, n);
	}
	free(fresh);
	return rc;
}

int gw_machine_dirty_peek(struct gw_machine *m, uint64_t *dirty, struct gw_error *err)
{
	uint64_t *fresh;
	int rc;

	if (!m->dirty.ops)
		return gw_fail(err, GW_USAGE, "domain %u does not log dirty pages", m->d.domid);
	fresh = gw_bitmap_new(m->mem.window);
	if (!fresh)
		return gw_fail(err, GW_NO_MEMORY, "no memory to count dirty pages");
	rc = m->dirty.ops->collect(m, fresh, false, err);
	if (!rc)
		*dirty = gw_bitmap_count(fresh, m->mem.window);
	free(fresh);
	return rc;
}

int gw_machine_dirty_added(struct gw_machine *m, size_t n, const uint64_t *gfns,
			   struct gw_error *err)
{
	if (!m->dirty.ops)
		return 0;
	for (size_t i = 0; i < n; i++)
		gw_machine_dirty_mark(m, gfns[i]);
	return m->dirty.ops->added(m, n, gfns, err);
}

void gw_machine_dirty_mark(struct gw_machine *m, uint64_t gfn)
{
	uint64_t *marks = __atomic_load_n(&m->dirty.marks, __ATOMIC_ACQUIRE);

	if (marks && gfn < m->mem.window)
		__atomic_fetch_or(&marks[gfn / 64], UINT64_C(1) << (gfn % 64), __ATOMIC_ACQ_REL);
}

void gw_machine_dirty_take_marks(struct gw_machine *m, uint64_t *bitmap, bool forget)
{
	uint64_t *marks = m->dirty.marks;

	for (uint64_t w = 0; w < GW_BITMAP_WORDS(m->mem.window); w++) {
		/* Reading first avoids writes to unused words of a large bitmap. */
		uint64_t word = __atomic_load_n(&marks[w], __ATOMIC_ACQUIRE);

		if (word && forget)
			word = __atomic_exchange_n(&marks[w], 0, __ATOMIC_ACQ_REL);
		bitmap[w] |= word;
	}
}

void gw_machine_dirty_add_writers(struct gw_machine *m, uint64_t *bitmap)
{
	pthread_mutex_lock(&m->mem.lock);
	for (const struct gw_machine_writer *w = m->mem.writers; w; w = w->next)
		for (size_t i = 0; i < w->n; i++)
			gw_bitmap_set(bitmap, w->gfns[i]);
	pthread_mutex_unlock(&m->mem.lock);
}
