/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The legacy reader's part for the tail after the body: magic pfns, context and device model of an
 * HVM guest; pfns without memory, vCPUs and shared_info of a PV guest.
 */
#include "format/legacy/internal.h"

#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/pv_layout.h"

#define MAGIC_SIZE     24u
#define SIGNATURE_SIZE 21u
#define UNMAPPED_MAX   (UINT32_C(1) << 28) /* libxc's bound */
#define UNMAPPED_PIECE 1024u
#define EXT_SIZE       128u
#define XSAVE_HEAD     16u

static void next_vcpu(struct gw_legacy_reader *r);

/* A part of the tail comes next. */
static void expect_part(struct gw_legacy_reader *r, int32_t id, enum gw_legacy_state state,
			uint64_t size)
{
	gw_legacy_expect(r, state, size);
	r->next_id = id;
}

void gw_legacy_begin_tail(struct gw_legacy_reader *r)
{
	if (r->header.kind.guest == GW_GUEST_X86_HVM) {
		expect_part(r, GW_LEG_TAIL_MAGIC_PFNS, GW_LEGS_MAGIC_PFNS, MAGIC_SIZE);
	} else {
		r->next_vcpu = 0;
		expect_part(r, GW_LEG_TAIL_UNMAPPED, GW_LEGS_UNMAPPED_COUNT, 4);
	}
}

int gw_legacy_got_magic_pfns(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			     struct gw_error *err)
{
	for (unsigned i = 0; i < 3; i++)
		r->magic_pfns[i] = gw_get_le64(r->buf.data + 8 * i);
	expect_part(r, GW_LEG_TAIL_HVM_CONTEXT, GW_LEGS_CONTEXT_LEN, 4);
	*event = GW_LEGACY_MAGIC_PFNS;
	return 0;
}

static int tell_context(struct gw_legacy_reader *r, const uint8_t *data, uint32_t len,
			enum gw_legacy_event *event)
{
	r->data = data;
	r->len = len;
	if (r->bare)
		gw_legacy_expect(r, GW_LEGS_ROUND, 0);
	else
		expect_part(r, GW_LEG_TAIL_DEVICE_MODEL, GW_LEGS_MODEL, SIGNATURE_SIZE);
	*event = GW_LEGACY_HVM_CONTEXT;
	return 0;
}

int gw_legacy_got_context_len(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			      struct gw_error *err)
{
	uint32_t len = gw_get_le32(r->buf.data);

	if (len > GW_LEGACY_CONTEXT_MAX)
		return gw_fail(err, GW_INVALID, "length is %u, expected at most %u", len,
			       GW_LEGACY_CONTEXT_MAX);
	if (len == 0)
		return tell_context(r, (const uint8_t *)"", 0, event);
	gw_legacy_expect(r, GW_LEGS_CONTEXT, len);
	return 0;
}

int gw_legacy_got_context(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			  struct gw_error *err)
{
	return tell_context(r, r->buf.data, (uint32_t)r->buf.len, event);
}

static int unknown_model(const struct gw_legacy_reader *r, struct gw_error *err)
{
	char text[SIGNATURE_SIZE + 1] = {0};

	for (unsigned i = 0; i < SIGNATURE_SIZE; i++) {
		uint8_t c = r->buf.data[i];

		text[i] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
	}
	return gw_fail(
		err, GW_INVALID,
		"\"%s\" is where the device model's record begins, expected \"DeviceModelRecord0002\", \"QemuDeviceModelRecord\" or \"RemusDeviceModelState\"",
		text);
}

static int tell_model(struct gw_legacy_reader *r, uint64_t len, enum gw_legacy_event *event)
{
	r->data_len = len;
	gw_legacy_expect(r, GW_LEGS_MODEL_DATA, 0);
	*event = GW_LEGACY_DEVICE_MODEL;
	return 0;
}

int gw_legacy_got_model(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			struct gw_error *err)
{
	static const char *const signatures[] = {
		[GW_LEGACY_DM_QEMU] = "QemuDeviceModelRecord",
		[GW_LEGACY_DM_LIBXL] = "DeviceModelRecord0002",
		[GW_LEGACY_DM_REMUS] = "RemusDeviceModelState",
	};
	unsigned model = 0;

	while (model < GW_ARRAY_SIZE(signatures) &&
	       memcmp(r->buf.data, signatures[model], SIGNATURE_SIZE) != 0)
		model++;
	if (model == GW_ARRAY_SIZE(signatures))
		return unknown_model(r, err);
	r->model = (enum gw_legacy_device_model)model;
	if (r->model == GW_LEGACY_DM_QEMU) {
		r->ends = true;
		return tell_model(r, UINT64_MAX, event);
	}
	gw_legacy_expect(r, GW_LEGS_MODEL_LEN, 4);
	return 0;
}

