/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Patches of what HVM and PVH guests have: the context's entries, the parameters, the device model.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "fidelity/patch.h"

enum { CODE_END = 0, CODE_HEADER = 1, CODE_CPU = 2 };

static const char *const code_names[] = {
	"END",	     "HEADER",	      "CPU",	    "PIC",
	"IOAPIC",    "LAPIC",	      "LAPIC_REGS", "PCI_IRQ",
	"ISA_IRQ",   "PCI_LINK",      "PIT",	    "RTC",
	"HPET",	     "PMTIMER",	      "MTRR",	    "VIRIDIAN_DOMAIN",
	"CPU_XSAVE", "VIRIDIAN_VCPU", "VMCE_VCPU",  "TSC_ADJUST",
	"CPU_MSR",
};

static const char *code_name(unsigned code)
{
	return code < GW_ARRAY_SIZE(code_names) ? code_names[code] : "?";
}

static size_t entry_size(const uint8_t *entry)
{
	return 8 + (size_t)gw_get_le32(entry + 4);
}

static uint32_t count_entries(const struct bytes *context)
{
	uint32_t n = 0;

	for (size_t at = 0; at + 8 <= context->len; at += entry_size(context->data + at))
		n++;
	return n;
}

static uint8_t *entry_number(const struct bytes *context, uint32_t i)
{
	size_t at = 0;

	while (i-- > 0)
		at += entry_size(context->data + at);
	return context->data + at;
}

/* struct hvm_hw_cpu of Xen's public/arch-x86/hvm/save.h: where its values matter. */
static const struct place cpu_fields[] = {
	{"fcw", 0, 2},
	{"mxcsr", 24, 4},
	{"rsp", 568, 8},
	{"rip", 640, 8},
	{"rflags", 648, 8},
	{"cr0", 656, 8},
	{"cr0", 656, 8},
	{"cr2", 664, 8},
	{"cr3", 672, 8},
	{"cr3", 672, 8},
	{"cr4", 680, 8},
	{"cr4", 680, 8},
	{"dr0", 688, 8},
	{"dr6", 720, 8},
	{"dr7", 728, 8},
	{"cs_sel", 736, 4},
	{"tr_sel", 760, 4},
	{"cs_limit", 768, 4},
	{"tr_limit", 792, 4},
	{"gdtr_limit", 804, 4},
	{"cs_base", 808, 8},
	{"fs_base", 832, 8},
	{"gs_base", 840, 8},
	{"tr_base", 856, 8},
	{"gdtr_base", 880, 8},
	{"cs_arbytes", 888, 4},
	{"cs_arbytes", 888, 4},
	{"ss_arbytes", 908, 4},
	{"tr_arbytes", 912, 4},
	{"ldtr_arbytes", 916, 4},
	{"sysenter_cs", 920, 8},
	{"sysenter_esp", 928, 8},
	{"sysenter_eip", 936, 8},
	{"shadow_gs", 944, 8},
	{"msr_flags", 952, 8},
	{"lstar", 960, 8},
	{"star", 968, 8},
	{"cstar", 976, 8},
	{"syscall_mask", 984, 8},
	{"efer", 992, 8},
	{"efer", 992, 8},
	{"tsc_aux", 1000, 8},
	{"tsc", 1008, 8},
	{"pending_event", 1016, 4},
	{"error_code", 1020, 4},
	{"flags", 1024, 4},
	{"flags", 1024, 4},
	{"pad0", 1028, 4},
};

static void flip_bits(struct patch *p, const char *what, uint8_t *at, unsigned width, unsigned bits)
{
	set_number(p, what, at, width, get_number(at, width) ^ UINT64_C(1) << draw(p, bits));
}

/* The CPU entry: registers that a restore checks, and others. */
void patch_cpu(struct patch *p)
{
	struct bytes *context = body_of(p, REC_HVM_CONTEXT);
	uint8_t *cpu = entry_number(context, 1) + 8;
	const struct place *f = cpu_fields + draw(p, GW_ARRAY_SIZE(cpu_fields));
	char name[40];

	snprintf(name, sizeof(name), "CPU %s", f->name);
	switch (draw(p, 4)) {
	case 0:
		change_number(p, name, cpu + f->offset, f->width);
		break;
	case 1:
	case 2:
		flip_bits(p, name, cpu + f->offset, f->width,
			  one_in(p, 3)	      ? 8 * f->width
			  : 8 * f->width < 24 ? 16
					      : 24);
		break;
	default:
		/* A mode of the machine as a whole: what belongs together, or half of it. */
		switch (draw(p, 4)) {
		case 0:
			gw_put_le64(cpu + 656, 0x80000011);
			gw_put_le64(cpu + 680, one_in(p, 2) ? 0x20 : 0);
			gw_put_le64(cpu + 992, one_in(p, 2) ? 0x500 : 0x100);
			say(p, "CPU cr0 0x80000011, cr4 0x%" PRIx64 ", efer 0x%" PRIx64,
			    gw_get_le64(cpu + 680), gw_get_le64(cpu + 992));
			break;
		case 1:
			gw_put_le64(cpu + 656, 0x80000011 | draw64(p) << 61);
			say(p, "CPU cr0 0x%" PRIx64, gw_get_le64(cpu + 656));
			break;
		case 2:
			set_number(p, "CPU efer", cpu + 992, 8, draw64(p) & 0xff01);
			break;
		default:
			set_number(p, "CPU cr4", cpu + 680, 8, draw(p, 1u << 24));
		}
	}
}

