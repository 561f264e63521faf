/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The records of Xen that are lists of MSRs: MTRR with PAT, TSC_ADJUST, CPU_MSR.
 */
#include "base/bytes.h"
#include "base/util.h"
#include "hypervisor/kvm/domain.h"

#define MTRR_SIZE     240
#define VARIABLE      16
#define MSR_PAT	      UINT32_C(0x277)
#define MSR_MTRR_CAP  UINT32_C(0xfe)
#define MSR_DEF_TYPE  UINT32_C(0x2ff)
#define MSR_VARIABLE  UINT32_C(0x200)
#define MSR_TSC_ADJ   UINT32_C(0x3b)
#define PAT_RESET     UINT64_C(0x0007040600070406)
#define AT_VARIABLE   8
#define AT_FIXED      136
#define AT_CAP	      224
#define AT_DEF_TYPE   232
#define CPU_MSR_HEAD  8
#define CPU_MSR_ENTRY 16

static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
				 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
/* What Xen sends in CPU_MSR: SPEC_CTRL, XSS, the masks of the debug registers. */
static const uint32_t cpu_msrs[] = {0x48, 0xda0, 0xc0011027, 0xc0011019, 0xc001101a, 0xc001101b};

int gw_kvm_mtrr_load(struct gw_kvm *k, struct gw_error *err)
{
	struct gw_hvm_entry e;
	int found = gw_hvm_find(k->m.context.data, k->m.context.len, GW_HVM_MTRR, 0, &e, err);

	if (found < 0)
		return -1;
	if (!found)
		return gw_kvm_msr_put(k, MSR_PAT, PAT_RESET, err);
	if (e.length < MTRR_SIZE)
		return gw_fail(err, GW_INVALID, "HVM context: MTRR has %u bytes, expected %u",
			       e.length, MTRR_SIZE);
	for (unsigned i = 0; i < VARIABLE; i++)
		if (gw_kvm_msr_put(k, MSR_VARIABLE + i, gw_get_le64(e.data + AT_VARIABLE + 8 * i),
				   err) < 0)
			return -1;
	for (unsigned i = 0; i < GW_ARRAY_SIZE(fixed); i++)
		if (gw_kvm_msr_put(k, fixed[i], gw_get_le64(e.data + AT_FIXED + 8 * i), err) < 0)
			return -1;
	if (gw_kvm_msr_put(k, MSR_PAT, gw_get_le64(e.data), err) < 0)
		return -1;
	return gw_kvm_msr_put(k, MSR_DEF_TYPE, gw_get_le64(e.data + AT_DEF_TYPE), err);
}

static void get(struct gw_kvm *k, uint32_t index, uint8_t *to)
{
	uint64_t value = 0;

	gw_kvm_msr_get(k, index, &value);
	gw_put_le64(to, value);
}

int gw_kvm_mtrr_append(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err)
{
	uint8_t raw[MTRR_SIZE] = {0};

	get(k, MSR_PAT, raw);
	for (unsigned i = 0; i < VARIABLE; i++)
		get(k, MSR_VARIABLE + i, raw + AT_VARIABLE + 8 * i);
	for (unsigned i = 0; i < GW_ARRAY_SIZE(fixed); i++)
		get(k, fixed[i], raw + AT_FIXED + 8 * i);
	get(k, MSR_MTRR_CAP, raw + AT_CAP);
	get(k, MSR_DEF_TYPE, raw + AT_DEF_TYPE);
	return gw_hvm_entry_append(out, GW_HVM_MTRR, 0, raw, sizeof(raw), err);
}

int gw_kvm_tsc_adjust_load(struct gw_kvm *k, struct gw_error *err)
{
	struct gw_hvm_entry e;
	int found = gw_hvm_find(k->m.context.data, k->m.context.len, GW_HVM_TSC_ADJUST, 0, &e, err);

	if (found < 0)
		return -1;
	return gw_kvm_msr_put(k, MSR_TSC_ADJ, found && e.length >= 8 ? gw_get_le64(e.data) : 0,
			      err);
}

int gw_kvm_tsc_adjust_append(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err)
{
	uint8_t raw[8];

	get(k, MSR_TSC_ADJ, raw);
	if (gw_get_le64(raw) == 0)
		return 0;
	return gw_hvm_entry_append(out, GW_HVM_TSC_ADJUST, 0, raw, sizeof(raw), err);
}

int gw_kvm_cpu_msr_load(struct gw_kvm *k, struct gw_error *err)
{
	struct gw_hvm_entry e;
	int found = gw_hvm_find(k->m.context.data, k->m.context.len, GW_HVM_CPU_MSR, 0, &e, err);
	uint32_t count = found > 0 && e.length >= CPU_MSR_HEAD ? gw_get_le32(e.data) : 0;

	if (found < 0)
		return -1;
	for (size_t i = 0; i < GW_ARRAY_SIZE(cpu_msrs); i++)
		if (gw_kvm_msr_put(k, cpu_msrs[i], 0, err) < 0)
			return -1;
	if (count > (e.length - CPU_MSR_HEAD) / CPU_MSR_ENTRY && count)
		return gw_fail(err, GW_INVALID, "HVM context: CPU_MSR has %u bytes, too few for %u",
			       e.length, count);
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *at = e.data + CPU_MSR_HEAD + CPU_MSR_ENTRY * i;

		if (gw_kvm_msr_put(k, gw_get_le32(at), gw_get_le64(at + 8), err) < 0)
			return -1;
	}
	return 0;
}

int gw_kvm_cpu_msr_append(struct gw_kvm *k, struct gw_buffer *out, struct gw_error *err)
{
	uint8_t raw[CPU_MSR_HEAD + CPU_MSR_ENTRY * GW_ARRAY_SIZE(cpu_msrs)] = {0};
	uint32_t count = 0;

	for (size_t i = 0; i < GW_ARRAY_SIZE(cpu_msrs); i++) {
		uint8_t *at = raw + CPU_MSR_HEAD + CPU_MSR_ENTRY * count;
		uint64_t value;

		if (gw_kvm_msr_get(k, cpu_msrs[i], &value) < 0 || value == 0)
			continue;
		gw_put_le32(at, cpu_msrs[i]);
		gw_put_le64(at + 8, value);
		count++;
	}
	gw_put_le32(raw, count);
	if (!count)
		return 0;
	return gw_hvm_entry_append(out, GW_HVM_CPU_MSR, 0, raw,
				   CPU_MSR_HEAD + CPU_MSR_ENTRY * count, err);
}
