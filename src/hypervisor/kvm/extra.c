/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state for which Xen has no record, as the domain's extra state "kvm": GODWIT_KVM.
 */
#include <string.h>

#include "hypervisor/kvm/domain.h"

static int read_state(struct gw_kvm *k, struct gw_kvm_state *state, struct gw_error *err)
{
	*state = (struct gw_kvm_state){.clock = gw_kvm_clock_ns(k)};
	return gw_kvm_events_store(k, NULL, state, err) < 0 ? -1 : gw_kvm_msrs_other(k, state, err);
}

int gw_kvm_extra_get(struct gw_machine *m, const char *name, void **blob, size_t *len,
		     struct gw_error *err)
{
	struct gw_kvm *k = gw_kvm_of_machine(m);
	struct gw_kvm_state state;
	struct gw_buffer out = {0};

	if (strcmp(name, GW_EXTRA_KVM) != 0)
		return 0;
	if (gw_machine_need_stopped(m, "reading its state in KVM", err) < 0)
		return -1;
	if (!m->ran || !m->cpu_loaded)
		state = k->extra;
	else if (read_state(k, &state, err) < 0)
		return -1;
	if (gw_kvm_state_is_plain(&state))
		return 0;
	if (gw_kvm_state_append(&out, &state, err) < 0)
		return -1;
	*blob = out.data;
	*len = out.len;
	return 0;
}

int gw_kvm_extra_set(struct gw_machine *m, const char *name, const void *blob, size_t len,
		     struct gw_error *err)
{
	struct gw_kvm *k = gw_kvm_of_machine(m);
	struct gw_kvm_state state;

	if (strcmp(name, GW_EXTRA_KVM) != 0)
		return gw_fail(err, GW_UNSUPPORTED, "domain %u: KVM does not know state \"%s\"",
			       m->d.domid, name);
	if (gw_machine_need_stopped(m, "writing its state in KVM", err) < 0 ||
	    gw_kvm_state_decode(blob, len, &state, err) < 0)
		return -1;
	k->extra = state;
	k->have_extra = true;
	m->cpu_loaded = false;
	return 0;
}
