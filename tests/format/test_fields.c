/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the named fields of guest state: in guests that Xen 4.17 saved, in entries of every length,
 * and against Xen's own headers where these are installed.
 */
#include "lib/gwtest.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "format/x86/hvm_fields.h"
#include "format/x86/pv_fields.h"
#include "format/x86/pv_layout.h"
#include "lib/realdata.h"
#include "lib/random.h"

#if __has_include(<xen/hvm/save.h>) && __has_include(<xen/xen.h>) && defined(__x86_64__)
#define HAVE_XEN_HEADERS 1
#include <xen/xen.h>
/* The order of these includes matters. */
#include <xen/hvm/save.h>
#endif

/* A field searched by name. */
struct wanted {
	const char *name;
	unsigned seen;
	struct gw_field field;
};

static void look(void *opaque, const struct gw_field *field)
{
	struct wanted *w = opaque;

	if (strcmp(w->name, field->name) != 0)
		return;
	w->seen++;
	w->field = *field;
}

static struct gw_field field_of(uint16_t code, const void *data, uint32_t len, const char *name)
{
	const struct gw_hvm_entry entry = {.typecode = code, .length = len, .data = data};
	struct wanted w = {.name = name};

	assert_true(gw_hvm_fields(&entry, look, &w));
	if (w.seen != 1)
		fail_msg("%s of code %u with %u bytes: seen %u times", name, code, len, w.seen);
	return w.field;
}

static void has_not(uint16_t code, const void *data, uint32_t len, const char *name)
{
	const struct gw_hvm_entry entry = {.typecode = code, .length = len, .data = data};
	struct wanted w = {.name = name};

	assert_true(gw_hvm_fields(&entry, look, &w));
	assert_int_equal(w.seen, 0);
}

static void says(const struct gw_record *rec, uint16_t code, const char *name, const char *text)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_hvm_entry entry;
	struct gw_field f;
	char buf[64];

	assert_int_equal(gw_hvm_find(rec->data, rec->length, code, 0, &entry, &err), 1);
	f = field_of(code, entry.data, entry.length, name);
	if (strcmp(gw_field_text(&f, buf, sizeof(buf)), text) != 0)
		fail_msg("%s: %s, expected %s", name, buf, text);
}

static void real_hvm(void **state)
{
	struct gw_buffer file = realdata_load(realdata_path("xen417/tiny-pvh.save.xz"));
	struct gw_record rec = realdata_record(&file, realdata_image(&file), GW_REC_HVM_CONTEXT);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_hvm_entry entry;
	struct gw_field f;

	says(&rec, GW_HVM_HEADER, "magic", "0x54381286");
	says(&rec, GW_HVM_CPU, "rip", "0x1103a8");
	says(&rec, GW_HVM_CPU, "cr0", "0x11");
	says(&rec, GW_HVM_CPU, "cs_arbytes", "0xc9b");
	says(&rec, GW_HVM_CPU, "tr_limit", "0x67");
	says(&rec, GW_HVM_CPU, "flags", "0x0"); /* no FPU state */
	says(&rec, GW_HVM_LAPIC, "apic_base_msr", "0xfee00900");
	says(&rec, GW_HVM_LAPIC_REGS, "DFR", "0xffffffff");
	says(&rec, GW_HVM_MTRR, "msr_pat_cr", "0x7040600070406");
	assert_int_equal(gw_hvm_find(rec.data, rec.length, GW_HVM_CPU, 0, &entry, &err), 1);
	f = field_of(GW_HVM_CPU, entry.data, entry.length, "cr0");
	assert_string_equal(gw_field_flag(&f, 0), "PE");
	assert_string_equal(gw_field_flag(&f, 1), "ET");
	assert_null(gw_field_flag(&f, 2));
	gw_buffer_free(&file);

	file = realdata_load(realdata_path("xen417/tiny-hvm.save.xz"));
	rec = realdata_record(&file, realdata_image(&file), GW_REC_HVM_CONTEXT);
	says(&rec, GW_HVM_IOAPIC, "base_address", "0xfec00000");
	says(&rec, GW_HVM_PIC, "modes", "0x40");
	says(&rec, GW_HVM_PIT, "channels[0].count", "65536");
	gw_buffer_free(&file);
}

