/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bodies of the image's records other than PAGE_DATA, in the form that each type demands. The rules
 * for values of fields and for the order of records are in rules/.
 */
#include "format/libxc/image.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/util.h"

/* Sizes of struct vcpu_guest_context of a 64-bit and a 32-bit guest. */
#define VCPU_CONTEXT_64 5168u
#define VCPU_CONTEXT_32 2800u
#define VCPU_HEAD	8u
#define EXTENDED_MAX	128u
#define XSAVE_MIN	16u
#define MSR_SIZE	16u
#define LEAF_SIZE	24u
#define PARAM_SIZE	16u

static int want_length(const struct gw_record *rec, uint32_t length, struct gw_error *err)
{
	if (rec->length == length)
		return 0;
	return gw_fail(err, GW_INVALID, "length is %u, expected %u", rec->length, length);
}

static int at_least(const struct gw_record *rec, uint32_t length, struct gw_error *err)
{
	if (rec->length >= length)
		return 0;
	return gw_fail(err, GW_INVALID, "length is %u, expected at least %u", rec->length, length);
}

int gw_pv_info_decode(const struct gw_record *rec, struct gw_pv_info *info, struct gw_error *err)
{
	if (want_length(rec, 8, err) < 0)
		return -1;
	info->guest_width = rec->data[0];
	info->pt_levels = rec->data[1];
	memcpy(info->reserved, rec->data + 2, sizeof(info->reserved));
	return 0;
}

void gw_pv_info_encode(uint8_t raw[8], const struct gw_pv_info *info)
{
	raw[0] = info->guest_width;
	raw[1] = info->pt_levels;
	memcpy(raw + 2, info->reserved, sizeof(info->reserved));
}

static bool width_known(unsigned guest_width)
{
	return guest_width == 4 || guest_width == 8;
}

int gw_p2m_frames_decode(const struct gw_record *rec, unsigned guest_width,
			 struct gw_p2m_frames *frames, struct gw_error *err)
{
	if (!width_known(guest_width))
		return gw_fail(err, GW_INVALID, "the width of the guest is not known yet");
	if (at_least(rec, 8, err) < 0)
		return -1;
	frames->start_pfn = gw_get_le32(rec->data);
	frames->end_pfn = gw_get_le32(rec->data + 4);
	if (frames->start_pfn > frames->end_pfn)
		return gw_fail(err, GW_INVALID, "start pfn 0x%x is above end pfn 0x%x",
			       frames->start_pfn, frames->end_pfn);

	/* Number of pfns that one page of the guest's P2M describes. */
	uint32_t per_frame = GW_PAGE_SIZE / guest_width;

	frames->count = frames->end_pfn / per_frame - frames->start_pfn / per_frame + 1;
	if (rec->length != 8 + UINT64_C(8) * frames->count)
		return gw_fail(err, GW_INVALID,
			       "pfns 0x%x to 0x%x need %u frames, %llu bytes; record has %u",
			       frames->start_pfn, frames->end_pfn, frames->count,
			       8 + 8ull * frames->count, rec->length);
	return 0;
}

uint64_t gw_p2m_frames_get(const struct gw_record *rec, uint32_t i)
{
	return gw_get_le64(rec->data + 8 + (size_t)8 * i);
}

int gw_p2m_frames_append(struct gw_buffer *buf, const struct gw_p2m_frames *frames,
			 const uint64_t *pfns, struct gw_error *err)
{
	struct gw_buffer body = {0};
	uint8_t raw[8];
	int rc;

	gw_put_le32(raw, frames->start_pfn);
	gw_put_le32(raw + 4, frames->end_pfn);
	rc = gw_buffer_append(&body, raw, sizeof(raw), err);
	for (uint32_t i = 0; rc == 0 && i < frames->count; i++) {
		gw_put_le64(raw, pfns[i]);
		rc = gw_buffer_append(&body, raw, sizeof(raw), err);
	}
	if (rc == 0)
		rc = gw_record_append(buf, GW_REC_X86_PV_P2M_FRAMES, body.data, body.len, err);
	gw_buffer_free(&body);
	return rc;
}

static int check_basic(uint32_t len, unsigned guest_width, struct gw_error *err)
{
	uint32_t expected = guest_width == 8 ? VCPU_CONTEXT_64 : VCPU_CONTEXT_32;

	if (!width_known(guest_width))
		return gw_fail(err, GW_INVALID, "the width of the guest is not known yet");
	if (len != expected)
		return gw_fail(err, GW_INVALID,
			       "context of a %u-bit guest's vCPU has %u bytes, expected %u",
			       8 * guest_width, len, expected);
	return 0;
}

