/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Records in a few words.
 */
#include "examine/describe_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "format/x86/hvm_context.h"

void gw_text_add(struct gw_text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->len + 1 >= t->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	t->len += (size_t)n;
	if (t->len >= t->size && t->size > 4) {
		memcpy(t->buf + t->size - 4, "...", 4);
		t->len = t->size;
	}
}

const char *gw_page_type_name(unsigned type)
{
	static const char *const names[16] = {
		[GW_PAGE_NOTAB] = "normal",
		[GW_PAGE_L1TAB] = "L1",
		[GW_PAGE_L2TAB] = "L2",
		[GW_PAGE_L3TAB] = "L3",
		[GW_PAGE_L4TAB] = "L4",
		[GW_PAGE_PINNED | GW_PAGE_L1TAB] = "pinned L1",
		[GW_PAGE_PINNED | GW_PAGE_L2TAB] = "pinned L2",
		[GW_PAGE_PINNED | GW_PAGE_L3TAB] = "pinned L3",
		[GW_PAGE_PINNED | GW_PAGE_L4TAB] = "pinned L4",
		[GW_PAGE_BROKEN] = "BROKEN",
		[GW_PAGE_XALLOC] = "XALLOC",
		[GW_PAGE_XTAB] = "XTAB",
	};

	return type < GW_ARRAY_SIZE(names) ? names[type] : NULL;
}

static const char *name_of(enum gw_layer layer, uint32_t type)
{
	switch (layer) {
	case GW_LAYER_LIBXL:
		return gw_stream_record_name(type);
	case GW_LAYER_LEGACY:
		return gw_legacy_id_name((int32_t)type);
	default:
		return gw_record_name(type);
	}
}

const char *gw_record_title(enum gw_layer layer, uint32_t type, char *buf, size_t size)
{
	const char *name = name_of(layer, type);

	if (name)
		return name;
	if (layer == GW_LAYER_LEGACY)
		snprintf(buf, size, "id %" PRId32, (int32_t)type);
	else
		snprintf(buf, size, "type 0x%08" PRIx32, type);
	return buf;
}

void gw_text_pages(struct gw_text *t, const uint64_t *entries, size_t n, size_t nr_pages)
{
	uint64_t low = UINT64_MAX, high = 0, count[16] = {0};
	const char *sep = " (";

	if (!n)
		return;
	for (size_t i = 0; i < n; i++) {
		uint64_t pfn = gw_page_entry_pfn(entries[i]);

		low = GW_MIN(low, pfn);
		high = GW_MAX(high, pfn);
		count[gw_page_entry_type(entries[i])]++;
	}
	gw_text_add(t, "pfns 0x%" PRIx64 "-0x%" PRIx64 ": %zu entries, %zu pages", low, high, n,
		    nr_pages);
	if (count[GW_PAGE_NOTAB] == n)
		return;
	for (unsigned type = 0; type < 16; type++) {
		const char *name = gw_page_type_name(type);

		if (!count[type])
			continue;
		gw_text_add(t, "%s%" PRIu64 " %s", sep, count[type], name ? name : "reserved");
		sep = ", ";
	}
	gw_text_add(t, ")");
}

void gw_text_param(struct gw_text *t, uint64_t index, uint64_t value)
{
	const char *name = gw_hvm_param_name(index);

	if (t->len)
		gw_text_add(t, " ");
	if (name)
		gw_text_add(t, "%s=0x%" PRIx64, name, value);
	else
		gw_text_add(t, "%" PRIu64 "=0x%" PRIx64, index, value);
}

static void hvm_params(struct gw_text *t, const struct gw_record *rec)
{
	uint32_t count;

	if (gw_hvm_params_decode(rec, &count, NULL) < 0)
		return;
	for (uint32_t i = 0; i < count && t->len < t->size; i++) {
		uint64_t index, value;

		gw_hvm_params_get(rec, i, &index, &value);
		gw_text_param(t, index, value);
	}
}

void gw_text_hvm_context(struct gw_text *t, const void *data, size_t len)
{
	struct gw_hvm_walk walk;
	struct gw_hvm_entry entry;
	unsigned run = 0;
	int last = -1;

	gw_hvm_walk_init(&walk, data, len);
	while (gw_hvm_walk_next(&walk, &entry, NULL) > 0 && t->len < t->size) {
		const char *name = gw_hvm_code_name(entry.typecode);

		if (entry.typecode == last) {
			run++;
			continue;
		}
		if (run > 1)
			gw_text_add(t, " x%u", run);
		if (entry.typecode == GW_HVM_END)
			return;
		if (name)
			gw_text_add(t, "%s%s", last < 0 ? "" : " ", name);
		else
			gw_text_add(t, "%scode %u", last < 0 ? "" : " ", entry.typecode);
		last = entry.typecode;
		run = 1;
	}
}

static void p2m_frames(struct gw_text *t, const struct gw_record *rec, unsigned pv_width)
{
	struct gw_p2m_frames frames;

	if (pv_width && gw_p2m_frames_decode(rec, pv_width, &frames, NULL) == 0)
		gw_text_add(t, "pfns 0x%" PRIx32 "-0x%" PRIx32 " in %" PRIu32 " frames",
			    frames.start_pfn, frames.end_pfn, frames.count);
}