/* Code 2 in every size that Xen ever wrote: the oldest lacks tsc_aux in the middle. */
static void older_entries(void **state)
{
	uint8_t raw[1032];

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i * 5 + i / 256 + 3);
	assert_true(field_of(GW_HVM_CPU, raw, 1032, "flags").bytes == raw + 1024);
	assert_true(field_of(GW_HVM_CPU, raw, 1024, "tsc").bytes == raw + 1008);
	has_not(GW_HVM_CPU, raw, 1024, "flags");
	assert_true(field_of(GW_HVM_CPU, raw, 1016, "tsc").bytes == raw + 1000);
	assert_true(field_of(GW_HVM_CPU, raw, 1016, "pending_event").bytes == raw + 1008);
	has_not(GW_HVM_CPU, raw, 1016, "msr_tsc_aux");
	has_not(GW_HVM_CPU, raw, 600, "rip");
	assert_true(field_of(GW_HVM_LAPIC, raw, 32, "pending_esr").bytes == raw + 24);
	has_not(GW_HVM_LAPIC, raw, 24, "pending_esr");
}

static void msrs_and_xsave(void **state)
{
	uint8_t raw[24 + 576 + 256 + 8] = {2};
	struct gw_field f;
	char buf[32];

	gw_put_le32(raw + 8, 0xc0000103);
	gw_put_le64(raw + 16, 7);
	gw_put_le32(raw + 24, 0x4242);
	gw_put_le64(raw + 32, 8);
	assert_int_equal(field_of(GW_HVM_CPU_MSR, raw, 40, "TSC_AUX").value, 7);
	assert_int_equal(field_of(GW_HVM_CPU_MSR, raw, 40, "msr_0x4242").value, 8);
	has_not(GW_HVM_CPU_MSR, raw, 39, "msr_0x4242");
	raw[0] = 1; /* its count is 0, so the entries after it do not exist */
	has_not(GW_HVM_CPU_MSR, raw, 40, "msr_0x4242");

	memset(raw, 0, sizeof(raw));
	gw_put_le64(raw + 8, 3);
	gw_put_le64(raw + 16, 7);
	gw_put_le64(raw + 24 + 512, 4);
	raw[24 + 576] = 0xab;
	assert_int_equal(field_of(GW_HVM_CPU_XSAVE, raw, sizeof(raw), "xcr0_accum").value, 7);
	assert_int_equal(field_of(GW_HVM_CPU_XSAVE, raw, sizeof(raw), "xstate_bv").value, 4);
	f = field_of(GW_HVM_CPU_XSAVE, raw, sizeof(raw), "ymm_high0");
	assert_string_equal(gw_field_text(&f, buf, 12), "ab000000...");
	assert_int_equal(field_of(GW_HVM_CPU_XSAVE, raw, sizeof(raw), "components").width, 8);
	gw_put_le64(raw + 24 + 520, UINT64_C(1) << 63); /* compacted */
	has_not(GW_HVM_CPU_XSAVE, raw, sizeof(raw), "ymm_high0");
	assert_int_equal(field_of(GW_HVM_CPU_XSAVE, raw, sizeof(raw), "components").width, 264);
}