int gw_vcpu_blob_decode(const struct gw_record *rec, unsigned guest_width,
			struct gw_vcpu_blob *vcpu, struct gw_error *err)
{
	if (at_least(rec, VCPU_HEAD, err) < 0)
		return -1;
	vcpu->vcpu_id = gw_get_le32(rec->data);
	vcpu->reserved = gw_get_le32(rec->data + 4);
	vcpu->blob = rec->data + VCPU_HEAD;
	vcpu->blob_len = rec->length - VCPU_HEAD;
	if (vcpu->blob_len == 0)
		return 0;

	switch (rec->type) {
	case GW_REC_X86_PV_VCPU_BASIC:
		return check_basic(vcpu->blob_len, guest_width, err);
	case GW_REC_X86_PV_VCPU_EXTENDED:
		if (vcpu->blob_len > EXTENDED_MAX)
			return gw_fail(err, GW_INVALID, "context has %u bytes, at most %u expected",
				       vcpu->blob_len, EXTENDED_MAX);
		return 0;
	case GW_REC_X86_PV_VCPU_XSAVE:
		if (vcpu->blob_len < XSAVE_MIN)
			return gw_fail(err, GW_INVALID,
				       "context has %u bytes, at least %u expected", vcpu->blob_len,
				       XSAVE_MIN);
		return 0;
	case GW_REC_X86_PV_VCPU_MSRS:
		if (vcpu->blob_len % MSR_SIZE)
			return gw_fail(err, GW_INVALID,
				       "context has %u bytes, expected a multiple of %u",
				       vcpu->blob_len, MSR_SIZE);
		return 0;
	default:
		return gw_fail(err, GW_INVALID, "type 0x%08x is not a vCPU record", rec->type);
	}
}

int gw_vcpu_blob_append(struct gw_buffer *buf, uint32_t type, const struct gw_vcpu_blob *vcpu,
			struct gw_error *err)
{
	uint32_t length;

	if (gw_add_overflows(vcpu->blob_len, VCPU_HEAD, &length) || length > GW_RECORD_MAX)
		return gw_fail(err, GW_INVALID, "a vCPU context of %u bytes exceeds a record",
			       vcpu->blob_len);

	uint8_t *raw = gw_buffer_reserve(
		buf, GW_RECORD_HEADER_SIZE + (size_t)length + gw_record_padding(length), err);

	if (!raw)
		return -1;
	gw_record_header_encode(raw, type, length);
	gw_put_le32(raw + 8, vcpu->vcpu_id);
	gw_put_le32(raw + 12, vcpu->reserved);
	buf->len += GW_RECORD_HEADER_SIZE + VCPU_HEAD;
	if (gw_buffer_append(buf, vcpu->blob, vcpu->blob_len, err) < 0)
		return -1;
	return gw_buffer_append(buf, NULL, gw_record_padding(length), err);
}

int gw_tsc_info_decode(const struct gw_record *rec, struct gw_tsc_info *tsc, struct gw_error *err)
{
	if (want_length(rec, 24, err) < 0)
		return -1;
	tsc->mode = gw_get_le32(rec->data);
	tsc->khz = gw_get_le32(rec->data + 4);
	tsc->nsec = gw_get_le64(rec->data + 8);
	tsc->incarnation = gw_get_le32(rec->data + 16);
	return 0;
}

void gw_tsc_info_encode(uint8_t raw[24], const struct gw_tsc_info *tsc)
{
	gw_put_le32(raw, tsc->mode);
	gw_put_le32(raw + 4, tsc->khz);
	gw_put_le64(raw + 8, tsc->nsec);
	gw_put_le32(raw + 16, tsc->incarnation);
	gw_put_le32(raw + 20, 0);
}

int gw_hvm_params_decode(const struct gw_record *rec, uint32_t *count, struct gw_error *err)
{
	if (at_least(rec, 8, err) < 0)
		return -1;
	*count = gw_get_le32(rec->data);
	if (rec->length != 8 + UINT64_C(16) * *count)
		return gw_fail(err, GW_INVALID, "count %u needs %llu bytes, record has %u", *count,
			       8 + 16ull * *count, rec->length);
	return 0;
}

void gw_hvm_params_get(const struct gw_record *rec, uint32_t i, uint64_t *index, uint64_t *value)
{
	const uint8_t *entry = rec->data + 8 + (size_t)PARAM_SIZE * i;

	*index = gw_get_le64(entry);
	*value = gw_get_le64(entry + 8);
}

