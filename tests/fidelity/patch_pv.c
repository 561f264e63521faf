/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Patches of what PV guests have: vCPU records, the P2M's frames, shared_info and start_info.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "fidelity/patch.h"

#define BASIC_HEAD 8u /* number of the vCPU, reserved */

/* vcpu_guest_context of a 64-bit guest: Xen's public/arch-x86/xen.h. */
static const struct place basic_fields[] = {
	{"fcw", 0, 2},
	{"mxcsr", 24, 4},
	{"flags", 512, 8},
	{"flags", 512, 8},
	{"flags", 512, 8},
	{"rax", 600, 8},
	{"rdx", 616, 8},
	{"rdx", 616, 8},
	{"rsi", 624, 8},
	{"rip", 648, 8},
	{"rip", 648, 8},
	{"cs", 656, 2},
	{"cs", 656, 2},
	{"upcall_mask", 660, 1},
	{"rflags", 664, 8},
	{"rflags", 664, 8},
	{"rsp", 672, 8},
	{"ss", 680, 2},
	{"ds", 696, 2},
	{"fs", 704, 2},
	{"gs", 712, 2},
	{"ldt_base", 4816, 8},
	{"ldt_ents", 4824, 8},
	{"gdt_frames[0]", 4832, 8},
	{"gdt_frames[1]", 4840, 8},
	{"gdt_ents", 4960, 8},
	{"gdt_ents", 4960, 8},
	{"kernel_ss", 4968, 8},
	{"kernel_sp", 4976, 8},
	{"cr0", 4984, 8},
	{"cr1", 4992, 8},
	{"cr2", 5000, 8},
	{"cr3", 5008, 8},
	{"cr4", 5016, 8},
	{"cr5", 5024, 8},
	{"dr0", 5048, 8},
	{"dr4", 5080, 8},
	{"dr6", 5096, 8},
	{"dr7", 5104, 8},
	{"event_callback", 5112, 8},
	{"failsafe_callback", 5120, 8},
	{"syscall_callback", 5128, 8},
	{"vm_assist", 5136, 8},
	{"vm_assist", 5136, 8},
	{"fs_base", 5144, 8},
	{"gs_base_kernel", 5152, 8},
	{"gs_base_user", 5160, 8},
};

static uint64_t draw_frame(struct patch *p)
{
	static const uint64_t pfns[] = {0x198, 0x199, 0x19a, 0x19b, 0x19c,   0x19d, 0x100,
					0x195, 0x3ff, 0x400, 0,	    0xfffff, 0x180};

	return pfns[draw(p, GW_ARRAY_SIZE(pfns))];
}

static void change_basic(struct patch *p, uint8_t *context)
{
	const struct place *f = basic_fields + draw(p, GW_ARRAY_SIZE(basic_fields));
	uint8_t *at = context + f->offset;
	uint64_t cr = draw_frame(p) << 12;
	char name[40];

	if (one_in(p, 4))
		cr |= draw(p, 4096);
	snprintf(name, sizeof(name), "vCPU %s", f->name);
	if (!strncmp(f->name, "cr3", 3) || !strncmp(f->name, "cr1", 3))
		set_number(p, name, at, 8, cr);
	else if (!strcmp(f->name, "rdx") && !one_in(p, 3))
		set_number(p, name, at, 8, draw_frame(p));
	else if (one_in(p, 3))
		set_number(p, name, at, f->width,
			   get_number(at, f->width) ^
				   UINT64_C(1) << draw(p, f->width < 4 ? 8 * f->width : 20));
	else
		change_number(p, name, at, f->width);
}

/* struct trap_info: vector u8, flags u8, cs u16, pad, address u64. */
static void change_trap(struct patch *p, uint8_t *context)
{
	uint32_t vector = draw(p, one_in(p, 2) ? 32 : 256);
	uint8_t *trap = context + 720 + 16 * (size_t)vector;

	trap[0] = (uint8_t)vector;
	trap[1] = (uint8_t)draw(p, 8);
	gw_put_le16(trap + 2, (uint16_t)(one_in(p, 2) ? 0xe033 : draw_value(p, 0xe030, 2)));
	gw_put_le64(trap + 8, one_in(p, 2) ? 0x100000 : draw_value(p, 0x100000, 8));
	say(p, "vCPU trap %u: flags %u, cs 0x%x, address 0x%" PRIx64, vector, trap[1],
	    gw_get_le16(trap + 2), gw_get_le64(trap + 8));
}