static void field_texts(void **state)
{
	static const uint8_t low[16] = {0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t pic[8] = {0, 0, 0, 0, 0xa3};
	struct gw_field f = field_of(GW_HVM_TSC_ADJUST, low, 8, "tsc_adjust");
	const struct gw_hvm_entry unknown = {.typecode = 21, .length = 16, .data = low};
	struct wanted w = {.name = ""};
	char buf[32];

	assert_string_equal(gw_field_text(&f, buf, sizeof(buf)), "-5");
	assert_int_equal(field_of(GW_HVM_PIC, pic, 8, "init_state").value, 3);
	assert_int_equal(field_of(GW_HVM_PIC, pic, 8, "priority_add").value, 10);
	assert_false(gw_hvm_fields(&unknown, look, &w));
	assert_true(gw_hvm_code_is_per_vcpu(GW_HVM_MTRR));
	assert_false(gw_hvm_code_is_per_vcpu(GW_HVM_PIC));
	assert_string_equal(gw_tsc_mode_name(1), "always_emulate");
	assert_null(gw_tsc_mode_name(4));
}

static void pv_says(unsigned width, const void *data, size_t len, const char *name, uint64_t value)
{
	struct wanted w = {.name = name};

	gw_pv_basic_fields(width, data, len, look, &w);
	assert_int_equal(w.seen, 1);
	assert_true(w.field.value == value);
}

static void pv_lacks(unsigned width, const void *data, size_t len, const char *name)
{
	struct wanted w = {.name = name};

	gw_pv_basic_fields(width, data, len, look, &w);
	assert_int_equal(w.seen, 0);
}

static void pv_basic(void **state)
{
	struct gw_buffer file = realdata_load(realdata_path("xen417/tiny-pv.save.xz"));
	struct gw_record rec =
		realdata_record(&file, realdata_image(&file), GW_REC_X86_PV_VCPU_BASIC);
	const uint8_t *blob = rec.data + 8;
	const struct gw_pv_layout *l = gw_pv_layout(8);

	pv_says(8, blob, l->vcpu_size, "rdx", gw_get_le64(blob + l->vcpu_edx));
	pv_says(8, blob, l->vcpu_size, "cs", 0xe033);
	pv_says(8, blob, l->vcpu_size, "gdt_ents", gw_get_le64(blob + l->vcpu_gdt_ents));
	pv_says(8, blob, l->vcpu_size, "ctrlreg[3]", gw_get_le64(blob + l->vcpu_cr + 24));
	gw_buffer_free(&file);
}

/* Checks each offset in the tables of both widths with a blob in which no two words are alike. */
static void pv_places(void **state)
{
	static uint8_t raw[5168];
	const struct gw_pv_layout *l;

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i * 11 + i / 256 * 7 + 1);
	gw_put_le32(raw + 584 + 3 * 8 + 4, 0);
	l = gw_pv_layout(4);
	pv_says(4, raw, l->vcpu_size, "trap_ctxt[255].address", gw_get_le32(raw + 2628));
	pv_lacks(4, raw, l->vcpu_size, "trap_ctxt[3].cs");
	pv_says(4, raw, l->vcpu_size, "trap_ctxt[4].cs", gw_get_le16(raw + 584 + 4 * 8 + 2));
	pv_says(4, raw, l->vcpu_size, "flags", gw_get_le32(raw + l->vcpu_flags));
	pv_says(4, raw, l->vcpu_size, "edx", gw_get_le32(raw + l->vcpu_edx));
	pv_says(4, raw, l->vcpu_size, "gdt_frames[15]", gw_get_le32(raw + l->vcpu_gdt + 60));
	pv_says(4, raw, l->vcpu_size, "gdt_ents", gw_get_le32(raw + l->vcpu_gdt_ents));
	pv_says(4, raw, l->vcpu_size, "ctrlreg[7]", gw_get_le32(raw + l->vcpu_cr + 28));
	pv_says(4, raw, l->vcpu_size, "vm_assist", gw_get_le32(raw + 2796));
	l = gw_pv_layout(8);
	pv_says(8, raw, l->vcpu_size, "gdt_frames[15]", gw_get_le64(raw + l->vcpu_gdt + 120));
	pv_says(8, raw, l->vcpu_size, "gs_base_user", gw_get_le64(raw + 5160));
}

static void shared_info(void **state)
{
	for (unsigned width = 4; width <= 8; width += 4) {
		static uint8_t raw[4096];
		const struct gw_pv_layout *l = gw_pv_layout(width);
		struct wanted w = {.name = "evtchn_pending"};

		memset(raw, 0, sizeof(raw));
		raw[l->shared_pending] = 0x81;
		raw[l->shared_pending + l->shared_evtchn_len - 1] = 1;
		raw[l->shared_mask] = 0xff;
		gw_pv_put_word(l, raw + l->shared_arch + l->arch_p2m_vaddr, 0x1234);
		gw_shared_info_fields(width, raw, sizeof(raw), look, &w);
		assert_int_equal(w.seen, 1);
		assert_int_equal(w.field.value, 3);
		w = (struct wanted){.name = "evtchn_masked"};
		gw_shared_info_fields(width, raw, sizeof(raw), look, &w);
		assert_int_equal(w.field.value, 8);
		w = (struct wanted){.name = "arch.p2m_vaddr"};
		gw_shared_info_fields(width, raw, sizeof(raw), look, &w);
		assert_int_equal(w.field.value, 0x1234);
	}
}

static void within(void *opaque, const struct gw_field *field)
{
	const struct gw_hvm_entry *entry = opaque;
	char text[80];

	assert_true(strlen(field->name) > 0 && strlen(field->name) < sizeof(field->name) - 1);
	gw_field_text(field, text, sizeof(text));
	assert_true(strlen(text) > 0);
	if (field->bytes) {
		assert_true(field->bytes >= entry->data);
		assert_true(field->bytes + field->width <= entry->data + entry->length);
	}
}