int gw_hvm_params_append(struct gw_buffer *buf, uint32_t count, const uint64_t *index,
			 const uint64_t *value, struct gw_error *err)
{
	size_t length = 8 + (size_t)PARAM_SIZE * count;

	if (length > GW_RECORD_MAX)
		return gw_fail(err, GW_INVALID, "%u params exceed a record", count);

	uint8_t *raw = gw_buffer_reserve(buf, GW_RECORD_HEADER_SIZE + length, err);

	if (!raw)
		return -1;
	gw_record_header_encode(raw, GW_REC_HVM_PARAMS, (uint32_t)length);
	gw_put_le32(raw + 8, count);
	gw_put_le32(raw + 12, 0);
	for (uint32_t i = 0; i < count; i++) {
		gw_put_le64(raw + 16 + (size_t)PARAM_SIZE * i, index[i]);
		gw_put_le64(raw + 24 + (size_t)PARAM_SIZE * i, value[i]);
	}
	buf->len += GW_RECORD_HEADER_SIZE + length;
	return 0;
}

/* HVM_PARAM_* of Xen's public/hvm/params.h, including obsolete ones, which old streams have. */
const char *gw_hvm_param_name(uint64_t index)
{
	static const char *const names[] = {
		[0] = "CALLBACK_IRQ",
		[1] = "STORE_PFN",
		[2] = "STORE_EVTCHN",
		[4] = "PAE_ENABLED",
		[5] = "IOREQ_PFN",
		[6] = "BUFIOREQ_PFN",
		[9] = "VIRIDIAN",
		[10] = "TIMER_MODE",
		[11] = "HPET_ENABLED",
		[12] = "IDENT_PT",
		[13] = "DM_DOMAIN",
		[14] = "ACPI_S_STATE",
		[15] = "VM86_TSS",
		[16] = "VPT_ALIGN",
		[17] = "CONSOLE_PFN",
		[18] = "CONSOLE_EVTCHN",
		[19] = "ACPI_IOPORTS_LOCATION",
		[20] = "MEMORY_EVENT_CR0",
		[21] = "MEMORY_EVENT_CR3",
		[22] = "MEMORY_EVENT_CR4",
		[23] = "MEMORY_EVENT_INT3",
		[24] = "NESTEDHVM",
		[25] = "MEMORY_EVENT_SINGLE_STEP",
		[26] = "BUFIOREQ_EVTCHN",
		[27] = "PAGING_RING_PFN",
		[28] = "MONITOR_RING_PFN",
		[29] = "SHARING_RING_PFN",
		[30] = "MEMORY_EVENT_MSR",
		[31] = "TRIPLE_FAULT_REASON",
		[32] = "IOREQ_SERVER_PFN",
		[33] = "NR_IOREQ_SERVER_PAGES",
		[34] = "VM_GENERATION_ID_ADDR",
		[35] = "ALTP2M",
		[36] = "X87_FIP_WIDTH",
		[37] = "VM86_TSS_SIZED",
		[38] = "MCA_CAP",
	};

	return index < GW_ARRAY_SIZE(names) ? names[index] : NULL;
}

const uint32_t gw_hvm_params_saved[16] = {1,  5, 6,  27, 28, 29, 37, 17,
					  19, 9, 12, 34, 32, 33, 36, 38};

static int want_entries(const struct gw_record *rec, uint32_t size, struct gw_error *err)
{
	if (rec->length == 0)
		return gw_fail(err, GW_INVALID, "it is empty");
	if (rec->length < size || rec->length % size)
		return gw_fail(err, GW_INVALID, "length is %u, expected a multiple of %u",
			       rec->length, size);
	return 0;
}

int gw_cpuid_policy_decode(const struct gw_record *rec, struct gw_policy *policy,
			   struct gw_error *err)
{
	if (want_entries(rec, LEAF_SIZE, err) < 0)
		return -1;

	size_t n = rec->length / LEAF_SIZE;
	struct gw_cpuid_leaf *leaves = calloc(n, sizeof(*leaves));

