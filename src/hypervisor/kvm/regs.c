/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * General, segment, control and debug registers: between Xen's CPU record and KVM.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "base/util.h"
#include "hypervisor/kvm/domain.h"

#define EFER_LMA   UINT64_C(0x400)
#define AR_TYPE	   0xfu
#define AR_S	   0x10u
#define AR_DPL	   0x60u
#define AR_PRESENT 0x80u
#define AR_AVL	   0x100u
#define AR_L	   0x200u
#define AR_DB	   0x400u
#define AR_G	   0x800u

/* Where KVM has the registers of the record, in its order. */
static const size_t gpr_at[GW_HVM_NR_GPRS] = {
	offsetof(struct kvm_regs, rax), offsetof(struct kvm_regs, rbx),
	offsetof(struct kvm_regs, rcx), offsetof(struct kvm_regs, rdx),
	offsetof(struct kvm_regs, rbp), offsetof(struct kvm_regs, rsi),
	offsetof(struct kvm_regs, rdi), offsetof(struct kvm_regs, rsp),
	offsetof(struct kvm_regs, r8),	offsetof(struct kvm_regs, r9),
	offsetof(struct kvm_regs, r10), offsetof(struct kvm_regs, r11),
	offsetof(struct kvm_regs, r12), offsetof(struct kvm_regs, r13),
	offsetof(struct kvm_regs, r14), offsetof(struct kvm_regs, r15),
};

static const size_t segment_at[GW_HVM_NR_SEGMENTS] = {
	offsetof(struct kvm_sregs, cs), offsetof(struct kvm_sregs, ds),
	offsetof(struct kvm_sregs, es), offsetof(struct kvm_sregs, fs),
	offsetof(struct kvm_sregs, gs), offsetof(struct kvm_sregs, ss),
	offsetof(struct kvm_sregs, tr), offsetof(struct kvm_sregs, ldt),
};

static __u64 *gpr(struct kvm_regs *regs, unsigned i)
{
	return (__u64 *)((uint8_t *)regs + gpr_at[i]);
}

static struct kvm_segment *segment(struct kvm_sregs *sregs, unsigned i)
{
	return (struct kvm_segment *)((uint8_t *)sregs + segment_at[i]);
}

const struct kvm_regs *gw_kvm_regs(struct gw_kvm *k)
{
	if (!k->have_regs)
		k->have_regs = ioctl(k->vcpu, KVM_GET_REGS, &k->regs) == 0;
	return &k->regs;
}

const struct kvm_sregs *gw_kvm_sregs(struct gw_kvm *k)
{
	if (!k->have_sregs)
		k->have_sregs = ioctl(k->vcpu, KVM_GET_SREGS, &k->sregs) == 0;
	return &k->sregs;
}

uint64_t gw_kvm_reg(struct gw_machine *m, enum gw_hvm_gpr reg)
{
	struct gw_kvm *k = gw_kvm_of_machine(m);

	gw_kvm_regs(k);
	return *gpr(&k->regs, reg);
}

void gw_kvm_set_reg(struct gw_machine *m, enum gw_hvm_gpr reg, uint64_t value)
{
	struct gw_kvm *k = gw_kvm_of_machine(m);

	gw_kvm_regs(k);
	*gpr(&k->regs, reg) = value;
	ioctl(k->vcpu, KVM_SET_REGS, &k->regs);
}

void gw_kvm_paging(struct gw_machine *m, struct gw_machine_paging *paging)
{
	const struct kvm_sregs *s = gw_kvm_sregs(gw_kvm_of_machine(m));

	*paging = (struct gw_machine_paging){
		.cr0 = s->cr0, .cr3 = s->cr3, .cr4 = s->cr4, .long_mode = s->efer & EFER_LMA};
}

static struct kvm_segment to_kvm(const struct gw_hvm_segment *s)
{
	return (struct kvm_segment){
		.base = s->base,
		.limit = s->limit,
		.selector = (uint16_t)s->selector,
		.type = s->ar & AR_TYPE,
		.s = !!(s->ar & AR_S),
		.dpl = (s->ar & AR_DPL) >> 5,
		.present = !!(s->ar & AR_PRESENT),
		.avl = !!(s->ar & AR_AVL),
		.l = !!(s->ar & AR_L),
		.db = !!(s->ar & AR_DB),
		.g = !!(s->ar & AR_G),
		.unusable = !(s->ar & AR_PRESENT),
	};
}

static struct gw_hvm_segment to_record(const struct kvm_segment *s)
{
	uint32_t ar = s->type | (s->s ? AR_S : 0) | (uint32_t)s->dpl << 5 |
		      (s->present ? AR_PRESENT : 0) | (s->avl ? AR_AVL : 0) | (s->l ? AR_L : 0) |
		      (s->db ? AR_DB : 0) | (s->g ? AR_G : 0);

