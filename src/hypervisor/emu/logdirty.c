/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Log-dirty of an emulated domain: chooses the method, and has the code that both methods share.
 */
#include "hypervisor/emu/logdirty.h"

#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "hypervisor/emu/domain.h"

int gw_emu_dirty_kind_parse(const char *word, enum gw_emu_dirty_kind *kind, struct gw_error *err)
{
	if (!strcmp(word, "uffd"))
		*kind = GW_EMU_DIRTY_UFFD;
	else if (!strcmp(word, "hook"))
		*kind = GW_EMU_DIRTY_HOOK;
	else
		return gw_fail(err, GW_USAGE, "logdirty is \"uffd\" or \"hook\", not \"%s\"", word);
	return 0;
}

static const struct gw_emu_dirty_ops *choose(struct gw_emu *e)
{
	if (e->faults.mode == GW_EMU_FAULTS_PROTECT)
		return &gw_emu_dirty_faults;
	if (e->faults.mode == GW_EMU_FAULTS_ABSENT || e->dirty.kind == GW_EMU_DIRTY_HOOK)
		return &gw_emu_dirty_hook;
	if (e->dirty.kind == GW_EMU_DIRTY_UFFD || gw_emu_dirty_uffd_probe(NULL) == 0)
		return &gw_emu_dirty_uffd;
	return &gw_emu_dirty_hook;
}

int gw_emu_dirty_start(struct gw_emu *e, struct gw_error *err)
{
	const struct gw_emu_dirty_ops *ops = choose(e);
	uint64_t *marks;

	gw_emu_dirty_stop(e);
	marks = gw_bitmap_new(e->mem.window);
	if (!marks)
		return gw_fail(err, GW_NO_MEMORY, "no memory to log dirty pages");
	/* The vCPU's thread sets marks as well, so the bitmap is set and freed while that thread is
	 * stopped. */
	gw_emu_pause(e);
	__atomic_store_n(&e->dirty.marks, marks, __ATOMIC_RELEASE);
	e->dirty.ops = ops;
	gw_emu_release(e);
	/* Protecting much memory takes time, and the guest can run during it. */
	if (ops->start(e, err) == 0)
		return 0;
	gw_emu_dirty_stop(e);
	return -1;
}

void gw_emu_dirty_stop(struct gw_emu *e)
{
	if (!e->dirty.ops)
		return;
	e->dirty.ops->stop(e);
	gw_emu_pause(e);
	e->dirty.ops = NULL;
	free(e->dirty.marks);
	__atomic_store_n(&e->dirty.marks, NULL, __ATOMIC_RELEASE);
	gw_emu_release(e);
}

int gw_emu_dirty_fetch_and_clear(struct gw_emu *e, uint64_t *bitmap, uint64_t nr, uint64_t *dirty,
				 struct gw_error *err)
{
	uint64_t *fresh, n = nr < e->mem.window ? nr : e->mem.window;
	int rc;

	if (!e->dirty.ops)
		return gw_fail(err, GW_USAGE, "domain %u does not log dirty pages", e->d.domid);
	fresh = gw_bitmap_new(e->mem.window);
	if (!fresh)
		return gw_fail(err, GW_NO_MEMORY, "no memory to collect dirty pages");
	rc = e->dirty.ops->collect(e, fresh, true, err);
	if (rc < 0) {
		/* Writes that collect() has already forgotten are marked again. */
		for (uint64_t gfn = 0;
		     (gfn = gw_bitmap_next_set(fresh, e->mem.window, gfn)) < e->mem.window; gfn++)
			gw_emu_dirty_mark(e, gfn);
	} else {
		*dirty = gw_bitmap_count(fresh, n);
		gw_bitmap_or(bitmap, fresh, n);
	}
	free(fresh);
	return rc;
}

int gw_emu_dirty_peek(struct gw_emu *e, uint64_t *dirty, struct gw_error *err)
{
	uint64_t *fresh;
	int rc;

	if (!e->dirty.ops)
		return gw_fail(err, GW_USAGE, "domain %u does not log dirty pages", e->d.domid);
	fresh = gw_bitmap_new(e->mem.window);
	if (!fresh)
		return gw_fail(err, GW_NO_MEMORY, "no memory to count dirty pages");
	rc = e->dirty.ops->collect(e, fresh, false, err);
	if (!rc)
		*dirty = gw_bitmap_count(fresh, e->mem.window);
	free(fresh);
	return rc;
}

int gw_emu_dirty_added(struct gw_emu *e, size_t n, const uint64_t *gfns, struct gw_error *err)
{
	if (!e->dirty.ops)
		return 0;
	for (size_t i = 0; i < n; i++)
		gw_emu_dirty_mark(e, gfns[i]);
	return e->dirty.ops->added(e, n, gfns, err);
}
