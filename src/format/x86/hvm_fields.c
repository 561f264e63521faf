/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tables of the fields of HVM save records.
 */
#include "format/x86/hvm_fields.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/policy.h"

#define HEX(name, offset, width)                                                                   \
	{                                                                                          \
		name, GW_FIELD_HEX, offset, width, 0, 0, 0, 0, false, NULL                         \
	}
#define DEC(name, offset, width)                                                                   \
	{                                                                                          \
		name, GW_FIELD_DEC, offset, width, 0, 0, 0, 0, false, NULL                         \
	}
#define INT(name, offset, width)                                                                   \
	{                                                                                          \
		name, GW_FIELD_SIGNED, offset, width, 0, 0, 0, 0, false, NULL                      \
	}
#define RAW(name, offset, length)                                                                  \
	{                                                                                          \
		name, GW_FIELD_BYTES, offset, length, 0, 0, 0, 0, false, NULL                      \
	}
#define FLAGS(name, offset, width, names)                                                          \
	{                                                                                          \
		name, GW_FIELD_HEX, offset, width, 0, 0, 0, 0, false, names                        \
	}
#define PART(name, offset, width, shift, bits)                                                     \
	{                                                                                          \
		name, GW_FIELD_DEC, offset, width, 0, 0, shift, bits, false, NULL                  \
	}
#define HEXES(name, offset, width, count, stride)                                                  \
	{                                                                                          \
		name, GW_FIELD_HEX, offset, width, count, stride, 0, 0, false, NULL                \
	}
#define DECS(name, offset, width, count, stride)                                                   \
	{                                                                                          \
		name, GW_FIELD_DEC, offset, width, count, stride, 0, 0, false, NULL                \
	}
#define RAWS(name, offset, length, count, stride)                                                  \
	{                                                                                          \
		name, GW_FIELD_BYTES, offset, length, count, stride, 0, 0, false, NULL             \
	}
#define FLAGSES(name, offset, width, count, stride, names)                                         \
	{                                                                                          \
		name, GW_FIELD_HEX, offset, width, count, stride, 0, 0, false, names               \
	}
#define ROWS_END                                                                                   \
	{                                                                                          \
		NULL, GW_FIELD_HEX, 0, 0, 0, 0, 0, 0, false, NULL                                  \
	}
#define BITS_END                                                                                   \
	{                                                                                          \
		NULL, 0                                                                            \
	}

const struct gw_field_bit gw_bits_cr0[] = {{"PE", 0},  {"MP", 1},  {"EM", 2},  {"TS", 3},
					   {"ET", 4},  {"NE", 5},  {"WP", 16}, {"AM", 18},
					   {"NW", 29}, {"CD", 30}, {"PG", 31}, BITS_END};
const struct gw_field_bit gw_bits_cr4[] = {
	{"VME", 0},    {"PVI", 1},	   {"TSD", 2},	 {"DE", 3},    {"PSE", 4},
	{"PAE", 5},    {"MCE", 6},	   {"PGE", 7},	 {"PCE", 8},   {"OSFXSR", 9},
	{"UMIP", 11},  {"LA57", 12},	   {"VMXE", 13}, {"SMXE", 14}, {"FSGSBASE", 16},
	{"PCIDE", 17}, {"OSXSAVE", 18},	   {"SMEP", 20}, {"SMAP", 21}, {"PKE", 22},
	{"CET", 23},   {"OSXMMEXCPT", 10}, {"PKS", 24},	 BITS_END};
const struct gw_field_bit gw_bits_rflags[] = {
	{"CF", 0},  {"PF", 2},	 {"AF", 4},   {"ZF", 6},  {"SF", 7},  {"TF", 8},
	{"IF", 9},  {"DF", 10},	 {"OF", 11},  {"NT", 14}, {"RF", 16}, {"VM", 17},
	{"AC", 18}, {"VIF", 19}, {"VIP", 20}, {"ID", 21}, BITS_END};
const struct gw_field_bit gw_bits_xcr0[] = {
	{"x87", 0},	 {"SSE", 1},	   {"AVX", 2},	    {"BNDREGS", 3}, {"BNDCSR", 4},
	{"opmask", 5},	 {"ZMM_hi256", 6}, {"hi16_ZMM", 7}, {"PKRU", 9},    {"LWP", 62},
	{"TILECFG", 17}, {"TILEDATA", 18}, BITS_END};