static void add_gdt(struct patch *p, uint8_t *context)
{
	uint64_t frame = draw_frame(p), entries = one_in(p, 2) ? 512 : draw(p, 9000);

	gw_put_le64(context + 4832, frame);
	gw_put_le64(context + 4960, entries);
	say(p, "vCPU GDT: %" PRIu64 " entries, first frame 0x%" PRIx64, entries, frame);
}

static void add_ldt(struct patch *p, uint8_t *context)
{
	static const uint64_t bases[] = {0x100000,	     0x100800,		 0,
					 0xffff800000000000, 0xffff880000000000, 0x800000000000,
					 0xffff820000000000};
	uint64_t base = bases[draw(p, GW_ARRAY_SIZE(bases))],
		 entries = one_in(p, 2) ? 1 + draw(p, 512) : draw(p, 9000);

	gw_put_le64(context + 4816, base);
	gw_put_le64(context + 4824, entries);
	say(p, "vCPU LDT: %" PRIu64 " entries at 0x%" PRIx64, entries, base);
}

static void add_vcpu_record(struct patch *p)
{
	static const uint32_t msrs[] = {0x48, 0x140, 0xc0000103, 0xc0011027, 0xc0011019, 0x10, 0};
	struct parts *in = &p->img->inner;
	size_t at = parts_find(in, REC_VCPU_EXTENDED) + 1;
	uint8_t body[8 + 32] = {0};

	if (one_in(p, 2)) {
		gw_put_le32(body + 8, msrs[draw(p, GW_ARRAY_SIZE(msrs))]);
		gw_put_le64(body + 16, one_in(p, 2) ? 0 : draw_value(p, 0, 8));
		if (one_in(p, 6))
			gw_put_le32(body + 12, 1);
		parts_insert(in, at, REC_VCPU_MSRS, body, 24);
		say(p, "VCPU_MSRS: 0x%x = 0x%" PRIx64 ", reserved %u", gw_get_le32(body + 8),
		    gw_get_le64(body + 16), gw_get_le32(body + 12));
	} else {
		size_t len = one_in(p, 2) ? 24 : 8 + draw(p, 33);

		gw_put_le64(body + 8, draw(p, 3));
		gw_put_le64(body + 16, draw(p, 3));
		parts_insert(in, at, REC_VCPU_XSAVE, body, len);
		say(p, "VCPU_XSAVE of %zu bytes: xcr0 %" PRIu64 ", accum %" PRIu64, len - 8,
		    gw_get_le64(body + 8), gw_get_le64(body + 16));
	}
}

void patch_vcpu(struct patch *p)
{
	struct bytes *body = body_of(p, REC_VCPU_BASIC);
	uint8_t *context = body->data + BASIC_HEAD;

	switch (draw(p, 16)) {
	case 0:
	case 1:
		change_trap(p, context);
		break;
	case 2:
		add_gdt(p, context);
		break;
	case 3:
		add_ldt(p, context);
		break;
	case 4:
		set_number(p, "VCPU_BASIC's vCPU", body->data, 4, draw(p, 3));
		break;
	case 5:
		if (one_in(p, 2)) {
			change_number(p, "VCPU_BASIC's reserved", body->data + 4, 4);
		} else {
			bytes_resize(body, body->len + draw(p, 17) - 8);
			say(p, "VCPU_BASIC: %zu bytes", body->len);
		}
		break;
	case 6:
	case 7:
		add_vcpu_record(p);
		break;
	default:
		change_basic(p, context);
	}
}

/* struct xen_domctl_ext_vcpucontext. */
static const struct place extended_fields[] = {
	{"vcpu", 0, 4},
	{"size", 4, 4},
	{"size", 4, 4},
	{"syscall32_eip", 8, 8},
	{"sysenter_eip", 16, 8},
	{"syscall32_cs", 24, 2},
	{"sysenter_cs", 26, 2},
	{"syscall32_disables", 28, 1},
	{"sysenter_disables", 29, 1},
	{"mcg_cap", 32, 8},
	{"mcg_cap", 32, 8},
	{"mci_ctl2_bank0", 40, 8},
	{"mci_ctl2_bank1", 48, 8},
	{"mcg_ext_ctl", 56, 8},
};

