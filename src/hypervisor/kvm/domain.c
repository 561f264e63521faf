/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain on KVM: the VM with its vCPU, creation and end, and the table of what its processor
 * does.
 */
#include "hypervisor/kvm/domain.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"

/* Pages that some Intel processors need, where the guest has none: below the APIC of the flash. */
#define IDENTITY_MAP UINT64_C(0xfffbc000)
#define TSS	     UINT64_C(0xfffbd000)

#define IOAPIC_ROUTES	 24
#define XEN_BUS_CYCLE_NS 10 /* Xen's LAPIC timer counts at 100 MHz */

static void free_kvm(struct gw_machine *m)
{
	struct gw_kvm *k = gw_kvm_of_machine(m);

	if (k->run)
		munmap(k->run, k->caps->run_size);
	if (k->vcpu >= 0)
		close(k->vcpu);
	if (k->vm >= 0)
		close(k->vm);
	free(k->slots);
	free(k->msr_reset);
	free(k->cpuid);
	pthread_mutex_destroy(&k->slot_lock);
	gw_machine_fini(m);
	free(k);
}

static const struct gw_machine_dirty_ops *dirty_method(struct gw_machine *m)
{
	return &gw_kvm_dirty_log;
}

static const struct gw_machine_ops machine_ops = {
	.title = "KVM on this machine",
	.hypercall_insn = {0x3e, 0xe6, GW_KVM_PORT_HYPERCALL}, /* out port, al; 3e fills a byte */
	.prepare = gw_kvm_prepare,
	.run = gw_kvm_run,
	.kick = gw_kvm_kick,
	.reg = gw_kvm_reg,
	.set_reg = gw_kvm_set_reg,
	.paging = gw_kvm_paging,
	.dirty_method = dirty_method,
	.get_context = gw_kvm_context_get,
	.set_context = gw_kvm_context_set,
	.get_extra = gw_kvm_extra_get,
	.set_extra = gw_kvm_extra_set,
	.free = free_kvm,
	.free_host = gw_kvm_host_free,
};

static int enable(const struct gw_kvm *k, uint32_t cap, uint64_t arg, const char *what,
		  struct gw_error *err)
{
	struct kvm_enable_cap enable = {.cap = cap, .args = {arg}};

	if (ioctl(k->vm, KVM_ENABLE_CAP, &enable) < 0)
		return gw_fail_errno(err, "setting up a VM of KVM: %s", what);
	return 0;
}

/* A write to Xen's MSR exits; Hyper-V has another one of that number. */
static int filter_msrs(const struct gw_kvm *k, struct gw_error *err)
{
	uint8_t deny = 0;
	struct kvm_msr_filter filter = {.flags = KVM_MSR_FILTER_DEFAULT_ALLOW};

	filter.ranges[0] = (struct kvm_msr_filter_range){.flags = KVM_MSR_FILTER_WRITE,
							 .base = GW_MACHINE_MSR_HYPERCALL,
							 .nmsrs = 1,
							 .bitmap = &deny};
	if (enable(k, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_FILTER, "MSRs", err) < 0)
		return -1;
	if (ioctl(k->vm, KVM_X86_SET_MSR_FILTER, &filter) < 0)
		return gw_fail_errno(err, "setting up a VM of KVM: the filter of MSRs");
	return 0;
}

static int set_up_vm(struct gw_kvm *k, struct gw_error *err)
{
	uint64_t identity_map = IDENTITY_MAP;
	uint64_t manual = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	if (ioctl(k->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0 ||
	    ioctl(k->vm, KVM_SET_TSS_ADDR, TSS) < 0)
		return gw_fail_errno(err, "setting up a VM of KVM: its own pages");
	/* A PVH guest has a LAPIC, but neither PIC nor IOAPIC. */
	if (enable(k, KVM_CAP_SPLIT_IRQCHIP, IOAPIC_ROUTES, "its interrupt controller", err) < 0)
		return -1;
	if (k->caps->bus_cycles &&
	    enable(k, GW_KVM_CAP_BUS_CYCLES, XEN_BUS_CYCLE_NS, "its APIC timer", err) < 0)
		return -1;
	if (k->caps->initially_set)
		manual |= KVM_DIRTY_LOG_INITIALLY_SET;
	if (k->caps->manual_protect &&
	    enable(k, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, manual, "log-dirty", err) < 0)
		return -1;
	return filter_msrs(k, err);
}

static int set_up_vcpu(struct gw_kvm *k, struct gw_error *err)
{
	void *run;

	k->vcpu = ioctl(k->vm, KVM_CREATE_VCPU, 0);
	if (k->vcpu < 0)
		return gw_fail_errno(err, "creating a vCPU of KVM");
	run = mmap(NULL, k->caps->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, k->vcpu, 0);
	if (run == MAP_FAILED)
		return gw_fail_errno(err, "mapping a vCPU of KVM");
	k->run = run;
	if (ioctl(k->vcpu, KVM_GET_LAPIC, &k->apic_reset) < 0)
		return gw_fail_errno(err, "reading the LAPIC of a new vCPU of KVM");
	return gw_kvm_unblock_kick(k, err);
}

static int init(struct gw_kvm *k, int kvm, const struct gw_domain_config *config,
		const struct gw_policy *policy, struct gw_held_list *domains, struct gw_error *err)
{
	if (gw_machine_init(&k->m, config, policy, domains, err) < 0)
		return -1;
	k->vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (k->vm < 0)
		return gw_fail_errno(err, "creating a VM of KVM");
	if (set_up_vm(k, err) < 0 || set_up_vcpu(k, err) < 0)
		return -1;
	k->m.tsc.khz = gw_kvm_tsc_khz(k);
	return gw_machine_start(&k->m, err);
}

struct gw_kvm *gw_kvm_new(int kvm, const struct gw_kvm_caps *caps,
			  const struct gw_domain_config *config, const struct gw_policy *policy,
			  unsigned yield_us, struct gw_held_list *domains, struct gw_error *err)
{
	struct gw_kvm *k = calloc(1, sizeof(*k));

	if (!k) {
		gw_fail(err, GW_NO_MEMORY, "no memory for a domain");
		return NULL;
	}
	k->m.ops = &machine_ops;
	k->m.yield_us = yield_us;
	k->caps = caps;
	k->vm = k->vcpu = -1;
	pthread_mutex_init(&k->slot_lock, NULL);
	if (init(k, kvm, config, policy, domains, err) < 0) {
		free_kvm(&k->m);
		return NULL;
	}
	return k;
}
