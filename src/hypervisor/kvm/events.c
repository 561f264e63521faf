/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Events that are on their way to the guest, and the run state of the vCPU. Xen's CPU record holds
 * an event that was being delivered; the rest is in GODWIT_KVM.
 */
#include <sys/ioctl.h>

#include "hypervisor/kvm/domain.h"

/* pending_event of the record. */
#define VECTOR	   0xffu
#define TYPE_SHIFT 8
#define HAS_ERROR  0x800u
#define VALID	   UINT32_C(0x80000000)

enum { TYPE_INTERRUPT = 0, TYPE_NMI = 2, TYPE_EXCEPTION = 3, TYPE_SOFT_INT = 4 };

static void put_pending(struct kvm_vcpu_events *e, uint32_t pending, uint32_t error_code)
{
	unsigned type = pending >> TYPE_SHIFT & 7;

	if (!(pending & VALID))
		return;
	if (type == TYPE_NMI) {
		e->nmi.injected = 1;
	} else if (type == TYPE_INTERRUPT || type == TYPE_SOFT_INT) {
		e->interrupt.injected = 1;
		e->interrupt.nr = pending & VECTOR;
		e->interrupt.soft = type == TYPE_SOFT_INT;
	} else {
		e->exception.injected = 1;
		e->exception.nr = pending & VECTOR;
		e->exception.has_error_code = !!(pending & HAS_ERROR);
		e->exception.error_code = error_code;
	}
}

int gw_kvm_events_load(struct gw_kvm *k, const struct gw_hvm_cpu *cpu, struct gw_error *err)
{
	struct kvm_vcpu_events events = {.flags = KVM_VCPUEVENT_VALID_NMI_PENDING |
						  KVM_VCPUEVENT_VALID_SHADOW};
	struct kvm_mp_state mp = {.mp_state = KVM_MP_STATE_RUNNABLE};

	put_pending(&events, cpu->pending_event, cpu->error_code);
	if (k->have_extra) {
		events.interrupt.shadow = k->extra.shadow;
		events.nmi.pending = k->extra.nmi_pending;
		events.nmi.masked = k->extra.nmi_masked;
		mp.mp_state = k->extra.mp_state;
	}
	if (ioctl(k->vcpu, KVM_SET_VCPU_EVENTS, &events) < 0)
		return gw_fail_errno(err, "domain %u: KVM does not take its pending events",
				     k->m.d.domid);
	if (ioctl(k->vcpu, KVM_SET_MP_STATE, &mp) < 0)
		return gw_fail_errno(err, "domain %u: KVM does not take the run state %u",
				     k->m.d.domid, mp.mp_state);
	return 0;
}

static void take_pending(const struct kvm_vcpu_events *e, struct gw_hvm_cpu *cpu)
{
	cpu->pending_event = cpu->error_code = 0;
	if (e->exception.injected) {
		cpu->pending_event = VALID | TYPE_EXCEPTION << TYPE_SHIFT | e->exception.nr |
				     (e->exception.has_error_code ? HAS_ERROR : 0);
		cpu->error_code = e->exception.error_code;
	} else if (e->nmi.injected) {
		cpu->pending_event = VALID | TYPE_NMI << TYPE_SHIFT | 2;
	} else if (e->interrupt.injected) {
		cpu->pending_event = VALID | e->interrupt.nr |
				     (uint32_t)(e->interrupt.soft ? TYPE_SOFT_INT : TYPE_INTERRUPT)
					     << TYPE_SHIFT;
	}
}

int gw_kvm_events_store(struct gw_kvm *k, struct gw_hvm_cpu *cpu, struct gw_kvm_state *state,
			struct gw_error *err)
{
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;

	if (ioctl(k->vcpu, KVM_GET_VCPU_EVENTS, &events) < 0 ||
	    ioctl(k->vcpu, KVM_GET_MP_STATE, &mp) < 0)
		return gw_fail_errno(err, "domain %u: reading its pending events from KVM",
				     k->m.d.domid);
	if (events.smi.smm || events.smi.pending)
		return gw_fail(err, GW_UNSUPPORTED,
			       "domain %u is in system management mode, which no image can hold",
			       k->m.d.domid);
	if (cpu)
		take_pending(&events, cpu);
	if (state) {
		state->shadow = events.interrupt.shadow & 3;
		state->nmi_pending = events.nmi.pending;
		state->nmi_masked = events.nmi.masked;
		state->mp_state = mp.mp_state;
	}
	return 0;
}
