/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Extended processor state: the FPU part of Xen's CPU record and the record CPU_XSAVE, which has
 * the whole area where the guest has XSAVE.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/policy.h"
#include "format/x86/xstate.h"
#include "hypervisor/kvm/domain.h"

#define HEAD_SIZE   16 /* XCR0 and its accumulator, before the area */
#define FPU_SIZE    512
#define SOFTWARE_AT 464
#define LEAF_XSTATE UINT32_C(0xd)
#define FCW_RESET   0x37f
#define MXCSR_AT    24
#define MXCSR_RESET 0x1f80

static void reset_area(uint8_t *area)
{
	gw_put_le16(area, FCW_RESET);
	gw_put_le32(area + MXCSR_AT, MXCSR_RESET);
}

static int set_xcr0(struct gw_kvm *k, uint64_t value, struct gw_error *err)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = value}}};

	if (ioctl(k->vcpu, KVM_SET_XCRS, &xcrs) < 0)
		return gw_fail_errno(err, "domain %u: KVM does not take XCR0 0x%llx", k->m.d.domid,
				     (unsigned long long)value);
	return 0;
}

/* Fills area (zeroed); returns XCR0, or 0 with err. */
static uint64_t fill_area(struct gw_kvm *k, const struct gw_hvm_cpu *cpu, struct kvm_xsave *xsave,
			  struct gw_error *err)
{
	uint8_t *area = (uint8_t *)xsave->region;
	struct gw_hvm_entry e;
	int found = gw_hvm_find(k->m.context.data, k->m.context.len, GW_HVM_CPU_XSAVE, 0, &e, err);

	if (found < 0)
		return 0;
	if (!found) {
		if (cpu->flags & GW_HVM_CPU_FPU_VALID)
			memcpy(area, cpu->fpu, FPU_SIZE);
		else
			reset_area(area);
		gw_put_le64(area + FPU_SIZE, GW_XCR0_X87 | GW_XCR0_SSE);
		return GW_XCR0_X87;
	}
	if (e.length < HEAD_SIZE + GW_XSAVE_AREA_MIN ||
	    e.length - HEAD_SIZE > sizeof(xsave->region)) {
		gw_fail(err, GW_UNSUPPORTED,
			"domain %u: its CPU_XSAVE has %u bytes, KVM takes %u to %u", k->m.d.domid,
			e.length, HEAD_SIZE + GW_XSAVE_AREA_MIN,
			(unsigned)(HEAD_SIZE + sizeof(xsave->region)));
		return 0;
	}
	memcpy(area, e.data + HEAD_SIZE, e.length - HEAD_SIZE);
	return gw_get_le64(e.data) ? gw_get_le64(e.data) : GW_XCR0_X87;
}

int gw_kvm_xstate_load(struct gw_kvm *k, const struct gw_hvm_cpu *cpu, struct gw_error *err)
{
	struct kvm_xsave xsave = {0};
	uint64_t xcr0 = fill_area(k, cpu, &xsave, err);

	if (!xcr0 || set_xcr0(k, xcr0, err) < 0)
		return -1;
	if (ioctl(k->vcpu, KVM_SET_XSAVE, &xsave) < 0)
		return gw_fail_errno(err, "domain %u: KVM does not take its FPU state",
				     k->m.d.domid);
	return 0;
}

static int get_xsave(struct gw_kvm *k, struct kvm_xsave *xsave, struct gw_error *err)
{
	if (ioctl(k->vcpu, KVM_GET_XSAVE, xsave) < 0)
		return gw_fail_errno(err, "domain %u: reading its FPU state from KVM",
				     k->m.d.domid);
	return 0;
}

int gw_kvm_xstate_store(struct gw_kvm *k, struct gw_hvm_cpu *cpu, struct gw_error *err)
{
	struct kvm_xsave xsave;
	const uint8_t *area = (const uint8_t *)xsave.region;
	uint64_t used;

	if (get_xsave(k, &xsave, err) < 0)
		return -1;
	used = gw_get_le64(area + FPU_SIZE);
	memset(cpu->fpu, 0, sizeof(cpu->fpu));
	reset_area(cpu->fpu);
	/* A state that is not in use may hold anything in the area. */
	if (used & GW_XCR0_X87) {
		memcpy(cpu->fpu, area, MXCSR_AT);
		memcpy(cpu->fpu + 32, area + 32, 128);
	}
	if (used & (GW_XCR0_SSE | GW_XCR0_YMM))
		memcpy(cpu->fpu + MXCSR_AT, area + MXCSR_AT, 8);
	if (used & GW_XCR0_SSE)
		memcpy(cpu->fpu + 160, area + 160, 256);
	cpu->flags |= GW_HVM_CPU_FPU_VALID;
	return 0;
}

static bool has_xsave(const struct gw_kvm *k)
{
	struct gw_cpu_feature xsave;

	return gw_cpu_feature_find("xsave", &xsave) && gw_policy_has_feature(&k->m.policy, &xsave);
}

/* Where the area ends for these states, in the layout of the processor. */
static uint32_t area_size(const struct gw_kvm *k, uint64_t xcr0)
{
	uint32_t size = GW_XSAVE_AREA_MIN;

	for (uint32_t i = 0; i < k->caps->cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &k->caps->cpuid->entries[i];

		if (e->function == LEAF_XSTATE && e->index >= 2 && e->index < 64 &&
		    (xcr0 >> e->index & 1))
			size = GW_MAX(size, e->ebx + e->eax);
	}
	return size;
}

int gw_kvm_xstate_append(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err)
{
	struct kvm_xcrs xcrs;
	struct kvm_xsave xsave;
	uint8_t raw[HEAD_SIZE + sizeof(xsave.region)] = {0};
	uint64_t xcr0 = GW_XCR0_X87, accum;
	uint32_t size;

	if (!has_xsave(k))
		return 0;
	if (ioctl(k->vcpu, KVM_GET_XCRS, &xcrs) < 0)
		return gw_fail_errno(err, "domain %u: reading XCR0 from KVM", k->m.d.domid);
	if (get_xsave(k, &xsave, err) < 0)
		return -1;
	for (uint32_t i = 0; i < xcrs.nr_xcrs; i++)
		if (xcrs.xcrs[i].xcr == 0)
			xcr0 = xcrs.xcrs[i].value;
	/* States that the guest switched off and that still hold something count as well. */
	accum = xcr0 | gw_get_le64((const uint8_t *)xsave.region + FPU_SIZE);
	size = GW_MIN(area_size(k, accum), (uint32_t)sizeof(xsave.region));
	gw_put_le64(raw, xcr0);
	gw_put_le64(raw + 8, accum);
	memcpy(raw + HEAD_SIZE, xsave.region, size);
	/* The kernel's own notes, in bytes that the processor leaves to software. */
	memset(raw + HEAD_SIZE + SOFTWARE_AT, 0, FPU_SIZE - SOFTWARE_AT);
	return gw_hvm_entry_append(out, GW_HVM_CPU_XSAVE, 0, raw, HEAD_SIZE + size, err);
}
