/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The emulated domain: its creation and end, and the table of what its processor does.
 */
#include "hypervisor/emu/domain.h"

#include <stdlib.h>

#include "base/util.h"

static void ending(struct gw_machine *m)
{
	gw_emu_faults_free(&gw_emu_of_machine(m)->faults);
}

static void free_emu(struct gw_machine *m)
{
	struct gw_emu *e = gw_emu_of_machine(m);

	gw_emu_engine_close(e);
	gw_machine_fini(m);
	free(e);
}

static const struct gw_machine_ops machine_ops = {
	.title = "the built-in machine",
	.hypercall_insn = {0x0f, 0x01, 0xd9}, /* vmmcall */
	.prepare = gw_emu_engine_prepare,
	.run = gw_emu_engine_run,
	.reg = gw_emu_reg,
	.set_reg = gw_emu_set_reg,
	.paging = gw_emu_paging,
	.wrote = gw_emu_stale,
	.restored = gw_emu_check_paging,
	.dirty_method = gw_emu_dirty_method,
	.get_context = gw_emu_context_get,
	.set_context = gw_emu_context_set,
	.ending = ending,
	.free = free_emu,
	.free_host = gw_emu_host_free,
	.faults = &gw_emu_fault_ops,
};

struct gw_emu *gw_emu_new(const struct gw_domain_config *config, const struct gw_policy *policy,
			  enum gw_emu_dirty_kind kind, unsigned yield_us,
			  struct gw_held_list *domains, struct gw_error *err)
{
	struct gw_emu *e = calloc(1, sizeof(*e));

	if (!e) {
		gw_fail(err, GW_NO_MEMORY, "no memory for a domain");
		return NULL;
	}
	e->m.ops = &machine_ops;
	e->m.yield_us = yield_us;
	gw_emu_faults_init(&e->faults);
	e->dirty = (struct gw_emu_dirty){.kind = kind, .uffd = -1, .pagemap = -1};
	e->stale_first = 1;
	e->u = gw_unicorn_get(err);
	if (!e->u || gw_machine_init(&e->m, config, policy, domains, err) < 0 ||
	    gw_machine_start(&e->m, err) < 0) {
		free_emu(&e->m);
		return NULL;
	}
	return e;
}

int gw_emu_depopulate(struct gw_domain *d, size_t n, const uint64_t *gfns, struct gw_error *err)
{
	return gw_machine_depopulate(gw_machine_of(d), n, gfns, err);
}

unsigned gw_emu_suspend_port(struct gw_domain *d)
{
	return gw_machine_suspend_port(gw_machine_of(d));
}