	return (struct gw_hvm_segment){.base = s->base,
				       .limit = s->limit,
				       .selector = s->selector,
				       .ar = s->unusable ? 0 : ar};
}

int gw_kvm_sregs_load(struct gw_kvm *k, const struct gw_hvm_cpu *cpu, uint64_t apic_base,
		      uint8_t tpr, struct gw_error *err)
{
	struct kvm_sregs sregs = {
		.gdt = {.base = cpu->gdtr.base, .limit = (uint16_t)cpu->gdtr.limit},
		.idt = {.base = cpu->idtr.base, .limit = (uint16_t)cpu->idtr.limit},
		.cr0 = cpu->cr0,
		.cr2 = cpu->cr2,
		.cr3 = cpu->cr3,
		.cr4 = cpu->cr4,
		.cr8 = tpr >> 4,
		.efer = cpu->efer,
		.apic_base = apic_base,
	};

	for (unsigned i = 0; i < GW_HVM_NR_SEGMENTS; i++)
		*segment(&sregs, i) = to_kvm(&cpu->seg[i]);
	k->have_sregs = false;
	if (ioctl(k->vcpu, KVM_SET_SREGS, &sregs) < 0)
		return gw_fail_errno(
			err,
			"domain %u: KVM does not take its segments, CR0 0x%llx, CR4 0x%llx, EFER 0x%llx",
			k->m.d.domid, (unsigned long long)cpu->cr0, (unsigned long long)cpu->cr4,
			(unsigned long long)cpu->efer);
	k->m.wide = cpu->efer & EFER_LMA;
	return 0;
}

int gw_kvm_regs_load(struct gw_kvm *k, const struct gw_hvm_cpu *cpu, struct gw_error *err)
{
	struct kvm_debugregs debug = {
		.db = {cpu->dr0, cpu->dr1, cpu->dr2, cpu->dr3}, .dr6 = cpu->dr6, .dr7 = cpu->dr7};
	struct kvm_regs regs = {.rip = cpu->rip, .rflags = cpu->rflags};

	for (unsigned i = 0; i < GW_HVM_NR_GPRS; i++)
		*gpr(&regs, i) = cpu->gpr[i];
	k->have_regs = false;
	if (ioctl(k->vcpu, KVM_SET_DEBUGREGS, &debug) < 0)
		return gw_fail_errno(err, "domain %u: KVM does not take its DR6 0x%llx, DR7 0x%llx",
				     k->m.d.domid, (unsigned long long)cpu->dr6,
				     (unsigned long long)cpu->dr7);
	if (ioctl(k->vcpu, KVM_SET_REGS, &regs) < 0)
		return gw_fail_errno(err, "domain %u: KVM does not take its registers",
				     k->m.d.domid);
	return 0;
}

int gw_kvm_regs_store(struct gw_kvm *k, struct gw_hvm_cpu *cpu, struct gw_error *err)
{
	struct kvm_debugregs debug;

	gw_kvm_regs(k);
	gw_kvm_sregs(k);
	if (!k->have_regs || !k->have_sregs || ioctl(k->vcpu, KVM_GET_DEBUGREGS, &debug) < 0)
		return gw_fail_errno(err, "domain %u: reading its registers from KVM",
				     k->m.d.domid);
	for (unsigned i = 0; i < GW_HVM_NR_GPRS; i++)
		cpu->gpr[i] = *gpr(&k->regs, i);
	for (unsigned i = 0; i < GW_HVM_NR_SEGMENTS; i++)
		cpu->seg[i] = to_record(segment(&k->sregs, i));
	cpu->rip = k->regs.rip;
	cpu->rflags = k->regs.rflags;
	cpu->cr0 = k->sregs.cr0;
	cpu->cr2 = k->sregs.cr2;
	cpu->cr3 = k->sregs.cr3;
	cpu->cr4 = k->sregs.cr4;
	cpu->efer = k->sregs.efer;
	cpu->gdtr = (struct gw_hvm_table){k->sregs.gdt.base, k->sregs.gdt.limit};
	cpu->idtr = (struct gw_hvm_table){k->sregs.idt.base, k->sregs.idt.limit};
	cpu->dr0 = debug.db[0];
	cpu->dr1 = debug.db[1];
	cpu->dr2 = debug.db[2];
	cpu->dr3 = debug.db[3];
	cpu->dr6 = debug.dr6;
	cpu->dr7 = debug.dr7;
	return 0;
}