void patch_extended(struct patch *p)
{
	struct bytes *body = body_of(p, REC_VCPU_EXTENDED);
	const struct place *f = extended_fields + draw(p, GW_ARRAY_SIZE(extended_fields));
	char name[40];

	snprintf(name, sizeof(name), "extended %s", f->name);
	switch (draw(p, 8)) {
	case 0:
		set_number(p, "VCPU_EXTENDED's vCPU", body->data, 4, draw(p, 3));
		break;
	case 1:
		bytes_resize(body, 8 + draw(p, 140));
		say(p, "VCPU_EXTENDED: blob of %zu bytes", body->len - 8);
		break;
	case 2:
		set_number(p, "extended size", body->data + 12, 4, draw(p, 140));
		break;
	case 3:
		set_number(p, "extended mcg_cap", body->data + 40, 8, UINT64_C(1) << draw(p, 32));
		break;
	default:
		change_number(p, name, body->data + 8 + f->offset, f->width);
	}
}

void patch_p2m(struct patch *p)
{
	struct bytes *body = body_of(p, REC_P2M_FRAMES);
	static const struct place fields[] = {{"P2M start", 0, 4},
					      {"P2M end", 4, 4},
					      {"P2M end", 4, 4},
					      {"P2M frame 0", 8, 8},
					      {"P2M frame 1", 16, 8}};
	const struct place *f = fields + draw(p, GW_ARRAY_SIZE(fields));

	if (f->width == 4 && one_in(p, 2))
		set_number(p, f->name, body->data + f->offset, 4,
			   one_in(p, 2) ? draw(p, 1024) : 0x3f0 + draw(p, 0x40));
	else if (f->width == 8 && one_in(p, 2))
		set_number(p, f->name, body->data + f->offset, 8, draw_frame(p));
	else if (f->width == 4 && one_in(p, 2))
		set_number(p, f->name, body->data + f->offset, 4, draw(p, 0x20000));
	else if (one_in(p, 2)) {
		bytes_resize(body, body->len + 8);
		gw_put_le64(body->data + body->len - 8, draw_frame(p));
		gw_put_le32(body->data + 4, 0x5ff);
		say(p, "P2M up to 0x5ff, frame 2 is 0x%" PRIx64,
		    gw_get_le64(body->data + body->len - 8));
	} else if (one_in(p, 2)) {
		bytes_resize(body, 8 + draw(p, 24));
		say(p, "P2M_FRAMES: %zu bytes", body->len);
	} else {
		change_number(p, f->name, body->data + f->offset, f->width);
	}
}

/* All pages are in the first batch. */
uint8_t *page_of(struct patch *p, uint32_t pfn)
{
	struct bytes *pages = body_of(p, REC_PAGE_DATA);

	return pages->data + 8 + 8 * (size_t)gw_get_le32(pages->data) + (size_t)PAGE_SIZE * pfn;
}

void patch_shared(struct patch *p)
{
	/* start_info of public/xen.h: the base has it at the pfn in rdx, 0x195. */
	static const struct place start[] = {
		{"start_info nr_pages", 32, 8},	      {"start_info shared_info", 40, 8},
		{"start_info flags", 48, 4},	      {"start_info store_mfn", 56, 8},
		{"start_info store_mfn", 56, 8},      {"start_info store_evtchn", 64, 4},
		{"start_info console mfn", 72, 8},    {"start_info console mfn", 72, 8},
		{"start_info console evtchn", 80, 4}, {"start_info magic", 0, 1},
	};
	struct bytes *shared = body_of(p, REC_SHARED_INFO), *info;
	const struct place *f;
	uint32_t at;
	char name[40];

	switch (draw(p, 4)) {
	case 0:
	case 1:
		f = start + draw(p, GW_ARRAY_SIZE(start));
		if (f->width == 8 && one_in(p, 2))
			set_number(p, f->name, page_of(p, 0x195) + f->offset, 8, draw_frame(p));
		else
			change_number(p, f->name, page_of(p, 0x195) + f->offset, f->width);
		break;
	case 2:
		at = 8 * draw(p, (uint32_t)shared->len / 8);
		/* The arch part has the P2M, the time before it. */
		if (one_in(p, 2))
			at = 3072 + 8 * draw(p, 8);
		snprintf(name, sizeof(name), "shared_info byte %u", at);
		change_number(p, name, shared->data + at, 8);
		break;
	default:
		info = body_of(p, REC_PV_INFO);
		if (one_in(p, 3)) {
			bytes_resize(shared,
				     one_in(p, 2) ? 4096 - draw(p, 64) : 4096 + draw(p, 64));
			say(p, "SHARED_INFO: %zu bytes", shared->len);
		} else {
			at = draw(p, 8);
			snprintf(name, sizeof(name), "PV_INFO byte %u", at);
			set_number(p, name, info->data + at, 1, draw(p, 12));
		}
	}
}
