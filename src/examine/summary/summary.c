/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Gathering what the records say.
 */
#include "examine/summary/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "format/x86/hvm_context.h"

static void keep_config(struct gw_summary *s, const void *config, size_t len)
{
	if (gw_buffer_append(&s->config, config, len, &s->err) < 0 ||
	    gw_buffer_append(&s->config, NULL, 1, &s->err) < 0)
		return;
	s->config.len--;
	s->has_config = true;
}

void gw_summary_xlfile(void *summary, uint64_t offset, const struct gw_xlfile *xl)
{
	struct gw_summary *s = summary;
	const char *config;
	size_t len;

	s->xl_offset = offset;
	s->mandatory_flags = xl->mandatory_flags;
	s->optional_flags = xl->optional_flags;
	s->config_is_json = xl->mandatory_flags & GW_XLFILE_JSON;
	config = gw_xlfile_config(xl, &len);
	if (config)
		keep_config(s, config, len);
}

void gw_summary_xend(void *summary, uint64_t offset, const struct gw_xend *xend)
{
	struct gw_summary *s = summary;

	s->xend_offset = offset;
	s->config_is_xend = true;
	if (xend->config.len)
		keep_config(s, xend->config.data, xend->config.len);
}

void gw_summary_stream(void *summary, uint64_t offset, const struct gw_stream_header *header)
{
	struct gw_summary *s = summary;

	s->stream_offset = offset;
	gw_checkpoints_stream(&s->checkpoints);
}

void gw_summary_image(void *summary, uint64_t offset, const struct gw_image_header *header)
{
	struct gw_summary *s = summary;

	s->image_offset = offset;
}