static const struct gw_field_bit bits_efer[] = {{"SCE", 0},    {"LME", 8},   {"LMA", 10},
						{"NXE", 11},   {"SVME", 12}, {"LMSLE", 13},
						{"FFXSR", 14}, BITS_END};
static const struct gw_field_bit bits_cpu[] = {{"fpu_initialised", 0}, BITS_END};
static const struct gw_field_bit bits_event[] = {{"error_valid", 11}, {"valid", 31}, BITS_END};
static const struct gw_field_bit bits_pic[] = {{"readsel_isr", 0},
					       {"poll", 1},
					       {"auto_eoi", 2},
					       {"rotate_on_auto_eoi", 3},
					       {"special_fully_nested_mode", 4},
					       {"special_mask_mode", 5},
					       {"is_master", 6},
					       BITS_END};
static const struct gw_field_bit bits_redir[] = {
	{"logical", 11}, {"pending", 12}, {"active_low", 13}, {"remote_irr", 14}, {"level", 15},
	{"masked", 16},	 BITS_END};
static const struct gw_field_bit bits_apic_base[] = {
	{"bsp", 8}, {"x2apic", 10}, {"enabled", 11}, BITS_END};
static const struct gw_field_bit bits_apic_disabled[] = {
	{"software", 0}, {"hardware", 1}, BITS_END};
static const struct gw_field_bit bits_lvt[] = {{"pending", 12},	     {"level", 15},
					       {"masked", 16},	     {"periodic", 17},
					       {"tsc_deadline", 18}, BITS_END};
static const struct gw_field_bit bits_spiv[] = {{"enabled", 8}, BITS_END};
static const struct gw_field_bit bits_mtrr_type[] = {{"fixed", 10}, {"enabled", 11}, BITS_END};
static const struct gw_field_bit bits_mtrr_mask[] = {{"valid", 11}, BITS_END};
static const struct gw_field_bit bits_hpet[] = {{"enabled", 0}, {"legacy", 1}, BITS_END};

static const struct gw_field_row rows_header[] = {HEX("magic", 0, 4),	  DEC("version", 4, 4),
						  HEX("changeset", 8, 8), HEX("cpuid", 16, 4),
						  DEC("gtsc_khz", 20, 4), ROWS_END};

/* FXSAVE64 (Intel SDM vol. 1, 10.5.1). */
static const struct gw_field_row rows_fxsave[] = {
	HEX("fcw", 0, 2),
	HEX("fsw", 2, 2),
	HEX("ftw", 4, 1),
	HEX("fop", 6, 2),
	HEX("fip", 8, 8),
	HEX("fdp", 16, 8),
	HEX("mxcsr", 24, 4),
	HEX("mxcsr_mask", 28, 4),
	RAWS("st#", 32, 10, 8, 16),
	RAWS("xmm#", 160, 16, 16, 16),
	ROWS_END,
};