int gw_legacy_got_model_len(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			    struct gw_error *err)
{
	return tell_model(r, gw_get_le32(r->buf.data), event);
}

static void next_unmapped(struct gw_legacy_reader *r)
{
	uint64_t n = GW_MIN(r->skip, (uint64_t)UNMAPPED_PIECE);

	if (n)
		gw_legacy_expect(r, GW_LEGS_UNMAPPED, n * r->header.kind.width);
	else
		next_vcpu(r);
}

int gw_legacy_got_unmapped_count(struct gw_legacy_reader *r, enum gw_legacy_event *event,
				 struct gw_error *err)
{
	uint32_t count = gw_get_le32(r->buf.data);

	if (count > UNMAPPED_MAX)
		return gw_fail(err, GW_INVALID,
			       "count of pfns without memory is %u, expected at most %u", count,
			       UNMAPPED_MAX);
	r->unmapped = r->skip = count;
	next_unmapped(r);
	return 0;
}

int gw_legacy_got_unmapped(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			   struct gw_error *err)
{
	size_t n = r->buf.len / r->header.kind.width;
	uint64_t *words = gw_legacy_words(r, n, err);

	if (!words)
		return -1;
	for (size_t i = 0; i < n; i++)
		words[i] = gw_legacy_long(r, r->buf.data + i * r->header.kind.width);
	r->entries = words;
	r->nr_entries = n;
	r->skip -= n;
	next_unmapped(r);
	*event = GW_LEGACY_UNMAPPED;
	return 0;
}

static bool has_vcpu(const struct gw_legacy_reader *r, uint32_t id)
{
	return r->vcpu_map[id / 64] >> (id % 64) & 1;
}

static void next_vcpu(struct gw_legacy_reader *r)
{
	uint32_t size = gw_pv_layout(r->header.guest_width)->vcpu_size;

	while (r->next_vcpu <= r->max_vcpu_id && !has_vcpu(r, r->next_vcpu))
		r->next_vcpu++;
	if (r->next_vcpu > r->max_vcpu_id) {
		expect_part(r, GW_LEG_TAIL_SHARED_INFO, GW_LEGS_SHARED_INFO, GW_PAGE_SIZE);
		return;
	}
	if (r->header.has_ext_contexts)
		size += EXT_SIZE;
	if (r->header.xsave_bytes)
		size += XSAVE_HEAD;
	expect_part(r, GW_LEG_TAIL_VCPU, GW_LEGS_VCPU, size);
}

static int tell_vcpu(struct gw_legacy_reader *r, enum gw_legacy_event *event)
{
	uint32_t size = gw_pv_layout(r->header.guest_width)->vcpu_size;
	struct gw_legacy_vcpu *v = &r->vcpu;
	const uint8_t *p = r->buf.data;

	*v = (struct gw_legacy_vcpu){
		.id = r->next_vcpu++,
		.context = p,
		.context_len = size,
		.assumed = !r->has_vcpu_info,
	};
	p += size;
	if (r->header.has_ext_contexts) {
		v->ext = p;
		v->ext_len = EXT_SIZE;
		p += EXT_SIZE;
	}
	if (r->header.xsave_bytes) {
		v->xsave_mask = gw_get_le64(p);
		v->xsave_len = (uint32_t)gw_get_le64(p + 8);
		v->xsave = p + XSAVE_HEAD;
	}
	next_vcpu(r);
	*event = GW_LEGACY_VCPU;
	return 0;
}

int gw_legacy_got_vcpu(struct gw_legacy_reader *r, enum gw_legacy_event *event,
		       struct gw_error *err)
{
	uint64_t size;

	if (r->header.xsave_bytes == 0)
		return tell_vcpu(r, event);
	/* The saver writes this many bytes; whether "xcnt" has the same number is for the rules. */
	size = gw_get_le64(r->buf.data + r->buf.len - 8);
	if (size > GW_LEGACY_XSAVE_MAX)
		return gw_fail(err, GW_INVALID,
			       "vCPU %u has 0x%llx bytes of extended state, expected at most 0x%x",
			       r->next_vcpu, (unsigned long long)size, GW_LEGACY_XSAVE_MAX);
	if (size == 0)
		return tell_vcpu(r, event);
	gw_legacy_expect_more(r, GW_LEGS_VCPU_XSAVE, size);
	return 0;
}

int gw_legacy_got_vcpu_xsave(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			     struct gw_error *err)
{
	return tell_vcpu(r, event);
}

int gw_legacy_got_shared_info(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			      struct gw_error *err)
{
	r->data = r->buf.data;
	r->len = GW_PAGE_SIZE;
	gw_legacy_expect(r, GW_LEGS_ROUND, 0);
	*event = GW_LEGACY_SHARED_INFO;
	return 0;
}
