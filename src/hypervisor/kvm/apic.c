/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The local APIC with its timer: Xen's records LAPIC and LAPIC_REGS. The registers have the layout
 * of the APIC's page on both sides.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "base/bytes.h"
#include "base/util.h"
#include "hypervisor/kvm/domain.h"

/* LAPIC: base, disabled, divisor of the timer, deadline of the timer. */
#define LAPIC_SIZE  24
#define REGS_SIZE   1024
#define HW_DISABLED 1u
#define SW_DISABLED 2u

#define BASE_RESET  UINT64_C(0xfee00900) /* enabled, boot processor */
#define BASE_ENABLE UINT64_C(0x800)

#define REG_TPR	 0x80
#define REG_SPIV 0xf0
#define REG_TDCR 0x3e0
#define SPIV_ON	 0x100u
#define DEADLINE UINT32_C(0x6e0)

/* The entry's data, NULL if there is none (0) or it is too short (-1). */
static int find(struct gw_kvm *k, uint16_t code, uint32_t size, const uint8_t **data,
		struct gw_error *err)
{
	struct gw_hvm_entry e;
	int found = gw_hvm_find(k->m.context.data, k->m.context.len, code, 0, &e, err);

	*data = NULL;
	if (found <= 0)
		return found;
	if (e.length < size)
		return gw_fail(err, GW_INVALID, "HVM context: %s has %u bytes, expected %u",
			       gw_hvm_code_name(code), e.length, size);
	*data = e.data;
	return 0;
}

int gw_kvm_apic_find(struct gw_kvm *k, uint64_t *base, uint8_t *tpr, struct gw_error *err)
{
	const uint8_t *lapic, *regs;

	if (find(k, GW_HVM_LAPIC, LAPIC_SIZE, &lapic, err) < 0 ||
	    find(k, GW_HVM_LAPIC_REGS, REGS_SIZE, &regs, err) < 0)
		return -1;
	*base = lapic ? gw_get_le64(lapic) : BASE_RESET;
	*tpr = regs ? regs[REG_TPR] : 0;
	return 0;
}

int gw_kvm_apic_load(struct gw_kvm *k, struct gw_error *err)
{
	struct kvm_lapic_state state = k->apic_reset;
	const uint8_t *lapic, *regs;
	uint64_t deadline;

	if (find(k, GW_HVM_LAPIC, LAPIC_SIZE, &lapic, err) < 0 ||
	    find(k, GW_HVM_LAPIC_REGS, REGS_SIZE, &regs, err) < 0)
		return -1;
	if (regs)
		memcpy(state.regs, regs, REGS_SIZE);
	if (ioctl(k->vcpu, KVM_SET_LAPIC, &state) < 0)
		return gw_fail_errno(err, "domain %u: KVM does not take its LAPIC", k->m.d.domid);
	/* After the registers, which say that the timer has a deadline. */
	deadline = lapic ? gw_get_le64(lapic + 16) : 0;
	return deadline ? gw_kvm_msr_set(k, DEADLINE, deadline, err) : 0;
}

static int get_regs(struct gw_kvm *k, struct kvm_lapic_state *state, struct gw_error *err)
{
	if (ioctl(k->vcpu, KVM_GET_LAPIC, state) < 0)
		return gw_fail_errno(err, "domain %u: reading its LAPIC from KVM", k->m.d.domid);
	return 0;
}

/* Xen keeps the divisor that the register stands for. */
static uint32_t divisor(uint32_t tdcr)
{
	uint32_t shift = ((tdcr & 3) | (tdcr & 8) >> 1) + 1;

	return 1u << (shift & 7);
}

int gw_kvm_apic_append(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err)
{
	struct kvm_lapic_state state;
	const uint8_t *regs = (const uint8_t *)state.regs;
	uint8_t raw[LAPIC_SIZE] = {0};
	uint64_t base = gw_kvm_sregs(k)->apic_base, deadline = 0;
	uint32_t disabled = 0;

	if (get_regs(k, &state, err) < 0)
		return -1;
	gw_kvm_msr_get(k, DEADLINE, &deadline);
	if (!(base & BASE_ENABLE))
		disabled |= HW_DISABLED;
	if (!(gw_get_le32(regs + REG_SPIV) & SPIV_ON))
		disabled |= SW_DISABLED;
	gw_put_le64(raw, base);
	gw_put_le32(raw + 8, disabled);
	gw_put_le32(raw + 12, divisor(gw_get_le32(regs + REG_TDCR)));
	gw_put_le64(raw + 16, deadline);
	return gw_hvm_entry_append(out, GW_HVM_LAPIC, 0, raw, sizeof(raw), err);
}

int gw_kvm_apic_regs_append(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err)
{
	struct kvm_lapic_state state;

	if (get_regs(k, &state, err) < 0)
		return -1;
	return gw_hvm_entry_append(out, GW_HVM_LAPIC_REGS, 0, state.regs, REGS_SIZE, err);
}