static const struct gw_field_row rows_cpu[] = {
	HEX("rax", 512, 8),
	HEX("rbx", 520, 8),
	HEX("rcx", 528, 8),
	HEX("rdx", 536, 8),
	HEX("rbp", 544, 8),
	HEX("rsi", 552, 8),
	HEX("rdi", 560, 8),
	HEX("rsp", 568, 8),
	HEX("r8", 576, 8),
	HEX("r9", 584, 8),
	HEX("r10", 592, 8),
	HEX("r11", 600, 8),
	HEX("r12", 608, 8),
	HEX("r13", 616, 8),
	HEX("r14", 624, 8),
	HEX("r15", 632, 8),
	HEX("rip", 640, 8),
	FLAGS("rflags", 648, 8, gw_bits_rflags),
	FLAGS("cr0", 656, 8, gw_bits_cr0),
	HEX("cr2", 664, 8),
	HEX("cr3", 672, 8),
	FLAGS("cr4", 680, 8, gw_bits_cr4),
	HEX("dr0", 688, 8),
	HEX("dr1", 696, 8),
	HEX("dr2", 704, 8),
	HEX("dr3", 712, 8),
	HEX("dr6", 720, 8),
	HEX("dr7", 728, 8),
	HEX("cs_sel", 736, 4),
	HEX("ds_sel", 740, 4),
	HEX("es_sel", 744, 4),
	HEX("fs_sel", 748, 4),
	HEX("gs_sel", 752, 4),
	HEX("ss_sel", 756, 4),
	HEX("tr_sel", 760, 4),
	HEX("ldtr_sel", 764, 4),
	HEX("cs_limit", 768, 4),
	HEX("ds_limit", 772, 4),
	HEX("es_limit", 776, 4),
	HEX("fs_limit", 780, 4),
	HEX("gs_limit", 784, 4),
	HEX("ss_limit", 788, 4),
	HEX("tr_limit", 792, 4),
	HEX("ldtr_limit", 796, 4),
	HEX("idtr_limit", 800, 4),
	HEX("gdtr_limit", 804, 4),
	HEX("cs_base", 808, 8),
	HEX("ds_base", 816, 8),
	HEX("es_base", 824, 8),
	HEX("fs_base", 832, 8),
	HEX("gs_base", 840, 8),
	HEX("ss_base", 848, 8),
	HEX("tr_base", 856, 8),
	HEX("ldtr_base", 864, 8),
	HEX("idtr_base", 872, 8),
	HEX("gdtr_base", 880, 8),
	HEX("cs_arbytes", 888, 4),
	HEX("ds_arbytes", 892, 4),
	HEX("es_arbytes", 896, 4),
	HEX("fs_arbytes", 900, 4),
	HEX("gs_arbytes", 904, 4),
	HEX("ss_arbytes", 908, 4),
	HEX("tr_arbytes", 912, 4),
	HEX("ldtr_arbytes", 916, 4),
	HEX("sysenter_cs", 920, 8),
	HEX("sysenter_esp", 928, 8),
	HEX("sysenter_eip", 936, 8),
	HEX("shadow_gs", 944, 8),
	HEX("msr_flags", 952, 8),
	HEX("msr_lstar", 960, 8),
	HEX("msr_star", 968, 8),
	HEX("msr_cstar", 976, 8),
	HEX("msr_syscall_mask", 984, 8),
	FLAGS("msr_efer", 992, 8, bits_efer),
	ROWS_END,
};

/* The fields after msr_efer: in an entry of Xen 3.4 and later, and in an older one without
 * tsc_aux. */
static const struct gw_field_row rows_cpu_tail[] = {
	HEX("msr_tsc_aux", 1000, 8),
	DEC("tsc", 1008, 8),
	FLAGS("pending_event", 1016, 4, bits_event),
	HEX("error_code", 1020, 4),
	FLAGS("flags", 1024, 4, bits_cpu),
	ROWS_END,
};
static const struct gw_field_row rows_cpu_tail_3_3[] = {
	DEC("tsc", 1000, 8),
	FLAGS("pending_event", 1008, 4, bits_event),
	HEX("error_code", 1012, 4),
	ROWS_END,
};

static const struct gw_field_row rows_pic[] = {
	HEX("irr", 0, 1),
	HEX("imr", 1, 1),
	HEX("isr", 2, 1),
	HEX("irq_base", 3, 1),
	PART("init_state", 4, 1, 0, 4),
	PART("priority_add", 4, 1, 4, 4),
	FLAGS("modes", 5, 1, bits_pic),
	HEX("elcr", 6, 1),
	DEC("int_output", 7, 1),
	ROWS_END,
};

static const struct gw_field_row rows_ioapic[] = {
	HEX("base_address", 0, 8),
	HEX("ioregsel", 8, 4),
	HEX("id", 12, 4),
	FLAGSES("redirtbl[#]", 16, 8, 48, 8, bits_redir),
	ROWS_END,
};

static const struct gw_field_row rows_lapic[] = {
	FLAGS("apic_base_msr", 0, 8, bits_apic_base),
	FLAGS("disabled", 8, 4, bits_apic_disabled),
	DEC("timer_divisor", 12, 4),
	HEX("tdt_msr", 16, 8),
	HEX("pending_esr", 24, 4),
	ROWS_END,
};

