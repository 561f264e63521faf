/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Xen's HVM save records: the walk, the builder, HEADER and CPU.
 */
#include "format/x86/hvm_context.h"

#include <stddef.h>

#include "base/bytes.h"
#include "base/util.h"

const char *gw_hvm_code_name(uint16_t typecode)
{
	static const char *const names[] = {
		[GW_HVM_END] = "END",
		[GW_HVM_HEADER] = "HEADER",
		[GW_HVM_CPU] = "CPU",
		[GW_HVM_PIC] = "PIC",
		[GW_HVM_IOAPIC] = "IOAPIC",
		[GW_HVM_LAPIC] = "LAPIC",
		[GW_HVM_LAPIC_REGS] = "LAPIC_REGS",
		[GW_HVM_PCI_IRQ] = "PCI_IRQ",
		[GW_HVM_ISA_IRQ] = "ISA_IRQ",
		[GW_HVM_PCI_LINK] = "PCI_LINK",
		[GW_HVM_PIT] = "PIT",
		[GW_HVM_RTC] = "RTC",
		[GW_HVM_HPET] = "HPET",
		[GW_HVM_PMTIMER] = "PMTIMER",
		[GW_HVM_MTRR] = "MTRR",
		[GW_HVM_VIRIDIAN_DOMAIN] = "VIRIDIAN_DOMAIN",
		[GW_HVM_CPU_XSAVE] = "CPU_XSAVE",
		[GW_HVM_VIRIDIAN_VCPU] = "VIRIDIAN_VCPU",
		[GW_HVM_VMCE_VCPU] = "VMCE_VCPU",
		[GW_HVM_TSC_ADJUST] = "TSC_ADJUST",
		[GW_HVM_CPU_MSR] = "CPU_MSR",
	};

	return typecode < GW_ARRAY_SIZE(names) ? names[typecode] : NULL;
}

void gw_hvm_walk_init(struct gw_hvm_walk *walk, const void *blob, size_t len)
{
	*walk = (struct gw_hvm_walk){.blob = blob, .len = len};
}

int gw_hvm_walk_next(struct gw_hvm_walk *walk, struct gw_hvm_entry *entry, struct gw_error *err)
{
	const uint8_t *raw = walk->blob + walk->pos;
	size_t left = walk->len - walk->pos;

	if (walk->ended)
		return 0;
	if (left < GW_HVM_DESCRIPTOR_SIZE)
		return gw_fail(err, GW_INVALID, "HVM context: %zu bytes left at 0x%zx, without END",
			       left, walk->pos);
	*entry = (struct gw_hvm_entry){
		.typecode = gw_get_le16(raw),
		.instance = gw_get_le16(raw + 2),
		.length = gw_get_le32(raw + 4),
		.data = raw + GW_HVM_DESCRIPTOR_SIZE,
		.offset = walk->pos,
	};
	left -= GW_HVM_DESCRIPTOR_SIZE;
	if (walk->pos == 0 && entry->typecode != GW_HVM_HEADER)
		return gw_fail(err, GW_INVALID,
			       "HVM context: the first entry has typecode %u, expected HEADER (1)",
			       entry->typecode);
	if (entry->typecode == GW_HVM_END) {
		walk->pos += GW_HVM_DESCRIPTOR_SIZE;
		walk->ended = 1;
		entry->length = 0;
		return 1;
	}
	if (entry->length > left)
		return gw_fail(
			err, GW_INVALID,
			"HVM context: entry at 0x%zx (typecode %u) has %u bytes, %zu are left",
			entry->offset, entry->typecode, entry->length, left);
	walk->pos += GW_HVM_DESCRIPTOR_SIZE + (size_t)entry->length;
	return 1;
}

int gw_hvm_find(const void *blob, size_t len, uint16_t typecode, uint16_t instance,
		struct gw_hvm_entry *entry, struct gw_error *err)
{
	struct gw_hvm_walk walk;
	int rc;

	gw_hvm_walk_init(&walk, blob, len);
	while ((rc = gw_hvm_walk_next(&walk, entry, err)) > 0)
		if (entry->typecode == typecode && entry->instance == instance)
			break;
	return rc;
}

