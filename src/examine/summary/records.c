/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The records of a summary other than PAGE_DATA: what each says of the domain.
 */
#include "examine/summary/internal.h"

#include <stdlib.h>

#include "base/util.h"
#include "format/x86/hvm_context.h"

static void gather_params(struct gw_summary *s, const struct gw_record *rec)
{
	uint32_t count;

	if (gw_hvm_params_decode(rec, &count, NULL) < 0)
		return;
	for (uint32_t n = 0; n < count; n++) {
		struct gw_param param;
		size_t i = 0;

		gw_hvm_params_get(rec, n, &param.index, &param.value);
		while (i < s->nr_params && s->params[i].index != param.index)
			i++;
		if (i == GW_SUMMARY_PARAMS_MAX)
			continue;
		s->params[i] = param;
		s->nr_params = GW_MAX(s->nr_params, i + 1);
	}
}

/* The vCPU of that id, added if need be; NULL if no domain has one of that id. */
static struct gw_vcpu_summary *vcpu_of(struct gw_summary *s, uint32_t id)
{
	struct gw_vcpu_summary *vcpus;

	if (id >= GW_SUMMARY_VCPUS_MAX)
		return NULL;
	if (s->vcpu_places[id])
		return &s->vcpus[s->vcpu_places[id] - 1];
	vcpus = reallocarray(s->vcpus, s->nr_vcpus + 1, sizeof(*vcpus));
	if (!vcpus) {
		gw_fail_errno(&s->err, "the list of vCPUs");
		return NULL;
	}
	s->vcpus = vcpus;
	vcpus[s->nr_vcpus++] = (struct gw_vcpu_summary){.id = id};
	s->vcpu_places[id] = (uint16_t)s->nr_vcpus;
	return &vcpus[s->nr_vcpus - 1];
}

/* The last word counts: what came before it goes. */
static void replace(struct gw_summary *s, struct gw_buffer *to, const void *data, size_t len)
{
	s->state_bytes -= to->len;
	to->len = 0;
	if (len > GW_SUMMARY_STATE_MAX - s->state_bytes) {
		s->left_out++;
		return;
	}
	if (gw_buffer_append(to, data, len, &s->err) == 0)
		s->state_bytes += len;
}

/* Ranges may come one by one, or again as the guest grows. One that leaves a hole the rules refuse.
 */
static void gather_p2m(struct gw_summary *s, const struct gw_record *rec)
{
	uint64_t *to;
	struct gw_p2m_frames p2m;
	size_t first, known = s->p2m_frames.len / sizeof(*to);

	if (!s->has_pv_info || gw_p2m_frames_decode(rec, s->pv_info.guest_width, &p2m, NULL) < 0)
		return;
	s->p2m = p2m;
	s->has_p2m = true;
	s->p2m_end = GW_MAX(s->p2m_end, p2m.end_pfn);
	first = p2m.start_pfn / (GW_PAGE_SIZE / s->pv_info.guest_width);
	if (first > known ||
	    (first + p2m.count > known &&
	     gw_buffer_append(&s->p2m_frames, NULL, (first + p2m.count - known) * sizeof(*to),
			      &s->err) < 0))
		return;
	to = (uint64_t *)(void *)s->p2m_frames.data + first;
	for (uint32_t i = 0; i < p2m.count; i++)
		to[i] = gw_p2m_frames_get(rec, i);
}

static void gather_vcpu(struct gw_summary *s, const struct gw_record *rec)
{
	struct gw_vcpu_summary *vcpu;
	struct gw_vcpu_blob blob;

	if (!s->has_pv_info || gw_vcpu_blob_decode(rec, s->pv_info.guest_width, &blob, NULL) < 0)
		return;
	vcpu = vcpu_of(s, blob.vcpu_id);
	/* An empty record is skipped. */
	if (!vcpu || !blob.blob_len)
		return;
	switch (rec->type) {
	case GW_REC_X86_PV_VCPU_BASIC:
		vcpu->basic = blob.blob_len;
		replace(s, &vcpu->blobs[GW_VCPU_BASIC], blob.blob, blob.blob_len);
		break;
	case GW_REC_X86_PV_VCPU_EXTENDED:
		vcpu->extended = blob.blob_len;
		replace(s, &vcpu->blobs[GW_VCPU_EXTENDED], blob.blob, blob.blob_len);
		break;
	case GW_REC_X86_PV_VCPU_XSAVE:
		vcpu->xsave = blob.blob_len;
		replace(s, &vcpu->blobs[GW_VCPU_XSAVE], blob.blob, blob.blob_len);
		break;
	default:
		vcpu->msrs = blob.blob_len;
		replace(s, &vcpu->blobs[GW_VCPU_MSRS], blob.blob, blob.blob_len);
		break;
	}
}