static const struct gw_field_row rows_lapic_regs[] = {
	HEX("ID", 0x20, 4),
	HEX("VERSION", 0x30, 4),
	HEX("TPR", 0x80, 4),
	HEX("APR", 0x90, 4),
	HEX("PPR", 0xa0, 4),
	HEX("EOI", 0xb0, 4),
	HEX("RRD", 0xc0, 4),
	HEX("LDR", 0xd0, 4),
	HEX("DFR", 0xe0, 4),
	FLAGS("SPIV", 0xf0, 4, bits_spiv),
	HEXES("ISR#", 0x100, 4, 8, 16),
	HEXES("TMR#", 0x180, 4, 8, 16),
	HEXES("IRR#", 0x200, 4, 8, 16),
	HEX("ESR", 0x280, 4),
	FLAGS("LVT_CMCI", 0x2f0, 4, bits_lvt),
	HEX("ICR", 0x300, 4),
	HEX("ICR2", 0x310, 4),
	FLAGS("LVT_TIMER", 0x320, 4, bits_lvt),
	FLAGS("LVT_THERMAL", 0x330, 4, bits_lvt),
	FLAGS("LVT_PERF", 0x340, 4, bits_lvt),
	FLAGS("LVT_LINT0", 0x350, 4, bits_lvt),
	FLAGS("LVT_LINT1", 0x360, 4, bits_lvt),
	FLAGS("LVT_ERROR", 0x370, 4, bits_lvt),
	DEC("TIMER_INITIAL", 0x380, 4),
	DEC("TIMER_CURRENT", 0x390, 4),
	HEX("TIMER_DIVIDE", 0x3e0, 4),
	ROWS_END,
};

static const struct gw_field_row rows_pci_irq[] = {HEXES("wires[#]", 0, 8, 2, 8), ROWS_END};
static const struct gw_field_row rows_isa_irq[] = {HEX("wires", 0, 8), ROWS_END};
static const struct gw_field_row rows_pci_link[] = {DECS("route[#]", 0, 1, 4, 1), ROWS_END};

static const struct gw_field_row rows_pit[] = {
	DECS("channels[#].count", 0, 4, 3, 16),
	DECS("channels[#].latched_count", 4, 2, 3, 16),
	DECS("channels[#].count_latched", 6, 1, 3, 16),
	DECS("channels[#].status_latched", 7, 1, 3, 16),
	HEXES("channels[#].status", 8, 1, 3, 16),
	DECS("channels[#].read_state", 9, 1, 3, 16),
	DECS("channels[#].write_state", 10, 1, 3, 16),
	HEXES("channels[#].write_latch", 11, 1, 3, 16),
	DECS("channels[#].rw_mode", 12, 1, 3, 16),
	DECS("channels[#].mode", 13, 1, 3, 16),
	DECS("channels[#].bcd", 14, 1, 3, 16),
	DECS("channels[#].gate", 15, 1, 3, 16),
	DEC("speaker_data_on", 48, 4),
	ROWS_END,
};

static const struct gw_field_row rows_rtc[] = {RAW("cmos_data", 0, 14), HEX("cmos_index", 14, 1),
					       INT("rtc_offset", 16, 8), ROWS_END};

static const struct gw_field_row rows_hpet[] = {
	HEX("capability", 0, 8),
	FLAGS("config", 16, 8, bits_hpet),
	HEX("isr", 32, 8),
	HEX("mc64", 240, 8),
	HEXES("timers[#].config", 256, 8, 3, 32),
	HEXES("timers[#].cmp", 264, 8, 3, 32),
	HEXES("timers[#].fsb", 272, 8, 3, 32),
	HEXES("period[#]", 1024, 8, 3, 8),
	ROWS_END,
};

static const struct gw_field_row rows_pmtimer[] = {HEX("tmr_val", 0, 4), HEX("pm1a_sts", 4, 2),
						   HEX("pm1a_en", 6, 2), ROWS_END};