int gw_hvm_entry_append(struct gw_buffer *buf, uint16_t typecode, uint16_t instance,
			const void *data, uint32_t length, struct gw_error *err)
{
	uint8_t *raw = gw_buffer_reserve(buf, GW_HVM_DESCRIPTOR_SIZE + (size_t)length, err);

	if (!raw)
		return -1;
	gw_put_le16(raw, typecode);
	gw_put_le16(raw + 2, instance);
	gw_put_le32(raw + 4, length);
	buf->len += GW_HVM_DESCRIPTOR_SIZE;
	return gw_buffer_append(buf, data, length, err);
}

int gw_hvm_header_decode(const struct gw_hvm_entry *entry, struct gw_hvm_header *header,
			 struct gw_error *err)
{
	const uint8_t *raw = entry->data;

	if (entry->length != GW_HVM_HEADER_SIZE)
		return gw_fail(err, GW_INVALID, "HVM context: HEADER has %u bytes, expected %u",
			       entry->length, GW_HVM_HEADER_SIZE);
	*header = (struct gw_hvm_header){
		.magic = gw_get_le32(raw),
		.version = gw_get_le32(raw + 4),
		.changeset = gw_get_le64(raw + 8),
		.cpuid = gw_get_le32(raw + 16),
		.gtsc_khz = gw_get_le32(raw + 20),
	};
	if (header->magic != GW_HVM_HEADER_MAGIC || header->version != GW_HVM_HEADER_VERSION)
		return gw_fail(
			err, GW_INVALID,
			"HVM context: HEADER has magic 0x%08x version %u, expected 0x%08x version %u",
			header->magic, header->version, GW_HVM_HEADER_MAGIC, GW_HVM_HEADER_VERSION);
	return 0;
}

void gw_hvm_header_encode(uint8_t raw[GW_HVM_HEADER_SIZE], const struct gw_hvm_header *header)
{
	gw_put_le32(raw, header->magic);
	gw_put_le32(raw + 4, header->version);
	gw_put_le64(raw + 8, header->changeset);
	gw_put_le32(raw + 16, header->cpuid);
	gw_put_le32(raw + 20, header->gtsc_khz);
}

/*
 * Offsets of the fields of struct hvm_hw_cpu (public/arch-x86/hvm/save.h). Selectors, limits, bases
 * and attributes are arrays in the order of enum gw_hvm_segment_index; limits and bases are
 * followed by those of idtr and gdtr.
 */
#define CPU_FPU	      0
#define CPU_GPR	      512
#define CPU_SELECTORS 736
#define CPU_LIMITS    768
#define CPU_BASES     808
#define CPU_ARS	      888

struct field {
	uint16_t offset; /* in the record */
	uint16_t in;	 /* in struct gw_hvm_cpu */
	uint16_t size;	 /* 4 or 8 */
};

#define FIELD(offset, name)                                                                        \
	{                                                                                          \
		offset, offsetof(struct gw_hvm_cpu, name), sizeof(((struct gw_hvm_cpu *)0)->name)  \
	}

static const struct field cpu_fields[] = {
	FIELD(640, rip),
	FIELD(648, rflags),
	FIELD(656, cr0),
	FIELD(664, cr2),
	FIELD(672, cr3),
	FIELD(680, cr4),
	FIELD(688, dr0),
	FIELD(696, dr1),
	FIELD(704, dr2),
	FIELD(712, dr3),
	FIELD(720, dr6),
	FIELD(728, dr7),
	FIELD(800, idtr.limit),
	FIELD(804, gdtr.limit),
	FIELD(872, idtr.base),
	FIELD(880, gdtr.base),
	FIELD(920, sysenter_cs),
	FIELD(928, sysenter_esp),
	FIELD(936, sysenter_eip),
	FIELD(944, shadow_gs),
	FIELD(952, msr_flags),
	FIELD(960, lstar),
	FIELD(968, star),
	FIELD(976, cstar),
	FIELD(984, syscall_mask),
	FIELD(992, efer),
	FIELD(1000, tsc_aux),
	FIELD(1008, tsc),
	FIELD(1016, pending_event),
	FIELD(1020, error_code),
	FIELD(1024, flags),
	FIELD(1028, pad),
};

#define TSC_AUX_AT 1000

/*
 * Converts an older record to the current size, as Xen does (hvm_load_entry_zeroextend(),
 * _hvm_hw_fix_cpu()): a shorter one is extended with zeros.
 */
