/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * vCPUs of PV guests: the frame numbers in their contexts, and the records of a save.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/util.h"
#include "guest/x86_pv.h"
#include "hypervisor/domain.h"

const char *gw_pv_ref_name(enum gw_pv_ref ref)
{
	static const char *const names[] = {"start_info", "GDT frame", "cr3", "user cr3"};

	return names[ref];
}

static int translate_word(const struct gw_pv_layout *l, uint8_t *at, enum gw_pv_ref ref,
			  gw_pv_translate_fn *fn, void *opaque, struct gw_error *err)
{
	uint64_t frame = gw_pv_get_word(l, at);

	if (fn(opaque, ref, &frame, err) < 0)
		return -1;
	gw_pv_put_word(l, at, frame);
	return 0;
}

static int translate_gdt(const struct gw_pv_layout *l, uint8_t *context, gw_pv_translate_fn *fn,
			 void *opaque, struct gw_error *err)
{
	uint64_t ents = gw_pv_get_word(l, context + l->vcpu_gdt_ents);

	if (ents > GW_PV_GDT_ENTS_MAX)
		return gw_fail(err, GW_INVALID, "GDT of %" PRIu64 " entries, at most %u expected",
			       ents, GW_PV_GDT_ENTS_MAX);
	for (unsigned i = 0; i < (ents + 511) / 512; i++)
		if (translate_word(l, gw_pv_word_at(l, context + l->vcpu_gdt, i), GW_PV_REF_GDT, fn,
				   opaque, err) < 0)
			return -1;
	return 0;
}

static int translate_cr3(const struct gw_pv_layout *l, uint8_t *context, gw_pv_translate_fn *fn,
			 void *opaque, struct gw_error *err)
{
	uint8_t *cr3 = gw_pv_word_at(l, context + l->vcpu_cr, 3);
	uint64_t frame = gw_pv_cr3_to_frame(l, gw_pv_get_word(l, cr3));

	if (fn(opaque, GW_PV_REF_CR3, &frame, err) < 0)
		return -1;
	gw_pv_put_word(l, cr3, gw_pv_frame_to_cr3(l, frame));
	return 0;
}

/*
 * ctrlreg[1] of a 64-bit guest: the page tables of its user mode. Zero means none in a context of
 * Xen's; in a stream, where frame 0 may be meant, bit 0 says that there is one.
 */
static int translate_user_cr3(const struct gw_pv_layout *l, uint8_t *context, bool to_pfns,
			      gw_pv_translate_fn *fn, void *opaque, struct gw_error *err)
{
	uint8_t *cr1 = context + l->vcpu_cr + 8;

	if (l->width == 4)
		return 0;
	uint64_t value = gw_get_le64(cr1);
	uint64_t frame = value >> 12;

	if (to_pfns ? value == 0 : !(value & 1))
		return 0;
	if (fn(opaque, GW_PV_REF_USER_CR3, &frame, err) < 0)
		return -1;
	gw_put_le64(cr1, frame << 12 | to_pfns);
	return 0;
}

int gw_pv_translate_context(const struct gw_pv_layout *l, uint32_t vcpu, uint8_t *context,
			    bool to_pfns, gw_pv_translate_fn *fn, void *opaque,
			    struct gw_error *err)
{
	/* vCPU 0 sleeps in the suspend hypercall, whose third argument is start_info's frame. */
	if (vcpu == 0 &&
	    translate_word(l, context + l->vcpu_edx, GW_PV_REF_START_INFO, fn, opaque, err) < 0)
		return -1;
	if (translate_gdt(l, context, fn, opaque, err) < 0 ||
	    translate_cr3(l, context, fn, opaque, err) < 0)
		return -1;
	return translate_user_cr3(l, context, to_pfns, fn, opaque, err);
}

static int mfn_to_pfn(void *opaque, enum gw_pv_ref ref, uint64_t *frame, struct gw_error *err)
{
	uint64_t pfn = gw_pv_mfn_to_pfn(opaque, *frame);

	if (pfn == GW_INVALID_PFN)
		return gw_fail(err, GW_GUEST, "%s: mfn 0x%" PRIx64 " is not the guest's memory",
			       gw_pv_ref_name(ref), *frame);
	*frame = pfn;
	return 0;
}

static int save_record(const struct gw_pv_p2m *p2m, uint32_t vcpu, uint32_t type,
		       struct gw_buffer *records, struct gw_error *err)
{
	struct gw_domain *d = p2m->domain;
	GW_FREE_ON_EXIT void *blob = NULL;
	size_t len = 0;

	if (gw_domain_get_vcpu(d, vcpu, type, &blob, &len, err) < 0)
		return -1;
	if (type == GW_REC_X86_PV_VCPU_BASIC) {
		if (len != p2m->layout->vcpu_size)
			return gw_fail(err, GW_UNSUPPORTED,
				       "its context has %zu bytes, expected %u", len,
				       p2m->layout->vcpu_size);
		if (gw_pv_translate_context(p2m->layout, vcpu, blob, true, mfn_to_pfn,
					    (void *)(uintptr_t)p2m, err) < 0)
			return -1;
	}
	if (len == 0)
		return 0;
	if (len > GW_RECORD_MAX - 8)
		return gw_fail(err, GW_UNSUPPORTED, "%zu bytes of state do not fit a record", len);
	return gw_vcpu_blob_append(
		records, type,
		&(struct gw_vcpu_blob){.vcpu_id = vcpu, .blob = blob, .blob_len = (uint32_t)len},
		err);
}

int gw_pv_save_vcpus(const struct gw_pv_p2m *p2m, struct gw_buffer *records, struct gw_error *err)
{
	static const uint32_t types[GW_PV_VCPU_KINDS] = {
		GW_REC_X86_PV_VCPU_BASIC,
		GW_REC_X86_PV_VCPU_EXTENDED,
		GW_REC_X86_PV_VCPU_XSAVE,
		GW_REC_X86_PV_VCPU_MSRS,
	};
	struct gw_domain *d = p2m->domain;
	struct gw_domain_info info;

	if (gw_domain_info(d, &info, err) < 0)
		return -1;
	for (uint32_t vcpu = 0; vcpu <= info.max_vcpu_id; vcpu++) {
		bool online;

		if (gw_domain_vcpu_online(d, vcpu, &online, err) < 0)
			return -1;
		if (!online && vcpu == 0)
			return gw_fail(err, GW_GUEST,
				       "vCPU 0 is offline: the domain could not be resumed");
		for (unsigned i = 0; online && i < GW_PV_VCPU_KINDS; i++)
			if (save_record(p2m, vcpu, types[i], records, err) < 0)
				return gw_fail_in(err, "vCPU %u", vcpu);
	}
	return 0;
}