static const struct gw_field_row rows_mtrr[] = {
	HEX("msr_pat_cr", 0, 8),
	HEXES("physbase#", 8, 8, 8, 16),
	FLAGSES("physmask#", 16, 8, 8, 16, bits_mtrr_mask),
	HEX("fix64k_00000", 136, 8),
	HEX("fix16k_80000", 144, 8),
	HEX("fix16k_a0000", 152, 8),
	HEX("fix4k_c0000", 160, 8),
	HEX("fix4k_c8000", 168, 8),
	HEX("fix4k_d0000", 176, 8),
	HEX("fix4k_d8000", 184, 8),
	HEX("fix4k_e0000", 192, 8),
	HEX("fix4k_e8000", 200, 8),
	HEX("fix4k_f0000", 208, 8),
	HEX("fix4k_f8000", 216, 8),
	HEX("msr_mtrr_cap", 224, 8),
	FLAGS("msr_mtrr_def_type", 232, 8, bits_mtrr_type),
	ROWS_END,
};

static const struct gw_field_row rows_viridian_domain[] = {
	HEX("hypercall_gpa", 0, 8), HEX("guest_os_id", 8, 8), DEC("time_ref_count", 16, 8),
	HEX("reference_tsc", 24, 8), ROWS_END};

static const struct gw_field_row rows_viridian_vcpu[] = {
	HEX("vp_assist_msr", 0, 8),
	DEC("apic_assist_pending", 8, 1),
	HEX("simp_msr", 16, 8),
	HEXES("sint_msr[#]", 24, 8, 16, 8),
	HEXES("stimer_config_msr[#]", 152, 8, 4, 8),
	HEXES("stimer_count_msr[#]", 184, 8, 4, 8),
	ROWS_END,
};

static const struct gw_field_row rows_vmce[] = {HEX("caps", 0, 8), HEX("mci_ctl2_bank0", 8, 8),
						HEX("mci_ctl2_bank1", 16, 8),
						HEX("mcg_ext_ctl", 24, 8), ROWS_END};
static const struct gw_field_row rows_tsc_adjust[] = {INT("tsc_adjust", 0, 8), ROWS_END};
static const struct gw_field_row rows_xfeature_mask[] = {HEX("xfeature_mask", 0, 8), ROWS_END};
static const struct gw_field_row rows_msr_count[] = {DEC("count", 0, 4), ROWS_END};

static const struct gw_field_row rows_xcr0[] = {FLAGS("xcr0", 0, 8, gw_bits_xcr0),
						FLAGS("xcr0_accum", 8, 8, gw_bits_xcr0), ROWS_END};
static const struct gw_field_row rows_xsave_header[] = {FLAGS("xstate_bv", 512, 8, gw_bits_xcr0),
							HEX("xcomp_bv", 520, 8), ROWS_END};
static const struct gw_field_row rows_ymm[] = {RAWS("ymm_high#", 576, 16, 16, 16), ROWS_END};

#define XSAVE_EXTENDED 576 /* in an XSAVE area: after the legacy part and header */
#define XSAVE_YMM_END  832
#define XCR0_AVX       UINT64_C(4)

/* Entries with a single table; the others are put together below. */
static const struct gw_field_row *const tables[] = {
	[GW_HVM_HEADER] = rows_header,
	[GW_HVM_PIC] = rows_pic,
	[GW_HVM_IOAPIC] = rows_ioapic,
	[GW_HVM_LAPIC] = rows_lapic,
	[GW_HVM_LAPIC_REGS] = rows_lapic_regs,
	[GW_HVM_PCI_IRQ] = rows_pci_irq,
	[GW_HVM_ISA_IRQ] = rows_isa_irq,
	[GW_HVM_PCI_LINK] = rows_pci_link,
	[GW_HVM_PIT] = rows_pit,
	[GW_HVM_RTC] = rows_rtc,
	[GW_HVM_HPET] = rows_hpet,
	[GW_HVM_PMTIMER] = rows_pmtimer,
	[GW_HVM_MTRR] = rows_mtrr,
	[GW_HVM_VIRIDIAN_DOMAIN] = rows_viridian_domain,
	[GW_HVM_VIRIDIAN_VCPU] = rows_viridian_vcpu,
	[GW_HVM_VMCE_VCPU] = rows_vmce,
	[GW_HVM_TSC_ADJUST] = rows_tsc_adjust,
};

void gw_fxsave_fields(const void *data, size_t len, gw_field_fn fn, void *opaque)
{
	gw_fields_walk(rows_fxsave, data, len, fn, opaque);
}