/* Any bytes of any length, in memory of exactly that size. */
static void random_entries(void **state)
{
	for (unsigned n = 0; n < 3000; n++) {
		uint32_t len = (uint32_t)random64() % (n % 4 ? 1100 : 6000);
		uint8_t *raw = malloc(len ? len : 1);
		struct gw_hvm_entry entry = {.length = len, .data = raw};

		assert_non_null(raw);
		for (uint32_t i = 0; i < len; i++)
			raw[i] = (uint8_t)random64();
		entry.typecode = (uint16_t)(n % 23);
		gw_hvm_fields(&entry, within, &entry);
		gw_pv_basic_fields(n & 1 ? 8 : 4, raw, len, within, &entry);
		gw_pv_extended_fields(raw, len, within, &entry);
		gw_shared_info_fields(n & 1 ? 8 : 4, raw, len, within, &entry);
		gw_xsave_fields(raw, len, within, &entry);
		gw_msr_fields(raw, len, within, &entry);
		free(raw);
	}
}

#ifdef HAVE_XEN_HEADERS
#define AT(code, structure, name, member)                                                          \
	assert_int_equal(field_of(code, raw, sizeof(struct structure), name).bytes - raw,          \
			 offsetof(struct structure, member))

static void hvm_as_in_xen(const uint8_t *raw)
{
	AT(GW_HVM_HEADER, hvm_save_header, "gtsc_khz", gtsc_khz);
	AT(GW_HVM_CPU, hvm_hw_cpu, "rsp", rsp);
	AT(GW_HVM_CPU, hvm_hw_cpu, "r15", r15);
	AT(GW_HVM_CPU, hvm_hw_cpu, "cr4", cr4);
	AT(GW_HVM_CPU, hvm_hw_cpu, "dr7", dr7);
	AT(GW_HVM_CPU, hvm_hw_cpu, "ldtr_sel", ldtr_sel);
	AT(GW_HVM_CPU, hvm_hw_cpu, "gdtr_limit", gdtr_limit);
	AT(GW_HVM_CPU, hvm_hw_cpu, "gdtr_base", gdtr_base);
	AT(GW_HVM_CPU, hvm_hw_cpu, "ldtr_arbytes", ldtr_arbytes);
	AT(GW_HVM_CPU, hvm_hw_cpu, "shadow_gs", shadow_gs);
	AT(GW_HVM_CPU, hvm_hw_cpu, "msr_efer", msr_efer);
	AT(GW_HVM_CPU, hvm_hw_cpu, "tsc", tsc);
	AT(GW_HVM_CPU, hvm_hw_cpu, "flags", flags);
	AT(GW_HVM_CPU, hvm_hw_cpu_compat, "tsc", tsc);
	AT(GW_HVM_CPU, hvm_hw_cpu_compat, "error_code", error_code);
	AT(GW_HVM_PIC, hvm_hw_vpic, "elcr", elcr);
	AT(GW_HVM_PIC, hvm_hw_vpic, "int_output", int_output);
	AT(GW_HVM_IOAPIC, hvm_hw_vioapic, "redirtbl[47]", redirtbl[47]);
	AT(GW_HVM_LAPIC, hvm_hw_lapic, "tdt_msr", tdt_msr);
	AT(GW_HVM_PCI_IRQ, hvm_hw_pci_irqs, "wires[1]", pad[1]);
	AT(GW_HVM_PCI_LINK, hvm_hw_pci_link, "route[3]", route[3]);
	AT(GW_HVM_PIT, hvm_hw_pit, "channels[2].gate", channels[2].gate);
	AT(GW_HVM_PIT, hvm_hw_pit, "speaker_data_on", speaker_data_on);
	AT(GW_HVM_RTC, hvm_hw_rtc, "rtc_offset", rtc_offset);
	AT(GW_HVM_HPET, hvm_hw_hpet, "mc64", mc64);
	AT(GW_HVM_HPET, hvm_hw_hpet, "timers[2].fsb", timers[2].fsb);
	AT(GW_HVM_HPET, hvm_hw_hpet, "period[2]", period[2]);
	AT(GW_HVM_PMTIMER, hvm_hw_pmtimer, "pm1a_en", pm1a_en);
	AT(GW_HVM_MTRR, hvm_hw_mtrr, "physmask7", msr_mtrr_var[15]);
	AT(GW_HVM_MTRR, hvm_hw_mtrr, "fix4k_f8000", msr_mtrr_fixed[10]);
	AT(GW_HVM_MTRR, hvm_hw_mtrr, "msr_mtrr_def_type", msr_mtrr_def_type);
	AT(GW_HVM_VIRIDIAN_DOMAIN, hvm_viridian_domain_context, "reference_tsc", reference_tsc);
	AT(GW_HVM_VIRIDIAN_VCPU, hvm_viridian_vcpu_context, "simp_msr", simp_msr);
	AT(GW_HVM_VIRIDIAN_VCPU, hvm_viridian_vcpu_context, "stimer_count_msr[3]",
	   stimer_count_msr[3]);
	AT(GW_HVM_VMCE_VCPU, hvm_vmce_vcpu, "mcg_ext_ctl", mcg_ext_ctl);
	AT(GW_HVM_CPU_XSAVE, hvm_hw_cpu_xsave, "xcr0_accum", xcr0_accum);
	AT(GW_HVM_CPU_XSAVE, hvm_hw_cpu_xsave, "xstate_bv", save_area.xsave_hdr.xstate_bv);
}

