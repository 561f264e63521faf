/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Log-dirty where the kernel cannot help: Unicorn calls a hook before every store of the guest. If
 * the marks were taken between that call and the store, the store would be lost, so cleaning stops
 * the vCPU while it takes the marks; outside an entry there is no unfinished store.
 *
 * The processor sets accessed and dirty bits in page tables without a store. The tables that it can
 * reach when the marks are taken count as written. A table that was reachable only through an
 * earlier CR3 does not.
 */
#include "base/bitmap.h"
#include "hypervisor/emu/domain.h"

static void on_write(uc_engine *uc, uc_mem_type type, uint64_t va, int size, int64_t value,
		     void *opaque)
{
	struct gw_emu *e = opaque;
	uint64_t pa, last = va + (uint64_t)(size > 0 ? size - 1 : 0);

	if (gw_machine_translate(&e->m, va, &pa) == 0)
		gw_machine_dirty_mark(&e->m, pa / GW_PAGE_SIZE);
	if (last / GW_PAGE_SIZE != va / GW_PAGE_SIZE && gw_machine_translate(&e->m, last, &pa) == 0)
		gw_machine_dirty_mark(&e->m, pa / GW_PAGE_SIZE);
}

bool gw_emu_dirty_attach(struct gw_emu *e)
{
	bool want = e->m.dirty.ops == &gw_emu_dirty_hook;
	struct gw_emu_engine *eng = &e->engine;

	if (want == eng->write_hooked)
		return false;
	if (!want)
		e->u->hook_del(eng->uc, eng->write_hook);
	else if (e->u->hook_add(eng->uc, &eng->write_hook, UC_HOOK_MEM_WRITE, (void *)on_write, e,
				(uint64_t)1, (uint64_t)0) != UC_ERR_OK)
		return false;
	eng->write_hooked = want;
	return true;
}

/* The next entry installs the hook. */
static int start(struct gw_machine *m, struct gw_error *err)
{
	return 0;
}

static void stop(struct gw_machine *m)
{
}

static int collect(struct gw_machine *m, uint64_t *bitmap, bool forget, struct gw_error *err)
{
	if (forget)
		gw_machine_pause(m);
	gw_machine_dirty_take_marks(m, bitmap, forget);
	if (forget)
		gw_machine_walk_tables(m, bitmap);
	gw_machine_dirty_add_writers(m, bitmap);
	if (forget)
		gw_machine_release(m);
	return 0;
}

static int added(struct gw_machine *m, size_t n, const uint64_t *gfns, struct gw_error *err)
{
	return 0;
}

const struct gw_machine_dirty_ops gw_emu_dirty_hook = {
	.name = "hook",
	.misses_host_writes = true,
	.start = start,
	.collect = collect,
	.stop = stop,
	.added = added,
};
