/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The records of version 3 that the items of a legacy image become; docs/format.md has the table.
 * The libxl toolstack record is in toolstack.c.
 */
#include "format/legacy/map.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/libxc/image.h"
#include "format/x86/pv_layout.h"

/* Params that the tail of an HVM guest gives by position, not by id. */
enum { PARAM_STORE_PFN = 1, PARAM_IOREQ_PFN = 5, PARAM_BUFIOREQ_PFN = 6 };

struct param {
	uint64_t index, value;
};

void gw_legacy_map_free(struct gw_legacy_map *map)
{
	gw_buffer_free(&map->params);
	gw_buffer_free(&map->context);
	gw_buffer_free(&map->vcpus);
	gw_buffer_free(&map->shared_info);
	gw_buffer_free(&map->toolstack);
	*map = (struct gw_legacy_map){0};
}

void gw_legacy_map_round(struct gw_legacy_map *map)
{
	gw_buffer_reset(&map->context);
	gw_buffer_reset(&map->vcpus);
	gw_buffer_reset(&map->shared_info);
}

static int append_image_header(const struct gw_legacy_header *h, struct gw_buffer *out,
			       struct gw_error *err)
{
	const struct gw_image_header header = {
		.version = 3,
		.type = h->kind.guest,
		.page_shift = GW_PAGE_SHIFT,
		.xen_minor = GW_LEGACY_CONVERTER_MINOR,
	};
	uint8_t raw[GW_IMAGE_HEADER_SIZE + GW_DOMAIN_HEADER_SIZE];

	gw_image_header_encode(&header, raw);
	return gw_buffer_append(out, raw, sizeof(raw), err);
}

static int append_pv_info(const struct gw_legacy_header *h, struct gw_buffer *out,
			  struct gw_error *err)
{
	const struct gw_pv_info info = {
		.guest_width = (uint8_t)h->guest_width,
		.pt_levels = h->guest_width == 8 ? 4 : 3,
	};
	uint8_t raw[8];

	gw_pv_info_encode(raw, &info);
	return gw_record_append(out, GW_REC_X86_PV_INFO, raw, sizeof(raw), err);
}

static int append_p2m_frames(const struct gw_legacy_reader *r, struct gw_buffer *out,
			     struct gw_error *err)
{
	const struct gw_p2m_frames frames = {
		.end_pfn = (uint32_t)(r->header.p2m_size - 1),
		.count = (uint32_t)r->header.p2m_frames,
	};
	GW_FREE_ON_EXIT uint64_t *pfns = calloc((size_t)frames.count + 1, sizeof(*pfns));

	if (!pfns)
		return gw_fail_errno(err, "the frames of the P2M");
	for (uint32_t i = 0; i < frames.count; i++)
		pfns[i] = gw_legacy_p2m_frame(r, i);
	return gw_p2m_frames_append(out, &frames, pfns, err);
}

int gw_legacy_map_header(const struct gw_legacy_reader *r, struct gw_buffer *out,
			 struct gw_error *err)
{
	bool pv = r->header.kind.guest == GW_GUEST_X86_PV;

	if (append_image_header(&r->header, out, err) < 0 ||
	    (pv && append_pv_info(&r->header, out, err) < 0) ||
	    gw_record_append(out, GW_REC_STATIC_DATA_END, NULL, 0, err) < 0)
		return -1;
	return pv ? append_p2m_frames(r, out, err) : 0;
}

/*
 * The batch entry of a page that the saver could not map. Since Xen 4.1 its pfn is 0. Earlier libxc
 * left the number that it had asked Xen for: the pfn of an HVM guest, or up to 3.4 the mfn of a PV
 * guest, which is meaningless here and may have any value.
 */
static bool only_fills(const struct gw_legacy_reader *r, uint64_t entry)
{
	uint64_t pfn = gw_page_entry_pfn(entry);

	if (gw_page_entry_type(entry) != GW_PAGE_XTAB)
		return false;
	return pfn == 0 || pfn >= r->header.p2m_size || r->header.kind.guest == GW_GUEST_X86_PV;
}

