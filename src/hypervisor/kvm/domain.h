/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain on KVM, for the files of src/hypervisor/kvm/; other files include kvm.h. It is a machine
 * (hypervisor/machine/machine.h), which has the rules for threads, whose processor is a vCPU of
 * KVM.
 */
#ifndef GW_HYPERVISOR_KVM_DOMAIN_H
#define GW_HYPERVISOR_KVM_DOMAIN_H

#include <linux/kvm.h>
#include <stddef.h>

#include "format/x86/kvm_state.h"
#include "hypervisor/kvm/kvm.h"
#include "hypervisor/machine/machine.h"
#include "hypervisor/uri.h"

/* The hypercall page leaves the guest by an OUT to this port. */
#define GW_KVM_PORT_HYPERCALL 0xe8

/* KVM_CAP_X86_APIC_BUS_CYCLES_NS, newer than the headers of the oldest system this builds on. */
#define GW_KVM_CAP_BUS_CYCLES 237

/* What /dev/kvm can do, and what a new vCPU has. */
struct gw_kvm_caps {
	unsigned slots;	     /* memory slots of a VM */
	unsigned run_size;   /* of a vCPU's struct kvm_run */
	bool manual_protect; /* a page is protected again when it is cleared, not when fetched */
	bool initially_set;  /* log-dirty can start without protecting everything at once */
	bool bus_cycles;     /* the frequency of the LAPIC's timer can be set */
	struct kvm_cpuid2 *cpuid;  /* malloc'ed */
	struct kvm_msr_list *msrs; /* malloc'ed: those that hold a guest's state */
};

/* A run of pages that the guest sees. */
struct gw_kvm_slot {
	uint64_t gfn, count;
	void *host;
	bool used, logging;
};

struct gw_kvm {
	struct gw_machine m;		/* first */
	const struct gw_kvm_caps *caps; /* of its host */
	int vm, vcpu;
	struct kvm_run *run;
	struct gw_kvm_slot *slots;
	size_t nr_slots;
	bool logging;
	pthread_mutex_t slot_lock; /* of slots and logging */

	bool unfinished; /* the last exit is completed by the next entry */
	/* The registers since the last entry, where they have been read. */
	bool have_regs, have_sregs;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	uint64_t *msr_reset; /* values of caps->msrs in a new vCPU; NULL: not read yet */
	struct kvm_lapic_state apic_reset;
	struct kvm_cpuid2 *cpuid; /* as KVM has it; NULL: none yet */
	/* The state for which Xen has no record, as it was set last. */
	struct gw_kvm_state extra;
	bool have_extra;
};

#define gw_kvm_of_machine(machine) gw_container_of(machine, struct gw_kvm, m)
#define gw_kvm_of(domain)	   gw_kvm_of_machine(gw_machine_of(domain))

/* domain.c. kvm: the descriptor of /dev/kvm, borrowed for the call. */
struct gw_kvm *gw_kvm_new(int kvm, const struct gw_kvm_caps *caps,
			  const struct gw_domain_config *config, const struct gw_policy *policy,
			  unsigned yield_us, struct gw_held_list *domains, struct gw_error *err);

/* host.c: frees the host of this list after its last domain has ended. */
void gw_kvm_host_free(struct gw_held_list *domains);

/* CPU features that the host's uri adds and takes away. */
struct gw_kvm_features {
	char offer[GW_URI_VALUE_MAX], lack[GW_URI_VALUE_MAX];
};

/* policy.c. host: what KVM offers. cpuid_set: gives the domain's policy to its vCPU. */
int gw_kvm_policy_host(int kvm, const struct gw_kvm_caps *caps, const struct gw_kvm_features *words,
		       struct gw_policy *policy, struct gw_error *err);
int gw_kvm_cpuid_set(struct gw_kvm *k, struct gw_error *err);

/* slots.c: makes KVM's slots those of the guest's memory. */
int gw_kvm_slots_sync(struct gw_kvm *k, struct gw_error *err);

/* logdirty.c, with slot_lock. start_slot: logs a slot, of which nothing is dirty yet. fetch_slot:
 * ORs the written pages of a slot into bitmap and with forget protects them again. */
extern const struct gw_machine_dirty_ops gw_kvm_dirty_log;
int gw_kvm_dirty_start_slot(struct gw_kvm *k, size_t slot, struct gw_error *err);
int gw_kvm_dirty_fetch_slot(struct gw_kvm *k, size_t slot, uint64_t *bitmap, bool forget,
			    struct gw_error *err);

/* vcpu.c: the table's entries. settle: completes the last exit, so that the registers are those
 * after its instruction. */
void gw_kvm_run(struct gw_machine *m);
void gw_kvm_kick(struct gw_machine *m);
void gw_kvm_settle(struct gw_kvm *k);
int gw_kvm_unblock_kick(struct gw_kvm *k, struct gw_error *err);