void gw_xsave_fields(const void *data, size_t len, gw_field_fn fn, void *opaque)
{
	const uint8_t *area;
	size_t rest = XSAVE_EXTENDED;

	gw_fields_walk(rows_xcr0, data, len, fn, opaque);
	if (len <= 16)
		return;
	area = (const uint8_t *)data + 16;
	len -= 16;
	gw_fxsave_fields(area, len, fn, opaque);
	gw_fields_walk(rows_xsave_header, area, len, fn, opaque);
	/* In the compacted form (bit 63 of xcomp_bv) components have other offsets. */
	if (len >= XSAVE_YMM_END && gw_get_le64((const uint8_t *)data + 8) & XCR0_AVX &&
	    !(gw_get_le64(area + 520) >> 63)) {
		gw_fields_walk(rows_ymm, area, len, fn, opaque);
		rest = XSAVE_YMM_END;
	}
	if (len > rest)
		gw_field_bytes("components", area + rest, len - rest, fn, opaque);
}

void gw_msr_fields(const void *data, size_t len, gw_field_fn fn, void *opaque)
{
	for (size_t offset = 0; len - offset >= 16; offset += 16) {
		const uint8_t *raw = (const uint8_t *)data + offset;
		uint32_t index = gw_get_le32(raw);
		const char *name = gw_msr_name(index);
		struct gw_field field = {.kind = GW_FIELD_HEX, .bytes = raw + 8, .width = 8};

		field.value = gw_get_le64(raw + 8);
		field.zero = field.value == 0;
		if (name)
			snprintf(field.name, sizeof(field.name), "%s", name);
		else
			snprintf(field.name, sizeof(field.name), "msr_0x%" PRIx32, index);
		fn(opaque, &field);
	}
}

static void cpu(const struct gw_hvm_entry *entry, gw_field_fn fn, void *opaque)
{
	gw_fields_walk(rows_cpu, entry->data, entry->length, fn, opaque);
	gw_fields_walk(entry->length == GW_HVM_CPU_SIZE_3_3 ? rows_cpu_tail_3_3 : rows_cpu_tail,
		       entry->data, entry->length, fn, opaque);
	gw_fxsave_fields(entry->data, GW_MIN(entry->length, 512u), fn, opaque);
}

static void xsave(const struct gw_hvm_entry *entry, gw_field_fn fn, void *opaque)
{
	gw_fields_walk(rows_xfeature_mask, entry->data, entry->length, fn, opaque);
	if (entry->length > 8)
		gw_xsave_fields(entry->data + 8, entry->length - 8, fn, opaque);
}

/* Not more than count says, and not more than the entry holds. */
static void msrs(const struct gw_hvm_entry *entry, gw_field_fn fn, void *opaque)
{
	uint64_t claimed;

	gw_fields_walk(rows_msr_count, entry->data, entry->length, fn, opaque);
	if (entry->length <= 8)
		return;
	claimed = gw_get_le32(entry->data) * UINT64_C(16);
	gw_msr_fields(entry->data + 8, (size_t)GW_MIN(claimed, (uint64_t)entry->length - 8), fn,
		      opaque);
}

bool gw_hvm_fields(const struct gw_hvm_entry *entry, gw_field_fn fn, void *opaque)
{
	switch (entry->typecode) {
	case GW_HVM_END:
		return true;
	case GW_HVM_CPU:
		cpu(entry, fn, opaque);
		return true;
	case GW_HVM_CPU_XSAVE:
		xsave(entry, fn, opaque);
		return true;
	case GW_HVM_CPU_MSR:
		msrs(entry, fn, opaque);
		return true;
	default:
		break;
	}
	if (entry->typecode >= GW_ARRAY_SIZE(tables) || !tables[entry->typecode])
		return false;
	gw_fields_walk(tables[entry->typecode], entry->data, entry->length, fn, opaque);
	return true;
}

bool gw_hvm_code_is_per_vcpu(uint16_t typecode)
{
	switch (typecode) {
	case GW_HVM_CPU:
	case GW_HVM_LAPIC:
	case GW_HVM_LAPIC_REGS:
	case GW_HVM_MTRR:
	case GW_HVM_CPU_XSAVE:
	case GW_HVM_VIRIDIAN_VCPU:
	case GW_HVM_VMCE_VCPU:
	case GW_HVM_TSC_ADJUST:
	case GW_HVM_CPU_MSR:
		return true;
	default:
		return false;
	}
}