static int cpu_to_current(const struct gw_hvm_entry *entry, uint8_t raw[GW_HVM_CPU_SIZE],
			  struct gw_error *err)
{
	memset(raw, 0, GW_HVM_CPU_SIZE);
	if (entry->length > GW_HVM_CPU_SIZE)
		return gw_fail(err, GW_INVALID,
			       "HVM context: CPU %u has %u bytes, expected at most %u",
			       entry->instance, entry->length, GW_HVM_CPU_SIZE);
	memcpy(raw, entry->data, entry->length);
	if (entry->length == GW_HVM_CPU_SIZE)
		return 0;
	if (entry->length == GW_HVM_CPU_SIZE_3_3) {
		memcpy(raw + TSC_AUX_AT + 8, entry->data + TSC_AUX_AT,
		       GW_HVM_CPU_SIZE_3_3 - TSC_AUX_AT);
		memset(raw + TSC_AUX_AT, 0, 8);
	}
	gw_put_le32(raw + GW_HVM_CPU_SIZE_4_6, GW_HVM_CPU_FPU_VALID);
	return 0;
}

int gw_hvm_cpu_decode(const struct gw_hvm_entry *entry, struct gw_hvm_cpu *cpu,
		      struct gw_error *err)
{
	uint8_t raw[GW_HVM_CPU_SIZE];

	if (cpu_to_current(entry, raw, err) < 0)
		return -1;
	*cpu = (struct gw_hvm_cpu){0};
	memcpy(cpu->fpu, raw + CPU_FPU, sizeof(cpu->fpu));
	for (size_t i = 0; i < GW_HVM_NR_GPRS; i++)
		cpu->gpr[i] = gw_get_le64(raw + CPU_GPR + 8 * i);
	for (size_t i = 0; i < GW_HVM_NR_SEGMENTS; i++)
		cpu->seg[i] = (struct gw_hvm_segment){
			.base = gw_get_le64(raw + CPU_BASES + 8 * i),
			.selector = gw_get_le32(raw + CPU_SELECTORS + 4 * i),
			.limit = gw_get_le32(raw + CPU_LIMITS + 4 * i),
			.ar = gw_get_le32(raw + CPU_ARS + 4 * i),
		};
	for (size_t i = 0; i < GW_ARRAY_SIZE(cpu_fields); i++) {
		const struct field *f = &cpu_fields[i];
		uint64_t v64 = f->size == 8 ? gw_get_le64(raw + f->offset) : 0;
		uint32_t v32 = gw_get_le32(raw + f->offset);

		memcpy((char *)cpu + f->in, f->size == 8 ? (void *)&v64 : (void *)&v32, f->size);
	}
	return 0;
}

void gw_hvm_cpu_encode(uint8_t raw[GW_HVM_CPU_SIZE], const struct gw_hvm_cpu *cpu)
{
	memset(raw, 0, GW_HVM_CPU_SIZE);
	memcpy(raw + CPU_FPU, cpu->fpu, sizeof(cpu->fpu));
	for (size_t i = 0; i < GW_HVM_NR_GPRS; i++)
		gw_put_le64(raw + CPU_GPR + 8 * i, cpu->gpr[i]);
	for (size_t i = 0; i < GW_HVM_NR_SEGMENTS; i++) {
		gw_put_le64(raw + CPU_BASES + 8 * i, cpu->seg[i].base);
		gw_put_le32(raw + CPU_SELECTORS + 4 * i, cpu->seg[i].selector);
		gw_put_le32(raw + CPU_LIMITS + 4 * i, cpu->seg[i].limit);
		gw_put_le32(raw + CPU_ARS + 4 * i, cpu->seg[i].ar);
	}
	for (size_t i = 0; i < GW_ARRAY_SIZE(cpu_fields); i++) {
		const struct field *f = &cpu_fields[i];
		const char *value = (const char *)cpu + f->in;
		uint64_t v64;
		uint32_t v32;

		if (f->size == 8) {
			memcpy(&v64, value, sizeof(v64));
			gw_put_le64(raw + f->offset, v64);
		} else {
			memcpy(&v32, value, sizeof(v32));
			gw_put_le32(raw + f->offset, v32);
		}
	}
}