/* Bytes of any entry but the CPU's. */
static void change_entry(struct patch *p, uint8_t *entry)
{
	static const unsigned widths[] = {1, 1, 2, 4, 4, 8};
	uint32_t length = gw_get_le32(entry + 4);
	unsigned width = widths[draw(p, GW_ARRAY_SIZE(widths))];
	char name[60];
	uint32_t at;

	while (width > length)
		width /= 2;
	at = draw(p, length / width) * width;
	snprintf(name, sizeof(name), "%s %u byte %u, %u wide", code_name(gw_get_le16(entry)),
		 gw_get_le16(entry + 2), at, width);
	change_number(p, name, entry + 8 + at, width);
}

static void change_length(struct patch *p, struct bytes *context, uint8_t *entry)
{
	uint32_t length = gw_get_le32(entry + 4), n = one_in(p, 2) ? 8 : 1 + draw(p, 16);
	size_t at = (size_t)(entry - context->data);
	const char *name = code_name(gw_get_le16(entry));

	if (one_in(p, 2)) {
		gw_put_le32(entry + 4, length + n);
		bytes_splice(context, at + 8 + length, 0, NULL, n);
		say(p, "%s: %u bytes of zero more, %u in all", name, n, length + n);
	} else if (one_in(p, 3)) {
		change_number(p, "length of an entry", entry + 4, 4);
	} else {
		n = n > length ? length : n;
		gw_put_le32(entry + 4, length - n);
		bytes_splice(context, at + 8 + length - n, n, NULL, 0);
		say(p, "%s: %u bytes less, %u in all", name, n, length - n);
	}
}

static void add_entry(struct patch *p, struct bytes *context, uint8_t *before)
{
	static const struct {
		uint16_t code, length;
	} kinds[] = {{15, 16},	  {17, 24},  {17, 16}, {16, 592}, {16, 576}, {20, 0},	{20, 16},
		     {20, 8},	  {3, 8},    {19, 8},  {18, 32},  {21, 8},   {0x7f, 8}, {0x80, 8},
		     {0xffff, 0}, {14, 240}, {5, 24},  {10, 56},  {1, 24},   {13, 8}};
	uint32_t i = draw(p, GW_ARRAY_SIZE(kinds));
	uint16_t instance = (uint16_t)(one_in(p, 3) ? draw(p, 10) : 0);
	uint8_t raw[608] = {0};

	gw_put_le16(raw, kinds[i].code);
	gw_put_le16(raw + 2, instance);
	gw_put_le32(raw + 4, kinds[i].length);
	bytes_splice(context, (size_t)(before - context->data), 0, raw, 8u + kinds[i].length);
	say(p, "an entry %s (0x%x) %u of %u bytes of zero", code_name(kinds[i].code), kinds[i].code,
	    instance, kinds[i].length);
}

static void copy_entry(struct patch *p, struct bytes *context, const uint8_t *entry)
{
	uint8_t copy[2048];
	size_t size = entry_size(entry), at = (size_t)(entry - context->data);
	uint16_t instance = gw_get_le16(entry + 2);

	memcpy(copy, entry, size);
	if (one_in(p, 2))
		gw_put_le16(copy + 2, instance = (uint16_t)(instance + 1 + draw(p, 2)));
	bytes_splice(context, at + size, 0, copy, size);
	say(p, "%s comes twice, with instance %u", code_name(gw_get_le16(copy)), instance);
}

void patch_context(struct patch *p)
{
	struct bytes *context = body_of(p, REC_HVM_CONTEXT);
	uint32_t n = count_entries(context), i = draw(p, n);
	uint8_t *entry = entry_number(context, i);
	unsigned code = gw_get_le16(entry);

	switch (draw(p, 13)) {
	case 0:
		change_length(p, context, entry);
		break;
	case 1:
		gw_put_le16(entry + 2, (uint16_t)(one_in(p, 2) ? 1 : draw(p, 300)));

		say(p, "%s: instance %u", code_name(code), gw_get_le16(entry + 2));
		break;
	case 2:
		gw_put_le16(entry, (uint16_t)(one_in(p, 2) ? draw(p, 24) : draw(p, 65536)));
		say(p, "%s: typecode %u", code_name(code), gw_get_le16(entry));
		break;
	case 3:
		say(p, "%s %u is left out", code_name(code), gw_get_le16(entry + 2));
		bytes_splice(context, (size_t)(entry - context->data), entry_size(entry), NULL, 0);
		break;
	case 4:
		copy_entry(p, context, entry);
		break;
	case 5:
		add_entry(p, context, entry);
		break;
	case 6:
		if (one_in(p, 2)) {
			bytes_resize(context, context->len - 1 - draw(p, 100));
			say(p, "context: cut to %zu bytes", context->len);
		} else {
			bytes_resize(context, context->len + 1 + draw(p, 40));
			say(p, "context: zeros after it, %zu bytes in all", context->len);
		}
		break;
	case 7:
		entry = entry_number(context, 0);
		change_entry(p, entry);
		break;
	default:
		/* Any but END and CPU. */
		i = draw(p, n - 2);
		change_entry(p, entry_number(context, i < 1 ? 0 : i + 1));
	}
}