static void count_code(struct gw_summary *s, const struct gw_hvm_entry *entry)
{
	size_t i = 0;

	while (i < s->nr_codes && s->codes[i].code != entry->typecode)
		i++;
	if (i == GW_SUMMARY_CODES_MAX)
		return;
	if (i == s->nr_codes)
		s->codes[s->nr_codes++] = (struct gw_code_count){.code = entry->typecode};
	s->codes[i].count++;
	s->codes[i].bytes += entry->length;
}

static void gather_context(struct gw_summary *s, const struct gw_record *rec)
{
	struct gw_hvm_header header;
	struct gw_hvm_entry entry;
	struct gw_hvm_walk walk;

	s->hvm_context_bytes = rec->length;
	s->nr_codes = 0;
	replace(s, &s->hvm_context, rec->data, rec->length);
	gw_hvm_walk_init(&walk, rec->data, rec->length);
	while (gw_hvm_walk_next(&walk, &entry, NULL) > 0) {
		count_code(s, &entry);
		if (entry.typecode == GW_HVM_CPU)
			vcpu_of(s, entry.instance);
		if (entry.typecode == GW_HVM_HEADER &&
		    gw_hvm_header_decode(&entry, &header, NULL) == 0) {
			s->has_hvm_header = true;
			s->hvm_cpuid = header.cpuid;
		}
	}
}

/* A malformed one leaves the policy as it was; only a lack of memory is the walk's failure. */
static void gather_policy(struct gw_summary *s, const struct gw_record *rec)
{
	struct gw_error err = GW_ERROR_INIT;
	int rc = rec->type == GW_REC_X86_CPUID_POLICY
			 ? gw_cpuid_policy_decode(rec, &s->policy, &err)
			 : gw_msr_policy_decode(rec, &s->policy, &err);

	if (rc < 0 && err.code == GW_SYSTEM)
		s->err = err;
}

static void gather_image_record(struct gw_summary *s, const struct gw_record *rec)
{
	switch (rec->type) {
	case GW_REC_X86_PV_INFO:
		s->has_pv_info |= gw_pv_info_decode(rec, &s->pv_info, NULL) == 0;
		break;
	case GW_REC_X86_PV_P2M_FRAMES:
		gather_p2m(s, rec);
		break;
	case GW_REC_X86_PV_VCPU_BASIC:
	case GW_REC_X86_PV_VCPU_EXTENDED:
	case GW_REC_X86_PV_VCPU_XSAVE:
	case GW_REC_X86_PV_VCPU_MSRS:
		gather_vcpu(s, rec);
		break;
	case GW_REC_X86_TSC_INFO:
		s->has_tsc |= gw_tsc_info_decode(rec, &s->tsc, NULL) == 0;
		break;
	case GW_REC_HVM_PARAMS:
		gather_params(s, rec);
		break;
	case GW_REC_HVM_CONTEXT:
		gather_context(s, rec);
		break;
	case GW_REC_X86_CPUID_POLICY:
		s->nr_leaves = rec->length / 24;
		gather_policy(s, rec);
		break;
	case GW_REC_X86_MSR_POLICY:
		s->nr_msrs = rec->length / 16;
		gather_policy(s, rec);
		break;
	case GW_REC_SHARED_INFO:
		replace(s, &s->shared_info, rec->data, rec->length);
		break;
	case GW_REC_GODWIT_XENABI:
		replace(s, &s->xenabi, rec->data, rec->length);
		break;
	case GW_REC_GODWIT_KVM:
		replace(s, &s->kvm, rec->data, rec->length);
		break;
	default:
		break;
	}
}

static void gather_xenstore(struct gw_summary *s, const struct gw_record *rec)
{
	struct gw_emulator_data emu;
	const char *key, *value;
	size_t pos = 0;

	if (!rec->data || gw_emulator_data_decode(rec, &emu, NULL) < 0)
		return;
	s->has_xenstore = true;
	replace(s, &s->xenstore, emu.data, emu.len);
	s->xenstore_keys = 0;
	while (gw_xenstore_pair(&emu, &pos, &key, &value, NULL) > 0)
		s->xenstore_keys++;
}

static void gather_stream_record(struct gw_summary *s, const struct gw_record *rec,
				 const uint8_t *body_head)
{
	struct gw_record ids = {.data = body_head, .length = GW_MIN(rec->length, 8u)};
	struct gw_emulator_data emu;

	if (rec->type == GW_STREAM_EMULATOR_XENSTORE_DATA)
		gather_xenstore(s, rec);
	if (rec->type != GW_STREAM_EMULATOR_CONTEXT || !body_head ||
	    gw_emulator_data_decode(&ids, &emu, NULL) < 0)
		return;
	s->has_emulator = true;
	s->emulator_id = emu.emulator_id;
	s->emulator_bytes = rec->length - 8;
}

void gw_summary_take_record(struct gw_summary *s, enum gw_layer layer, const struct gw_record *rec,
			    const uint8_t *body_head)
{
	if (layer == GW_LAYER_LIBXL)
		gather_stream_record(s, rec, body_head);
	else if (rec->data)
		gather_image_record(s, rec);
}