static void vcpu(struct gw_text *t, const struct gw_record *rec, unsigned pv_width)
{
	struct gw_vcpu_blob blob;

	if (pv_width && gw_vcpu_blob_decode(rec, pv_width, &blob, NULL) == 0)
		gw_text_add(t, "vCPU %" PRIu32 ", %" PRIu32 " bytes", blob.vcpu_id, blob.blob_len);
}

static void pv_info(struct gw_text *t, const struct gw_record *rec)
{
	struct gw_pv_info info;

	if (gw_pv_info_decode(rec, &info, NULL) == 0)
		gw_text_add(t, "%u-bit, %u page table levels", info.guest_width * 8,
			    info.pt_levels);
}

void gw_text_tsc(struct gw_text *t, const struct gw_tsc_info *info)
{
	gw_text_add(t, "mode %" PRIu32 ", %" PRIu32 " kHz, %" PRIu64 " ns, incarnation %" PRIu32,
		    info->mode, info->khz, info->nsec, info->incarnation);
}

static void tsc(struct gw_text *t, const struct gw_record *rec)
{
	struct gw_tsc_info info;

	if (gw_tsc_info_decode(rec, &info, NULL) == 0)
		gw_text_tsc(t, &info);
}

static void image_record(struct gw_text *t, const struct gw_record *rec, unsigned pv_width)
{
	switch (rec->type) {
	case GW_REC_X86_PV_INFO:
		pv_info(t, rec);
		break;
	case GW_REC_X86_PV_P2M_FRAMES:
		p2m_frames(t, rec, pv_width);
		break;
	case GW_REC_X86_PV_VCPU_BASIC:
	case GW_REC_X86_PV_VCPU_EXTENDED:
	case GW_REC_X86_PV_VCPU_XSAVE:
	case GW_REC_X86_PV_VCPU_MSRS:
		vcpu(t, rec, pv_width);
		break;
	case GW_REC_X86_TSC_INFO:
		tsc(t, rec);
		break;
	case GW_REC_HVM_CONTEXT:
		gw_text_hvm_context(t, rec->data, rec->length);
		break;
	case GW_REC_HVM_PARAMS:
		hvm_params(t, rec);
		break;
	case GW_REC_X86_CPUID_POLICY:
		gw_text_add(t, "%" PRIu32 " leaves", rec->length / 24);
		break;
	case GW_REC_X86_MSR_POLICY:
		gw_text_add(t, "%" PRIu32 " MSRs", rec->length / 16);
		break;
	case GW_REC_CHECKPOINT_DIRTY_PFN_LIST:
		gw_text_add(t, "%" PRIu32 " pfns", rec->length / 8);
		break;
	default:
		break;
	}
}

static void emulator(struct gw_text *t, const struct gw_examine_record *record)
{
	const uint8_t *head = record->rec->data ? record->rec->data : record->body_head;
	struct gw_record ids = {.data = head, .length = GW_MIN(record->rec->length, 8u)};
	struct gw_emulator_data emu;
	const char *name;

	if (!head || gw_emulator_data_decode(&ids, &emu, NULL) < 0)
		return;
	name = gw_emulator_name(emu.emulator_id);
	gw_text_add(t, "%s, %" PRIu32 " bytes", name ? name : "unknown emulator",
		    record->rec->length - 8);
}

static void xenstore(struct gw_text *t, const struct gw_examine_record *record)
{
	struct gw_emulator_data emu;
	const char *key, *value;
	unsigned keys = 0;
	size_t pos = 0;

	emulator(t, record);
	if (!record->rec->data || gw_emulator_data_decode(record->rec, &emu, NULL) < 0)
		return;
	while (gw_xenstore_pair(&emu, &pos, &key, &value, NULL) > 0)
		keys++;
	gw_text_add(t, ", %u keys", keys);
}

static void stream_record(struct gw_text *t, const struct gw_examine_record *record)
{
	const char *name;
	uint32_t id;

	switch (record->rec->type) {
	case GW_STREAM_EMULATOR_XENSTORE_DATA:
		xenstore(t, record);
		break;
	case GW_STREAM_EMULATOR_CONTEXT:
		emulator(t, record);
		break;
	case GW_STREAM_CHECKPOINT_STATE:
		if (!record->rec->data || gw_checkpoint_state_decode(record->rec, &id, NULL) < 0)
			break;
		name = gw_checkpoint_state_name(id);
		gw_text_add(t, "%s", name ? name : "unknown state");
		break;
	default:
		break;
	}
}

char *gw_describe_record(const struct gw_examine_record *record, unsigned pv_width, char *buf,
			 size_t size)
{
	struct gw_text t = {.buf = buf, .size = size};

	buf[0] = 0;
	if (record->pages)
		gw_text_pages(&t, record->pages->entries, record->pages->nr_entries,
			      record->pages->nr_pages);
	else if (record->layer == GW_LAYER_LIBXL)
		stream_record(&t, record);
	else if (record->rec->data)
		image_record(&t, record->rec, pv_width);
	return buf;
}
