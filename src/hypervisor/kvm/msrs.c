/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * MSRs: those of Xen's CPU record, and those for which Xen has no record at all.
 */
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/util.h"
#include "hypervisor/kvm/domain.h"

static const struct {
	uint32_t index;
	size_t at; /* in the CPU record */
} in_cpu[] = {
	{0x174, offsetof(struct gw_hvm_cpu, sysenter_cs)},
	{0x175, offsetof(struct gw_hvm_cpu, sysenter_esp)},
	{0x176, offsetof(struct gw_hvm_cpu, sysenter_eip)},
	{0xc0000081, offsetof(struct gw_hvm_cpu, star)},
	{0xc0000082, offsetof(struct gw_hvm_cpu, lstar)},
	{0xc0000083, offsetof(struct gw_hvm_cpu, cstar)},
	{0xc0000084, offsetof(struct gw_hvm_cpu, syscall_mask)},
	{0xc0000102, offsetof(struct gw_hvm_cpu, shadow_gs)},
	{0xc0000103, offsetof(struct gw_hvm_cpu, tsc_aux)},
};

/* Ranges that other records have, or the policy, or that count on by themselves. */
static const struct {
	uint32_t first, last;
} elsewhere[] = {
	{0x10, 0x10},		  /* TSC */
	{0x1b, 0x1b},		  /* APIC base */
	{0x34, 0x34},		  /* SMIs counted */
	{0x3b, 0x3b},		  /* TSC_ADJUST */
	{0x48, 0x48},		  /* CPU_MSR: SPEC_CTRL */
	{0x8b, 0x8b},		  /* the microcode's version */
	{0xce, 0xce},		  /* PLATFORM_INFO */
	{0xe7, 0xe8},		  /* MPERF, APERF */
	{0xfe, 0xfe},		  /* MTRRs: capabilities */
	{0x10a, 0x10a},		  /* ARCH_CAPABILITIES */
	{0x174, 0x176},		  /* CPU: SYSENTER */
	{0x200, 0x2ff},		  /* MTRR, PAT */
	{0x480, 0x491},		  /* capabilities of VMX */
	{0x6e0, 0x6e0},		  /* the deadline of the LAPIC's timer */
	{0xda0, 0xda0},		  /* CPU_MSR: XSS */
	{0x40000000, 0x40000000}, /* the hypercall page */
	{0xc0000080, 0xc0000084}, /* CPU: EFER, STAR, ... */
	{0xc0000100, 0xc0000103}, /* CPU: FS and GS base, TSC_AUX */
	{0xc0011019, 0xc001101b}, /* CPU_MSR: masks of DR1 to DR3 */
	{0xc0011027, 0xc0011027}, /* CPU_MSR: mask of DR0 */
};

static uint64_t *field(struct gw_hvm_cpu *cpu, size_t at)
{
	return (uint64_t *)((uint8_t *)cpu + at);
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

int gw_kvm_msr_get(struct gw_kvm *k, uint32_t index, uint64_t *value)
{
	struct one_msr msr = {.head = {.nmsrs = 1}, .entry = {.index = index}};

	if (ioctl(k->vcpu, KVM_GET_MSRS, &msr) != 1)
		return -1;
	*value = msr.entry.data;
	return 0;
}

int gw_kvm_msr_set(struct gw_kvm *k, uint32_t index, uint64_t value, struct gw_error *err)
{
	struct one_msr msr = {.head = {.nmsrs = 1}, .entry = {.index = index, .data = value}};

	if (ioctl(k->vcpu, KVM_SET_MSRS, &msr) != 1)
		return gw_fail(err, GW_UNSUPPORTED,
			       "domain %u: KVM does not take the value 0x%llx of MSR 0x%x",
			       k->m.d.domid, (unsigned long long)value, index);
	return 0;
}

int gw_kvm_msr_put(struct gw_kvm *k, uint32_t index, uint64_t value, struct gw_error *err)
{
	uint64_t now;

	/* A processor without the MSR holds its value after reset, 0. */
	if (gw_kvm_msr_get(k, index, &now) < 0)
		now = 0;
	return now == value ? 0 : gw_kvm_msr_set(k, index, value, err);
}

int gw_kvm_msrs_load(struct gw_kvm *k, const struct gw_hvm_cpu *cpu, struct gw_error *err)
{
	struct gw_hvm_cpu copy = *cpu;

	for (size_t i = 0; i < GW_ARRAY_SIZE(in_cpu); i++)
		if (gw_kvm_msr_put(k, in_cpu[i].index, *field(&copy, in_cpu[i].at), err) < 0)
			return -1;
	return 0;
}

void gw_kvm_msrs_store(struct gw_kvm *k, struct gw_hvm_cpu *cpu)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(in_cpu); i++) {
		*field(cpu, in_cpu[i].at) = 0;
		gw_kvm_msr_get(k, in_cpu[i].index, field(cpu, in_cpu[i].at));
	}
}

static bool is_elsewhere(uint32_t index)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(elsewhere); i++)
		if (index >= elsewhere[i].first && index <= elsewhere[i].last)
			return true;
	return false;
}

int gw_kvm_msrs_read_reset(struct gw_kvm *k, struct gw_error *err)
{
	const struct kvm_msr_list *list = k->caps->msrs;

	k->msr_reset = calloc(list->nmsrs, sizeof(*k->msr_reset));
	if (!k->msr_reset)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a vCPU's MSRs");
	for (uint32_t i = 0; i < list->nmsrs; i++)
		gw_kvm_msr_get(k, list->indices[i], &k->msr_reset[i]);
	return 0;
}

int gw_kvm_msrs_reset(struct gw_kvm *k, struct gw_error *err)
{
	const struct kvm_msr_list *list = k->caps->msrs;
	uint64_t now;

	for (uint32_t i = 0; i < list->nmsrs; i++)
		if (!is_elsewhere(list->indices[i]) &&
		    gw_kvm_msr_get(k, list->indices[i], &now) == 0 && now != k->msr_reset[i] &&
		    gw_kvm_msr_set(k, list->indices[i], k->msr_reset[i], err) < 0)
			return -1;
	return 0;
}

static int by_index(const void *a, const void *b)
{
	uint32_t x = ((const struct gw_kvm_msr *)a)->index;
	uint32_t y = ((const struct gw_kvm_msr *)b)->index;

	return x < y ? -1 : x > y;
}

int gw_kvm_msrs_other(struct gw_kvm *k, struct gw_kvm_state *state, struct gw_error *err)
{
	const struct kvm_msr_list *list = k->caps->msrs;
	uint64_t now;

	state->nr_msrs = 0;
	for (uint32_t i = 0; i < list->nmsrs; i++) {
		if (is_elsewhere(list->indices[i]) ||
		    gw_kvm_msr_get(k, list->indices[i], &now) < 0 || now == k->msr_reset[i])
			continue;
		if (state->nr_msrs == GW_KVM_STATE_MSRS)
			return gw_fail(err, GW_UNSUPPORTED, "domain %u: it uses more than %d MSRs",
				       k->m.d.domid, GW_KVM_STATE_MSRS);
		state->msrs[state->nr_msrs++] = (struct gw_kvm_msr){list->indices[i], now};
	}
	qsort(state->msrs, state->nr_msrs, sizeof(state->msrs[0]), by_index);
	return 0;
}