size_t gw_legacy_map_pages(const struct gw_legacy_reader *r, uint64_t *out, size_t *nr_pages)
{
	size_t n = 0;

	*nr_pages = 0;
	for (size_t i = 0; i < r->nr_entries; i++) {
		if (only_fills(r, r->entries[i]))
			continue;
		*nr_pages += gw_page_has_data(gw_page_entry_type(r->entries[i]));
		out[n++] = r->entries[i];
	}
	return n;
}

size_t gw_legacy_map_unmapped(const struct gw_legacy_reader *r, uint64_t *out)
{
	for (size_t i = 0; i < r->nr_entries; i++)
		out[i] = gw_page_entry(gw_page_entry_pfn(r->entries[i]), GW_PAGE_XTAB);
	return r->nr_entries;
}

static int set_param(struct gw_legacy_map *map, uint64_t index, uint64_t value,
		     struct gw_error *err)
{
	const struct param fresh = {.index = index, .value = value};
	struct param *params = (struct param *)map->params.data;

	for (size_t i = 0; i < map->params.len / sizeof(*params); i++) {
		if (params[i].index == index) {
			params[i].value = value;
			return 0;
		}
	}
	return gw_buffer_append(&map->params, &fresh, sizeof(fresh), err);
}

static int replace(struct gw_buffer *buf, const void *data, size_t len, struct gw_error *err)
{
	gw_buffer_reset(buf);
	return gw_buffer_append(buf, data, len, err);
}

/*
 * A guest cannot get back what it put into transcendent memory: Xen has had none since 4.14. A
 * guest can lose a pool, but not the pages in it. TMEM_EXTRA only lists pages to forget.
 */
static int check_tmem(const struct gw_legacy_reader *r, struct gw_error *err)
{
	if (!r->tmem_pages)
		return 0;
	return gw_fail(
		err, GW_UNSUPPORTED,
		"TMEM: %llu pages of the guest are in transcendent memory, which images of version 3 cannot contain",
		(unsigned long long)r->tmem_pages);
}

static int map_chunk(struct gw_legacy_map *map, const struct gw_legacy_reader *r,
		     struct gw_error *err)
{
	int param;

	switch (r->id) {
	case GW_LEG_TSC_INFO:
		map->has_tsc = true;
		map->tsc = r->tsc;
		return 0;
	case GW_LEG_TOOLSTACK:
		/* A PV guest has no device model, so its toolstack record has no reader. */
		if (r->header.kind.guest == GW_GUEST_X86_PV)
			return 0;
		return replace(&map->toolstack, r->data, r->len, err);
	case GW_LEG_TMEM:
		return check_tmem(r, err);
	default:
		param = gw_legacy_id_param(r->id);
		return param < 0 ? 0 : set_param(map, (uint64_t)param, r->value, err);
	}
}

static int map_magic_pfns(struct gw_legacy_map *map, const struct gw_legacy_reader *r,
			  struct gw_error *err)
{
	if (set_param(map, PARAM_IOREQ_PFN, r->magic_pfns[0], err) < 0 ||
	    set_param(map, PARAM_BUFIOREQ_PFN, r->magic_pfns[1], err) < 0)
		return -1;
	return set_param(map, PARAM_STORE_PFN, r->magic_pfns[2], err);
}

/* Without VCPU_INFO there is one vCPU, whose online flag may be wrong: libxc sets it
 * (xc_domain_restore.c). */
static void force_online(uint8_t *context, uint32_t len, unsigned guest_width)
{
	const struct gw_pv_layout *l = gw_pv_layout(guest_width);

	if (l && len >= l->vcpu_flags + 4)
		gw_put_le32(context + l->vcpu_flags,
			    gw_get_le32(context + l->vcpu_flags) | GW_PV_VCPU_ONLINE);
}

