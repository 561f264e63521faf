/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The emulated domain: its creation and end, and the table of what its processor does.
 */
#include "hypervisor/emu/domain.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "format/x86/kvm_state.h"

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

/* A vCPU that waits for an interrupt may wake up once; there is no place for any other state. */
static int set_extra(struct gw_machine *m, const char *name, const void *blob, size_t len,
		     struct gw_error *err)
{
	struct gw_kvm_state state;

	if (strcmp(name, GW_EXTRA_KVM) != 0)
		return gw_fail(err, GW_UNSUPPORTED,
			       "domain %u: the built-in machine does not know state \"%s\"",
			       m->d.domid, name);
	if (gw_kvm_state_decode(blob, len, &state, err) < 0)
		return -1;
	if (state.nr_msrs > 0)
		return gw_fail(err, GW_REFUSED,
			       "the built-in machine does not have MSR 0x%x, which the guest uses",
			       state.msrs[0].index);
	if (state.shadow || state.nmi_pending || state.nmi_masked)
		return gw_fail(
			err, GW_REFUSED,
			"the built-in machine delivers no interrupts, and the guest was stopped while one was on its way");
	if (state.mp_state != GW_KVM_RUNNABLE && state.mp_state != GW_KVM_HALTED)
		return gw_fail(err, GW_REFUSED,
			       "the built-in machine has no vCPU in the run state %u of KVM",
			       state.mp_state);
	return 0;
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
	.set_extra = set_extra,
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
