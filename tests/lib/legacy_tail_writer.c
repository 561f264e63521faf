/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Writes the tails of random legacy images.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "lib/hvm_context.h"
#include "lib/legacy_maker.h"
#include "lib/qemu_state.h"

/* Adds the event of a part that began at offset; its data are the last len bytes. */
static struct legacy_made_event *tell(struct legacy_maker *k, enum gw_legacy_event event,
				      int32_t id, size_t offset, uint32_t len)
{
	struct legacy_made_event *e = legacy_expect(k, event, id, offset);

	e->at = k->out.bytes.len - len;
	e->len = len;
	return e;
}

/* HEADER, CPU, another entry, END, in the order that Xen uses. */
static void put_context(struct legacy_maker *k)
{
	struct gw_buffer context = hvm_context(1);
	size_t at = k->out.bytes.len;
	uint8_t pmtimer[8];

	legacy_fill(k, pmtimer, sizeof(pmtimer));
	context.len -= GW_HVM_DESCRIPTOR_SIZE;
	hvm_put(&context, GW_HVM_PMTIMER, 0, pmtimer, sizeof(pmtimer));
	hvm_put(&context, GW_HVM_END, 0, NULL, 0);
	legacy_put_context(&k->out, context.data, (uint32_t)context.len);
	tell(k, GW_LEGACY_HVM_CONTEXT, GW_LEG_TAIL_HVM_CONTEXT, at, (uint32_t)context.len);
	k->now.context = at + 4;
	k->now.context_len = (uint32_t)context.len;
	gw_buffer_free(&context);
}

static void put_model(struct legacy_maker *k, bool last_round)
{
	static const char *const signatures[] = {"QemuDeviceModelRecord", "DeviceModelRecord0002",
						 "RemusDeviceModelState"};
	bool xend = last_round && legacy_decide(k, k->wish.xend, 4);
	unsigned kind = xend ? GW_LEGACY_DM_QEMU : 1 + legacy_below(k, 2);
	uint32_t len = QEMU_STATE_SIZE + legacy_below(k, 3000);
	size_t at = k->out.bytes.len, behind;
	uint8_t *state = calloc(1, len);
	struct legacy_made_event *e;

	assert_non_null(state);
	legacy_fill(k, state, len);
	qemu_state_frame(state, len - QEMU_STATE_SIZE);
	legacy_put_model(&k->out, signatures[kind], state, len);
	free(state);
	e = tell(k, GW_LEGACY_DEVICE_MODEL, GW_LEG_TAIL_DEVICE_MODEL, at, len);
	behind = e->end;
	e->end -= len;
	e->value = xend ? UINT64_MAX : len;
	k->now.model = behind - len;
	k->now.model_len = len;
	k->now.model_kind = (enum gw_legacy_device_model)kind;
	if (xend)
		k->made->ends = true;
}

static void put_hvm(struct legacy_maker *k, bool last_round)
{
	const uint64_t magic[] = {k->at.ioreq, k->at.bufioreq, k->at.hvm_store};
	size_t at = k->out.bytes.len;

	for (unsigned i = 0; i < 3; i++)
		legacy_put64(&k->out, k->now.magic_pfns[i] = magic[i]);
	tell(k, GW_LEGACY_MAGIC_PFNS, GW_LEG_TAIL_MAGIC_PFNS, at, 24);
	put_context(k);
	if (!k->made->bare)
		put_model(k, last_round);
}

static void put_unmapped(struct legacy_maker *k)
{
	size_t at = k->out.bytes.len, in_piece = 0;
	struct legacy_made_event *e = NULL;
	uint32_t n = 0;

	for (uint64_t pfn = 0; pfn < k->made->p2m_size; pfn++)
		n += k->now.unmapped[pfn];
	legacy_put32(&k->out, n);
	for (uint64_t pfn = 0; pfn < k->made->p2m_size; pfn++) {
		if (!k->now.unmapped[pfn])
			continue;
		legacy_put_long(&k->out, pfn);
		if (in_piece++ == 0) {
			e = legacy_expect(k, GW_LEGACY_UNMAPPED, GW_LEG_TAIL_UNMAPPED, at);
			e->value = n;
			e->entries = k->made->nr_entries;
		}
		legacy_note_entry(k, pfn);
		e->nr_entries++;
		e->end = k->out.bytes.len;
		in_piece %= 1024;
	}
}

static void put_xsave(struct legacy_maker *k, struct legacy_made_vcpu *v)
{
	uint32_t len = k->info.xsave_bytes - 16;
	uint8_t area[1024] = {0};

	/* xcr0, xcr0_accum, then the area, whose header says that it is empty. */
	gw_put_le64(area, len == 592 ? 3 : 7);
	gw_put_le64(area + 8, len == 592 ? 3 : 7);
	legacy_fill(k, area + 16, 512);
	v->xsave_mask = 7;
	v->xsave_len = len;
	legacy_put64(&k->out, v->xsave_mask);
	legacy_put64(&k->out, len);
	v->xsave = k->out.bytes.len;
	legacy_put(&k->out, area, len);
}

static void put_vcpu(struct legacy_maker *k, uint32_t id)
{
	struct legacy_made_vcpu *v = &k->now.vcpus[k->now.nr_vcpus++];
	uint32_t len = k->made->guest_width == 8 ? 0x1430 : 0xaf0;
	size_t at = k->out.bytes.len;
	uint8_t context[0x1430], ext[128];

	*v = (struct legacy_made_vcpu){.id = id, .context = at, .context_len = len};
	legacy_make_context(k, id, context, len);
	legacy_put(&k->out, context, len);
	if (k->made->ext_contexts) {
		legacy_fill(k, ext, sizeof(ext));
		/* Callbacks at canonical addresses, no MCA capabilities. */
		gw_put_le64(ext + 8, gw_get_le64(ext + 8) >> 17);
		gw_put_le64(ext + 16, gw_get_le64(ext + 16) >> 17);
		gw_put_le64(ext + 32, 2);
		gw_put_le32(ext, id);
		gw_put_le32(ext + 4, sizeof(ext));
		v->ext = k->out.bytes.len;
		legacy_put(&k->out, ext, sizeof(ext));
	}
	if (k->made->xsave_bytes)
		put_xsave(k, v);
	legacy_expect(k, GW_LEGACY_VCPU, GW_LEG_TAIL_VCPU, at)->value = id;
}

static void put_pv(struct legacy_maker *k)
{
	uint8_t shared[4096];
	size_t at;

	put_unmapped(k);
	k->now.nr_vcpus = 0;
	for (uint32_t id = 0; id <= k->max_vcpu_id; id++)
		if (k->vcpu_map[id / 64] >> (id % 64) & 1)
			put_vcpu(k, id);
	legacy_fill(k, shared, sizeof(shared));
	k->now.shared_info = at = k->out.bytes.len;
	legacy_put(&k->out, shared, sizeof(shared));
	tell(k, GW_LEGACY_SHARED_INFO, GW_LEG_TAIL_SHARED_INFO, at, sizeof(shared));
}

void legacy_put_tail(struct legacy_maker *k, bool last_round)
{
	if (k->made->kind.guest == GW_GUEST_X86_HVM)
		put_hvm(k, last_round);
	else
		put_pv(k);
	legacy_expect(k, GW_LEGACY_CHECKPOINT, 0, 0);
}