static int append_vcpu_record(struct gw_legacy_map *map, enum gw_record_type type, uint32_t id,
			      const uint8_t *blob, uint32_t len, struct gw_error *err)
{
	const struct gw_vcpu_blob vcpu = {.vcpu_id = id, .blob = blob, .blob_len = len};

	return blob && len ? gw_vcpu_blob_append(&map->vcpus, type, &vcpu, err) : 0;
}

static int map_vcpu(struct gw_legacy_map *map, const struct gw_legacy_reader *r,
		    struct gw_error *err)
{
	const struct gw_legacy_vcpu *v = &r->vcpu;
	/* The offset of the context: after the record's header and the vCPU's id. */
	size_t context = map->vcpus.len + GW_RECORD_HEADER_SIZE + 8;

	if (append_vcpu_record(map, GW_REC_X86_PV_VCPU_BASIC, v->id, v->context, v->context_len,
			       err) < 0)
		return -1;
	if (v->assumed)
		force_online(map->vcpus.data + context, v->context_len, r->header.guest_width);
	if (append_vcpu_record(map, GW_REC_X86_PV_VCPU_EXTENDED, v->id, v->ext, v->ext_len, err) <
	    0)
		return -1;
	return append_vcpu_record(map, GW_REC_X86_PV_VCPU_XSAVE, v->id, v->xsave, v->xsave_len,
				  err);
}

int gw_legacy_map_event(struct gw_legacy_map *map, const struct gw_legacy_reader *r,
			enum gw_legacy_event event, struct gw_error *err)
{
	switch (event) {
	case GW_LEGACY_CHUNK:
		return map_chunk(map, r, err);
	case GW_LEGACY_MAGIC_PFNS:
		return map_magic_pfns(map, r, err);
	case GW_LEGACY_HVM_CONTEXT:
		return replace(&map->context, r->data, r->len, err);
	case GW_LEGACY_VCPU:
		return map_vcpu(map, r, err);
	case GW_LEGACY_SHARED_INFO:
		return replace(&map->shared_info, r->data, r->len, err);
	default:
		return 0;
	}
}

static int append_tsc(const struct gw_legacy_map *map, struct gw_buffer *out, struct gw_error *err)
{
	uint8_t raw[24];

	if (!map->has_tsc)
		return 0;
	gw_tsc_info_encode(raw, &map->tsc);
	return gw_record_append(out, GW_REC_X86_TSC_INFO, raw, sizeof(raw), err);
}

static int append_params(const struct gw_legacy_map *map, struct gw_buffer *out,
			 struct gw_error *err)
{
	const struct param *params = (const struct param *)map->params.data;
	size_t n = map->params.len / sizeof(*params);
	uint64_t index[64], value[64];

	/* There are far fewer ids than that, and each index is here once. */
	n = GW_MIN(n, GW_ARRAY_SIZE(index));
	for (size_t i = 0; i < n; i++) {
		index[i] = params[i].index;
		value[i] = params[i].value;
	}
	return n ? gw_hvm_params_append(out, (uint32_t)n, index, value, err) : 0;
}

static int append_if_any(const struct gw_buffer *body, enum gw_record_type type,
			 struct gw_buffer *out, struct gw_error *err)
{
	return body->len ? gw_record_append(out, type, body->data, body->len, err) : 0;
}

int gw_legacy_map_tail(const struct gw_legacy_map *map, const struct gw_legacy_header *header,
		       struct gw_buffer *out, struct gw_error *err)
{
	if (append_tsc(map, out, err) < 0)
		return -1;
	if (header->kind.guest == GW_GUEST_X86_PV) {
		if (append_if_any(&map->shared_info, GW_REC_SHARED_INFO, out, err) < 0)
			return -1;
		return gw_buffer_append(out, map->vcpus.data, map->vcpus.len, err);
	}
	if (append_params(map, out, err) < 0)
		return -1;
	return append_if_any(&map->context, GW_REC_HVM_CONTEXT, out, err);
}