/* regs.c. Entries of the table, and the CPU record. */
const struct kvm_regs *gw_kvm_regs(struct gw_kvm *k);
const struct kvm_sregs *gw_kvm_sregs(struct gw_kvm *k);
uint64_t gw_kvm_reg(struct gw_machine *m, enum gw_hvm_gpr reg);
void gw_kvm_set_reg(struct gw_machine *m, enum gw_hvm_gpr reg, uint64_t value);
void gw_kvm_paging(struct gw_machine *m, struct gw_machine_paging *paging);
int gw_kvm_sregs_load(struct gw_kvm *k, const struct gw_hvm_cpu *cpu, uint64_t apic_base,
		      uint8_t tpr, struct gw_error *err);
int gw_kvm_regs_load(struct gw_kvm *k, const struct gw_hvm_cpu *cpu, struct gw_error *err);
int gw_kvm_regs_store(struct gw_kvm *k, struct gw_hvm_cpu *cpu, struct gw_error *err);

/* msrs.c. one: -1 with err that names the MSR. */
int gw_kvm_msr_get(struct gw_kvm *k, uint32_t index, uint64_t *value);
int gw_kvm_msr_set(struct gw_kvm *k, uint32_t index, uint64_t value, struct gw_error *err);
/* The same, where nothing is to be done if it has the value, or is absent and the value is 0. */
int gw_kvm_msr_put(struct gw_kvm *k, uint32_t index, uint64_t value, struct gw_error *err);
int gw_kvm_msrs_load(struct gw_kvm *k, const struct gw_hvm_cpu *cpu, struct gw_error *err);
void gw_kvm_msrs_store(struct gw_kvm *k, struct gw_hvm_cpu *cpu);
/* The MSRs for which Xen has no record: those of a new vCPU, and those that differ from it. */
int gw_kvm_msrs_reset(struct gw_kvm *k, struct gw_error *err);
int gw_kvm_msrs_read_reset(struct gw_kvm *k, struct gw_error *err);
int gw_kvm_msrs_other(struct gw_kvm *k, struct gw_kvm_state *state, struct gw_error *err);

/* The entries of the context other than CPU; a blob without the entry gives the state after reset.
 * load and append return 0 or -1. */
/* xstate.c: FPU, SSE, AVX and so on, with XCR0. */
int gw_kvm_xstate_load(struct gw_kvm *k, const struct gw_hvm_cpu *cpu, struct gw_error *err);
int gw_kvm_xstate_store(struct gw_kvm *k, struct gw_hvm_cpu *cpu, struct gw_error *err);
int gw_kvm_xstate_append(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err);
/* apic.c: LAPIC and LAPIC_REGS. find: the base and the task priority, which belong to sregs. */
int gw_kvm_apic_find(struct gw_kvm *k, uint64_t *base, uint8_t *tpr, struct gw_error *err);
int gw_kvm_apic_load(struct gw_kvm *k, struct gw_error *err);
int gw_kvm_apic_append(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err);
int gw_kvm_apic_regs_append(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err);
/* mtrr.c: MTRR (with PAT), TSC_ADJUST, CPU_MSR. */
int gw_kvm_mtrr_load(struct gw_kvm *k, struct gw_error *err);
int gw_kvm_tsc_adjust_load(struct gw_kvm *k, struct gw_error *err);
int gw_kvm_cpu_msr_load(struct gw_kvm *k, struct gw_error *err);
int gw_kvm_mtrr_append(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err);
int gw_kvm_tsc_adjust_append(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err);
int gw_kvm_cpu_msr_append(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err);

/* clock.c */
uint32_t gw_kvm_tsc_khz(struct gw_kvm *k);
int gw_kvm_clock_load(struct gw_kvm *k, uint64_t tsc, struct gw_error *err);
uint64_t gw_kvm_clock_ns(struct gw_kvm *k);

/* events.c: pending events and the run state of the vCPU. */
int gw_kvm_events_load(struct gw_kvm *k, const struct gw_hvm_cpu *cpu, struct gw_error *err);
int gw_kvm_events_store(struct gw_kvm *k, struct gw_hvm_cpu *cpu, struct gw_kvm_state *state,
			struct gw_error *err);

/* context.c */
int gw_kvm_context_get(struct gw_machine *m, void **blob, size_t *len, struct gw_error *err);
int gw_kvm_context_set(struct gw_machine *m, const void *blob, size_t len, struct gw_error *err);
/* The table's prepare: puts all state into KVM, in the order of docs/architecture.md. */
int gw_kvm_prepare(struct gw_machine *m, struct gw_error *err);

/* extra.c: the record GODWIT_KVM. */
int gw_kvm_extra_get(struct gw_machine *m, const char *name, void **blob, size_t *len,
		     struct gw_error *err);
int gw_kvm_extra_set(struct gw_machine *m, const char *name, const void *blob, size_t len,
		     struct gw_error *err);

#endif
