/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Time: the TSC, and the clock that KVM shows to a guest which asked for it.
 */
#include <sys/ioctl.h>

#include "base/util.h"
#include "hypervisor/kvm/domain.h"

#define MSR_TSC UINT32_C(0x10)

uint32_t gw_kvm_tsc_khz(struct gw_kvm *k)
{
	int khz = ioctl(k->vcpu, KVM_GET_TSC_KHZ, 0);

	return khz > 0 ? (uint32_t)khz : k->m.tsc.khz;
}

/* By the offset: KVM may take a value for an attempt to synchronise vCPUs, and change it. */
static int set_tsc(struct gw_kvm *k, uint64_t tsc, struct gw_error *err)
{
	uint64_t offset;
	struct kvm_device_attr attr = {.group = KVM_VCPU_TSC_CTRL,
				       .attr = KVM_VCPU_TSC_OFFSET,
				       .addr = (uintptr_t)&offset};

	if (ioctl(k->vcpu, KVM_HAS_DEVICE_ATTR, &attr) < 0)
		return gw_kvm_msr_set(k, MSR_TSC, tsc, err);
	offset = tsc - __builtin_ia32_rdtsc();
	if (ioctl(k->vcpu, KVM_SET_DEVICE_ATTR, &attr) < 0)
		return gw_fail_errno(err, "domain %u: KVM does not take its TSC", k->m.d.domid);
	return 0;
}

int gw_kvm_clock_load(struct gw_kvm *k, uint64_t tsc, struct gw_error *err)
{
	struct kvm_clock_data clock = {.clock = k->extra.clock};

	if (set_tsc(k, tsc, err) < 0)
		return -1;
	if (k->have_extra && ioctl(k->vm, KVM_SET_CLOCK, &clock) < 0)
		return gw_fail_errno(err, "domain %u: KVM does not take its clock", k->m.d.domid);
	return 0;
}

uint64_t gw_kvm_clock_ns(struct gw_kvm *k)
{
	struct kvm_clock_data clock = {0};

	return ioctl(k->vm, KVM_GET_CLOCK, &clock) == 0 ? clock.clock : 0;
}