#define PV_AT(walk, structure, field_name, member)                                                 \
	do {                                                                                       \
		struct wanted w = {.name = field_name};                                            \
		walk(8, raw, sizeof(structure), look, &w);                                         \
		assert_int_equal(w.seen, 1);                                                       \
		assert_int_equal(w.field.bytes - raw, offsetof(structure, member));                \
	} while (0)

static void pv_as_in_xen(const uint8_t *raw)
{
	PV_AT(gw_pv_basic_fields, vcpu_guest_context_t, "rip", user_regs.rip);
	PV_AT(gw_pv_basic_fields, vcpu_guest_context_t, "cs", user_regs.cs);
	PV_AT(gw_pv_basic_fields, vcpu_guest_context_t, "gs", user_regs.gs);
	PV_AT(gw_pv_basic_fields, vcpu_guest_context_t, "trap_ctxt[255].address",
	      trap_ctxt[255].address);
	PV_AT(gw_pv_basic_fields, vcpu_guest_context_t, "kernel_sp", kernel_sp);
	PV_AT(gw_pv_basic_fields, vcpu_guest_context_t, "debugreg[7]", debugreg[7]);
	PV_AT(gw_pv_basic_fields, vcpu_guest_context_t, "syscall_callback_eip",
	      syscall_callback_eip);
	PV_AT(gw_pv_basic_fields, vcpu_guest_context_t, "gs_base_user", gs_base_user);
	PV_AT(gw_shared_info_fields, shared_info_t, "wc_sec", wc_sec);
	PV_AT(gw_shared_info_fields, shared_info_t, "arch.max_pfn", arch.max_pfn);
	PV_AT(gw_shared_info_fields, shared_info_t, "arch.p2m_generation", arch.p2m_generation);
	PV_AT(gw_shared_info_fields, shared_info_t, "vcpu_info[31].evtchn_pending_sel",
	      vcpu_info[31].evtchn_pending_sel);
	PV_AT(gw_shared_info_fields, shared_info_t, "vcpu_info[31].arch.cr2",
	      vcpu_info[31].arch.cr2);
	PV_AT(gw_shared_info_fields, shared_info_t, "vcpu_info[31].time.tsc_shift",
	      vcpu_info[31].time.tsc_shift);
}

static void as_in_xens_headers(void **state)
{
	static uint8_t raw[8192];

	memset(raw, 0x3b, sizeof(raw));
	hvm_as_in_xen(raw);
	pv_as_in_xen(raw);
}
#else
static void as_in_xens_headers(void **state)
{
	print_message("Xen's public headers (libxen-dev) are not installed\n");
	skip();
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_hvm),	      cmocka_unit_test(older_entries),
		cmocka_unit_test(msrs_and_xsave),     cmocka_unit_test(field_texts),
		cmocka_unit_test(pv_basic),	      cmocka_unit_test(pv_places),
		cmocka_unit_test(shared_info),	      cmocka_unit_test(random_entries),
		cmocka_unit_test(as_in_xens_headers),
	};

	return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