	if (!leaves)
		return gw_fail_errno(err, "a CPUID policy of %zu leaves", n);
	for (size_t i = 0; i < n; i++) {
		const uint8_t *raw = rec->data + LEAF_SIZE * i;

		leaves[i] = (struct gw_cpuid_leaf){
			.leaf = gw_get_le32(raw),
			.subleaf = gw_get_le32(raw + 4),
			.a = gw_get_le32(raw + 8),
			.b = gw_get_le32(raw + 12),
			.c = gw_get_le32(raw + 16),
			.d = gw_get_le32(raw + 20),
		};
	}
	free(policy->leaves);
	policy->leaves = leaves;
	policy->nr_leaves = n;
	return 0;
}

int gw_msr_policy_decode(const struct gw_record *rec, struct gw_policy *policy,
			 struct gw_error *err)
{
	if (want_entries(rec, MSR_SIZE, err) < 0)
		return -1;

	size_t n = rec->length / MSR_SIZE;
	struct gw_msr_entry *msrs = calloc(n, sizeof(*msrs));

	if (!msrs)
		return gw_fail_errno(err, "an MSR policy of %zu entries", n);
	for (size_t i = 0; i < n; i++) {
		const uint8_t *raw = rec->data + MSR_SIZE * i;

		msrs[i] = (struct gw_msr_entry){
			.index = gw_get_le32(raw),
			.flags = gw_get_le32(raw + 4),
			.value = gw_get_le64(raw + 8),
		};
	}
	free(policy->msrs);
	policy->msrs = msrs;
	policy->nr_msrs = n;
	return 0;
}

static int append_leaves(struct gw_buffer *buf, const struct gw_policy *policy,
			 struct gw_error *err)
{
	size_t length = LEAF_SIZE * policy->nr_leaves;
	size_t padded = length + gw_record_padding((uint32_t)length);
	uint8_t *raw = gw_buffer_reserve(buf, GW_RECORD_HEADER_SIZE + padded, err);

	if (!raw)
		return -1;
	gw_record_header_encode(raw, GW_REC_X86_CPUID_POLICY, (uint32_t)length);
	raw += GW_RECORD_HEADER_SIZE;
	for (size_t i = 0; i < policy->nr_leaves; i++, raw += LEAF_SIZE) {
		const struct gw_cpuid_leaf *leaf = &policy->leaves[i];

		gw_put_le32(raw, leaf->leaf);
		gw_put_le32(raw + 4, leaf->subleaf);
		gw_put_le32(raw + 8, leaf->a);
		gw_put_le32(raw + 12, leaf->b);
		gw_put_le32(raw + 16, leaf->c);
		gw_put_le32(raw + 20, leaf->d);
	}
	buf->len += GW_RECORD_HEADER_SIZE + padded;
	return 0;
}

static int append_msrs(struct gw_buffer *buf, const struct gw_policy *policy, struct gw_error *err)
{
	size_t length = MSR_SIZE * policy->nr_msrs;
	uint8_t *raw = gw_buffer_reserve(buf, GW_RECORD_HEADER_SIZE + length, err);

	if (!raw)
		return -1;
	gw_record_header_encode(raw, GW_REC_X86_MSR_POLICY, (uint32_t)length);
	raw += GW_RECORD_HEADER_SIZE;
	for (size_t i = 0; i < policy->nr_msrs; i++, raw += MSR_SIZE) {
		gw_put_le32(raw, policy->msrs[i].index);
		gw_put_le32(raw + 4, policy->msrs[i].flags);
		gw_put_le64(raw + 8, policy->msrs[i].value);
	}
	buf->len += GW_RECORD_HEADER_SIZE + length;
	return 0;
}

int gw_policy_append(struct gw_buffer *buf, const struct gw_policy *policy, struct gw_error *err)
{
	if (policy->nr_leaves > GW_RECORD_MAX / LEAF_SIZE ||
	    policy->nr_msrs > GW_RECORD_MAX / MSR_SIZE)
		return gw_fail(err, GW_INVALID,
			       "a policy of %zu CPUID leaves and %zu MSRs exceeds a record",
			       policy->nr_leaves, policy->nr_msrs);
	if (policy->nr_leaves && append_leaves(buf, policy, err) < 0)
		return -1;
	if (policy->nr_msrs && append_msrs(buf, policy, err) < 0)
		return -1;
	return 0;
}

int gw_dirty_pfn_list_decode(const struct gw_record *rec, uint64_t *count, struct gw_error *err)
{
	if (rec->length % 8)
		return gw_fail(err, GW_INVALID, "length is %u, expected a multiple of 8",
			       rec->length);
	*count = rec->length / 8;
	return 0;
}

uint64_t gw_dirty_pfn_list_get(const struct gw_record *rec, uint64_t i)
{
	return gw_get_le64(rec->data + 8 * i);
}