static uint64_t draw_param_value(struct patch *p, uint64_t index, uint64_t old)
{
	static const uint64_t pfns[] = {0xfeff0, 0xfeff8, 0xfeffb, 0xfeffc, 0xfefff, 0xfc000,
					0x10,	 0x101,	  0xff000, 0x12345, 0};

	if (index == 32 || index == 1 || index == 5 || index == 6 || index == 17 ||
	    (index >= 27 && index <= 29))
		return one_in(p, 3) ? draw_value(p, old, 8) : pfns[draw(p, GW_ARRAY_SIZE(pfns))];
	return one_in(p, 2) ? draw(p, 10) : draw_value(p, old, 8);
}

void patch_params(struct patch *p)
{
	struct bytes *params = body_of(p, REC_HVM_PARAMS);
	uint32_t count = gw_get_le32(params->data);
	uint8_t *param = params->data + 8 + 16 * (size_t)draw(p, count), added[16];
	uint64_t index = gw_get_le64(param), value = gw_get_le64(param + 8);
	char name[40];

	switch (draw(p, 10)) {
	case 0:
		set_number(p, "count of params", params->data, 4,
			   one_in(p, 2) ? count - 1 : count + draw(p, 3));
		break;
	case 1:
		change_number(p, "reserved of params", params->data + 4, 4);
		break;
	case 2:
		bytes_splice(params, (size_t)(param - params->data), 16, NULL, 0);
		gw_put_le32(params->data, count - 1);
		say(p, "param %" PRIu64 " is left out", index);
		break;
	case 3:
	case 4:
	case 5:
		snprintf(name, sizeof(name), "param %" PRIu64, index);
		set_number(p, name, param + 8, 8, draw_param_value(p, index, value));
		break;
	case 6:
		snprintf(name, sizeof(name), "index of param %" PRIu64 " with 0x%" PRIx64, index,
			 value);
		set_number(p, name, param, 8, one_in(p, 4) ? draw64(p) : draw(p, 44));
		break;
	default:
		index = draw(p, one_in(p, 6) ? 60 : 39);
		value = draw_param_value(p, index, 0);
		gw_put_le64(added, index);
		gw_put_le64(added + 8, value);
		if (one_in(p, 2))
			bytes_append(params, added, 16);
		else
			bytes_splice(params, (size_t)(param - params->data), 0, added, 16);
		gw_put_le32(params->data, count + 1);
		say(p, "param %" PRIu64 " = 0x%" PRIx64 " is added", index, value);
	}
}

/* The device model's records of the libxl stream. */
void patch_emulator(struct patch *p)
{
	struct parts *outer = &p->img->outer;
	size_t context = parts_find(outer, 3), store = parts_find(outer, 2);
	struct bytes *body = &outer->list[context].body;

	switch (draw(p, 9)) {
	case 0:
		set_number(p, "emulator id", body->data, 4, draw(p, 4));
		break;
	case 1:
		set_number(p, "emulator index", body->data + 4, 4, draw(p, 3));
		break;
	case 2:
		parts_remove(outer, context);
		say(p, "EMULATOR_CONTEXT is left out");
		break;
	case 3:
		bytes_resize(body, 8 + draw(p, one_in(p, 2) ? 64 : (uint32_t)body->len - 8));
		say(p, "EMULATOR_CONTEXT: %zu bytes", body->len);
		break;
	case 4:
		change_number(p, "magic of QEMU's state", body->data + 8, 4);
		break;
	case 5:
		change_number(p, "version of QEMU's state", body->data + 12, 4);
		break;
	case 6:
		parts_insert(outer, context, 3, body->data, body->len);
		say(p, "EMULATOR_CONTEXT comes twice");
		break;
	default:
		if (store == outer->nr) {
			static const char pairs[] = "\2\0\0\0\0\0\0\0hvmloader/x\0y\0k";
			size_t len = sizeof(pairs) - draw(p, 5);

			parts_insert(outer, context, 2, pairs, len);
			outer->list[context].body.data[0] =
				(uint8_t)(one_in(p, 3) ? draw(p, 4) : 2);
			say(p, "EMULATOR_XENSTORE_DATA of %zu bytes, id %u", len,
			    outer->list[context].body.data[0]);
		} else {
			body = &outer->list[store].body;
			if (one_in(p, 2))
				bytes_resize(body, draw(p, (uint32_t)body->len));
			else
				set_number(p, "xenstore data's id", body->data, 4, draw(p, 4));
			say(p, "EMULATOR_XENSTORE_DATA: %zu bytes, first %u", body->len,
			    body->len ? body->data[0] : 0);
		}
	}
}
