/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Items of a legacy image in a few words.
 */
#include "examine/describe_internal.h"

#include <inttypes.h>

static void vcpu_info(struct gw_text *t, const struct gw_legacy_reader *r)
{
	unsigned n = 0;

	for (uint32_t i = 0; i <= r->max_vcpu_id / 64; i++)
		n += (unsigned)__builtin_popcountll(r->vcpu_map[i]);
	gw_text_add(t, "%u vCPUs, the highest is %" PRIu32, n, r->max_vcpu_id);
}

static void chunk(struct gw_text *t, const struct gw_legacy_reader *r)
{
	int param = gw_legacy_id_param(r->id);

	if (param >= 0)
		gw_text_param(t, (uint64_t)param, r->value);
	else if (r->id == GW_LEG_VCPU_INFO)
		vcpu_info(t, r);
	else if (r->id == GW_LEG_TSC_INFO)
		gw_text_tsc(t, &r->tsc);
	else if (r->id == GW_LEG_TOOLSTACK)
		gw_text_add(t, "%" PRIu32 " bytes", r->len);
	else if (r->id == GW_LEG_TMEM || r->id == GW_LEG_TMEM_EXTRA)
		gw_text_add(t, "%" PRIu64 " pools, %" PRIu64 " pages", r->tmem_pools,
			    r->tmem_pages);
}

static void magic_pfns(struct gw_text *t, const struct gw_legacy_reader *r)
{
	static const uint64_t params[] = {5, 6, 1}; /* IOREQ, BUFIOREQ, STORE */

	for (unsigned i = 0; i < 3; i++)
		gw_text_param(t, params[i], r->magic_pfns[i]);
}

const char *gw_legacy_model_name(enum gw_legacy_device_model model)
{
	static const char *const signatures[] = {
		[GW_LEGACY_DM_QEMU] = "QemuDeviceModelRecord",
		[GW_LEGACY_DM_LIBXL] = "DeviceModelRecord0002",
		[GW_LEGACY_DM_REMUS] = "RemusDeviceModelState",
	};

	return signatures[model];
}

static void device_model(struct gw_text *t, const struct gw_legacy_reader *r)
{
	gw_text_add(t, "%s", gw_legacy_model_name(r->model));
	if (r->data_len != UINT64_MAX)
		gw_text_add(t, ", %" PRIu64 " bytes", r->data_len);
}

static void vcpu(struct gw_text *t, const struct gw_legacy_vcpu *v)
{
	gw_text_add(t, "vCPU %" PRIu32 ", %" PRIu32 " bytes", v->id, v->context_len);
	if (v->ext)
		gw_text_add(t, ", extended %" PRIu32, v->ext_len);
	if (v->xsave)
		gw_text_add(t, ", xsave %" PRIu32 " of mask 0x%" PRIx64, v->xsave_len,
			    v->xsave_mask);
	if (v->assumed)
		gw_text_add(t, ", assumed to be online");
}

char *gw_describe_item(const struct gw_legacy_reader *r, enum gw_legacy_event event, char *buf,
		       size_t size)
{
	struct gw_text t = {.buf = buf, .size = size};

	buf[0] = 0;
	switch (event) {
	case GW_LEGACY_CHUNK:
		chunk(&t, r);
		break;
	case GW_LEGACY_PAGES:
		gw_text_pages(&t, r->entries, r->nr_entries, r->nr_pages);
		break;
	case GW_LEGACY_COMPRESSED:
		gw_text_add(&t, "%" PRIu64 " bytes of compressed pages", r->data_len);
		break;
	case GW_LEGACY_MAGIC_PFNS:
		magic_pfns(&t, r);
		break;
	case GW_LEGACY_HVM_CONTEXT:
		gw_text_hvm_context(&t, r->data, r->len);
		break;
	case GW_LEGACY_DEVICE_MODEL:
		device_model(&t, r);
		break;
	case GW_LEGACY_UNMAPPED:
		gw_text_add(&t, "%" PRIu64 " pfns", r->unmapped);
		break;
	case GW_LEGACY_VCPU:
		vcpu(&t, &r->vcpu);
		break;
	default:
		break;
	}
	return buf;
}