static void count_type(struct gw_summary *s, const struct gw_examined_record *record)
{
	size_t i = 0;

	while (i < s->nr_types &&
	       (s->types[i].type != record->rec->type || s->types[i].layer != record->layer))
		i++;
	if (i == GW_SUMMARY_TYPES_MAX)
		return;
	if (i == s->nr_types)
		s->types[s->nr_types++] =
			(struct gw_type_count){.layer = record->layer, .type = record->rec->type};
	s->types[i].count++;
	s->types[i].bytes += record->rec->length;
}

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
static void keep(struct gw_summary *s, struct gw_buffer *to, const void *data, size_t len)
{
	s->kept -= to->len;
	to->len = 0;
	if (len > GW_SUMMARY_KEPT_MAX - s->kept) {
		s->left_out++;
		return;
	}
	if (gw_buffer_append(to, data, len, &s->err) == 0)
		s->kept += len;
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
	/* An empty record is passed over. */
	if (!vcpu || !blob.blob_len)
		return;
	switch (rec->type) {
	case GW_REC_X86_PV_VCPU_BASIC:
		vcpu->basic = blob.blob_len;
		keep(s, &vcpu->blobs[GW_VCPU_BASIC], blob.blob, blob.blob_len);
		break;
	case GW_REC_X86_PV_VCPU_EXTENDED:
		vcpu->extended = blob.blob_len;
		keep(s, &vcpu->blobs[GW_VCPU_EXTENDED], blob.blob, blob.blob_len);
		break;
	case GW_REC_X86_PV_VCPU_XSAVE:
		vcpu->xsave = blob.blob_len;
		keep(s, &vcpu->blobs[GW_VCPU_XSAVE], blob.blob, blob.blob_len);
		break;
	default:
		vcpu->msrs = blob.blob_len;
		keep(s, &vcpu->blobs[GW_VCPU_MSRS], blob.blob, blob.blob_len);
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
	keep(s, &s->hvm_context, rec->data, rec->length);
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
		keep(s, &s->shared_info, rec->data, rec->length);
		break;
	case GW_REC_GODWIT_XENABI:
		keep(s, &s->xenabi, rec->data, rec->length);
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
	keep(s, &s->xenstore, emu.data, emu.len);
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

void gw_summary_apply(struct gw_summary *s, const struct gw_examined_record *record)
{
	gw_summary_take_record(s, record->layer, record->rec, record->body_head);
}

void gw_summary_take_record(struct gw_summary *s, enum gw_layer layer, const struct gw_record *rec,
			    const uint8_t *body_head)
{
	if (layer == GW_LAYER_LIBXL)
		gather_stream_record(s, rec, body_head);
	else if (rec->data)
		gather_image_record(s, rec);
}

void gw_summary_record(void *summary, const struct gw_examined_record *record)
{
	struct gw_summary *s = summary;

	count_type(s, record);
	if (s->err.code)
		return;
	if (gw_checkpoints_record(&s->checkpoints, record) == GW_COUNTS_CHECKPOINT) {
		gw_summary_checkpoint(s);
		return;
	}
	gw_summary_begin_body(s, record);
	s->record = record->rec->number;
	s->record_offset = record->offset;
	if (s->rounds.aside)
		gw_summary_put_aside(s, record);
	else if (record->pages)
		gw_summary_take_pages(s, record->pages);
	else
		gw_summary_take_record(s, record->layer, record->rec, record->body_head);
}

void gw_summary_item(void *summary, const struct gw_examined_item *item)
{
	int32_t id = item->id > 0 ? 1 : item->id;
	struct gw_summary *s = summary;
	size_t i = 0;

	while (i < s->nr_items && s->items[i].id != id)
		i++;
	if (i == GW_SUMMARY_ITEMS_MAX)
		return;
	if (i == s->nr_items)
		s->items[s->nr_items++] = (struct gw_item_count){.id = id, .name = item->name};
	s->items[i].count++;
	s->items[i].bytes += item->length;
}

const char *gw_guest_type_title(uint32_t type)
{
	if (type == GW_GUEST_X86_PV)
		return "x86 PV";
	if (type == GW_GUEST_X86_HVM)
		return "x86 HVM";
	return "unknown guest type";
}

/* How much there is of it. */
static void title_counts(const struct gw_examined *e, char *buf, size_t size)
{
	uint64_t checkpoints = e->has_legacy && e->rounds > 1 ? e->rounds : e->facts.checkpoints;
	int n = 0;

	if (checkpoints)
		n = snprintf(buf, size, "%" PRIu64 " checkpoints, ", checkpoints);
	snprintf(buf + n, size - (size_t)n, "%" PRIu64 " %s, %" PRIu64 " pages",
		 e->has_legacy ? e->legacy_items : e->image_records,
		 e->has_legacy ? "chunks" : "records", e->pages);
}

char *gw_examined_title(const struct gw_examined *e, char *buf, size_t size)
{
	int n = 0;

	if (!gw_file_format_is_read(e->format)) {
		snprintf(buf, size, "%s", gw_file_format_name(e->format));
		return buf;
	}
	buf[0] = 0;
	if (e->has_xl)
		n = snprintf(buf, size, "xl file, ");
	else if (e->has_xend)
		n = snprintf(buf, size, "xend file, ");
	if (e->has_stream)
		n += snprintf(buf + n, size - (size_t)n, "libxl stream v%" PRIu32 ", ",
			      e->stream.version);
	if (e->has_legacy)
		n += snprintf(buf + n, size - (size_t)n, "legacy image, %u-bit tools, %s, ",
			      8 * e->legacy.kind.width, gw_guest_type_title(e->image.type));
	else if (e->has_image)
		n += snprintf(buf + n, size - (size_t)n, "libxc image v%" PRIu32 ", %s, ",
			      e->image.version, gw_guest_type_title(e->image.type));
	title_counts(e, buf + n, size - (size_t)n);
	return buf;
}

void gw_summary_free(struct gw_summary *summary)
{
	gw_buffer_free(&summary->config);
	gw_rounds_free(&summary->rounds);
	gw_qemu_sections_free(&summary->qemu);
	gw_qemu_sections_free(&summary->qemu_aside);
	gw_memory_map_free(&summary->memory);
	gw_page_contents_free(&summary->contents);
	gw_page_tables_free(&summary->tables);
	gw_buffer_free(&summary->shared_info);
	gw_buffer_free(&summary->hvm_context);
	gw_buffer_free(&summary->p2m_frames);
	gw_buffer_free(&summary->xenabi);
	gw_buffer_free(&summary->xenstore);
	gw_policy_free(&summary->policy);
	for (size_t i = 0; i < summary->nr_vcpus; i++)
		for (size_t k = 0; k < GW_VCPU_NR_BLOBS; k++)
			gw_buffer_free(&summary->vcpus[i].blobs[k]);
	free(summary->vcpus);
	*summary = (struct gw_summary){0};
}
