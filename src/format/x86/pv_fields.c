/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tables of the fields of a PV guest's state.
 */
#include "format/x86/pv_fields.h"

#include "base/util.h"
#include "format/x86/hvm_fields.h"
#include "format/x86/pv_layout.h"

#define HEX(name, offset, width)                                                                   \
	{                                                                                          \
		name, GW_FIELD_HEX, offset, width, 0, 0, 0, 0, false, NULL                         \
	}
#define DEC(name, offset, width)                                                                   \
	{                                                                                          \
		name, GW_FIELD_DEC, offset, width, 0, 0, 0, 0, false, NULL                         \
	}
#define FLAGS(name, offset, width, names)                                                          \
	{                                                                                          \
		name, GW_FIELD_HEX, offset, width, 0, 0, 0, 0, false, names                        \
	}
#define HEXES(name, offset, width, count, stride)                                                  \
	{                                                                                          \
		name, GW_FIELD_HEX, offset, width, count, stride, 0, 0, false, NULL                \
	}
/* Arrays that are mostly empty. */
#define SPARSE(name, kind, offset, width, count, stride)                                           \
	{                                                                                          \
		name, kind, offset, width, count, stride, 0, 0, true, NULL                         \
	}
#define PV64_TRAPS 720
#define PV32_TRAPS 584

#define ROWS_END                                                                                   \
	{                                                                                          \
		NULL, GW_FIELD_HEX, 0, 0, 0, 0, 0, 0, false, NULL                                  \
	}
#define BITS_END                                                                                   \
	{                                                                                          \
		NULL, 0                                                                            \
	}

static const struct gw_field_bit bits_vgcf[] = {{"i387_valid", 0},
						{"in_kernel", 2},
						{"failsafe_disables_events", 3},
						{"syscall_disables_events", 4},
						{"online", 5},
						BITS_END};
static const struct gw_field_bit bits_vm_assist[] = {
	{"4gb_segments", 0},	    {"4gb_segments_notify", 1},
	{"writable_pagetables", 2}, {"pae_extended_cr3", 3},
	{"architectural_iopl", 4},  {"runstate_update_flag", 5},
	{"m2p_strict", 32},	    BITS_END};

static const struct gw_field_row rows_basic64[] = {
	FLAGS("flags", 512, 8, bits_vgcf),
	HEX("r15", 520, 8),
	HEX("r14", 528, 8),
	HEX("r13", 536, 8),
	HEX("r12", 544, 8),
	HEX("rbp", 552, 8),
	HEX("rbx", 560, 8),
	HEX("r11", 568, 8),
	HEX("r10", 576, 8),
	HEX("r9", 584, 8),
	HEX("r8", 592, 8),
	HEX("rax", 600, 8),
	HEX("rcx", 608, 8),
	HEX("rdx", 616, 8),
	HEX("rsi", 624, 8),
	HEX("rdi", 632, 8),
	HEX("error_code", 640, 4),
	HEX("entry_vector", 644, 4),
	HEX("rip", 648, 8),
	HEX("cs", 656, 2),
	DEC("saved_upcall_mask", 660, 1),
	FLAGS("rflags", 664, 8, gw_bits_rflags),
	HEX("rsp", 672, 8),
	HEX("ss", 680, 2),
	HEX("es", 688, 2),
	HEX("ds", 696, 2),
	HEX("fs", 704, 2),
	HEX("gs", 712, 2),
	HEX("ldt_base", 4816, 8),
	DEC("ldt_ents", 4824, 8),
	HEXES("gdt_frames[#]", 4832, 8, 16, 8),
	DEC("gdt_ents", 4960, 8),
	HEX("kernel_ss", 4968, 8),
	HEX("kernel_sp", 4976, 8),
	FLAGS("ctrlreg[0]", 4984, 8, gw_bits_cr0),
	HEX("ctrlreg[1]", 4992, 8),
	HEX("ctrlreg[2]", 5000, 8),
	HEX("ctrlreg[3]", 5008, 8),
	FLAGS("ctrlreg[4]", 5016, 8, gw_bits_cr4),
	HEX("ctrlreg[5]", 5024, 8),
	HEX("ctrlreg[6]", 5032, 8),
	HEX("ctrlreg[7]", 5040, 8),
	HEXES("debugreg[#]", 5048, 8, 8, 8),
	HEX("event_callback_eip", 5112, 8),
	HEX("failsafe_callback_eip", 5120, 8),
	HEX("syscall_callback_eip", 5128, 8),
	FLAGS("vm_assist", 5136, 8, bits_vm_assist),
	HEX("fs_base", 5144, 8),
	HEX("gs_base_kernel", 5152, 8),
	HEX("gs_base_user", 5160, 8),
	ROWS_END,
};

static const struct gw_field_row rows_basic32[] = {
	FLAGS("flags", 512, 4, bits_vgcf),
	HEX("ebx", 516, 4),
	HEX("ecx", 520, 4),
	HEX("edx", 524, 4),
	HEX("esi", 528, 4),
	HEX("edi", 532, 4),
	HEX("ebp", 536, 4),
	HEX("eax", 540, 4),
	HEX("error_code", 544, 2),
	HEX("entry_vector", 546, 2),
	HEX("eip", 548, 4),
	HEX("cs", 552, 2),
	DEC("saved_upcall_mask", 554, 1),
	FLAGS("eflags", 556, 4, gw_bits_rflags),
	HEX("esp", 560, 4),
	HEX("ss", 564, 2),
	HEX("es", 568, 2),
	HEX("ds", 572, 2),
	HEX("fs", 576, 2),
	HEX("gs", 580, 2),
	HEX("ldt_base", 2632, 4),
	DEC("ldt_ents", 2636, 4),
	HEXES("gdt_frames[#]", 2640, 4, 16, 4),
	DEC("gdt_ents", 2704, 4),
	HEX("kernel_ss", 2708, 4),
	HEX("kernel_sp", 2712, 4),
	FLAGS("ctrlreg[0]", 2716, 4, gw_bits_cr0),
	HEX("ctrlreg[1]", 2720, 4),
	HEX("ctrlreg[2]", 2724, 4),
	HEX("ctrlreg[3]", 2728, 4),
	FLAGS("ctrlreg[4]", 2732, 4, gw_bits_cr4),
	HEX("ctrlreg[5]", 2736, 4),
	HEX("ctrlreg[6]", 2740, 4),
	HEX("ctrlreg[7]", 2744, 4),
	HEXES("debugreg[#]", 2748, 4, 8, 4),
	HEX("event_callback_cs", 2780, 4),
	HEX("event_callback_eip", 2784, 4),
	HEX("failsafe_callback_cs", 2788, 4),
	HEX("failsafe_callback_eip", 2792, 4),
	FLAGS("vm_assist", 2796, 4, bits_vm_assist),
	ROWS_END,
};

/* From the first of the 256 on. */
static const struct gw_field_row rows_traps64[] = {
	HEXES("trap_ctxt[#].vector", 0, 1, 256, 16),
	HEXES("trap_ctxt[#].flags", 1, 1, 256, 16),
	HEXES("trap_ctxt[#].cs", 2, 2, 256, 16),
	HEXES("trap_ctxt[#].address", 8, 8, 256, 16),
	ROWS_END,
};

static const struct gw_field_row rows_traps32[] = {
	HEXES("trap_ctxt[#].vector", 0, 1, 256, 8),
	HEXES("trap_ctxt[#].flags", 1, 1, 256, 8),
	HEXES("trap_ctxt[#].cs", 2, 2, 256, 8),
	HEXES("trap_ctxt[#].address", 4, 4, 256, 8),
	ROWS_END,
};

/* struct xen_domctl_ext_vcpucontext */
static const struct gw_field_row rows_extended[] = {
	DEC("vcpu", 0, 4),
	DEC("size", 4, 4),
	HEX("syscall32_callback_eip", 8, 8),
	HEX("sysenter_callback_eip", 16, 8),
	HEX("syscall32_callback_cs", 24, 2),
	HEX("sysenter_callback_cs", 26, 2),
	DEC("syscall32_disables_events", 28, 1),
	DEC("sysenter_disables_events", 29, 1),
	HEX("vmce.caps", 32, 8),
	HEX("vmce.mci_ctl2_bank0", 40, 8),
	HEX("vmce.mci_ctl2_bank1", 48, 8),
	HEX("vmce.mcg_ext_ctl", 56, 8),
	ROWS_END,
};

static const struct gw_field_row rows_shared64[] = {
	SPARSE("vcpu_info[#].evtchn_upcall_pending", GW_FIELD_DEC, 0, 1, 32, 64),
	SPARSE("vcpu_info[#].evtchn_upcall_mask", GW_FIELD_DEC, 1, 1, 32, 64),
	SPARSE("vcpu_info[#].evtchn_pending_sel", GW_FIELD_HEX, 8, 8, 32, 64),
	SPARSE("vcpu_info[#].arch.cr2", GW_FIELD_HEX, 16, 8, 32, 64),
	SPARSE("vcpu_info[#].time.version", GW_FIELD_DEC, 32, 4, 32, 64),
	SPARSE("vcpu_info[#].time.tsc_timestamp", GW_FIELD_DEC, 40, 8, 32, 64),
	SPARSE("vcpu_info[#].time.system_time", GW_FIELD_DEC, 48, 8, 32, 64),
	SPARSE("vcpu_info[#].time.tsc_to_system_mul", GW_FIELD_HEX, 56, 4, 32, 64),
	SPARSE("vcpu_info[#].time.tsc_shift", GW_FIELD_SIGNED, 60, 1, 32, 64),
	SPARSE("vcpu_info[#].time.flags", GW_FIELD_HEX, 61, 1, 32, 64),
	DEC("wc_version", 3072, 4),
	DEC("wc_sec", 3076, 4),
	DEC("wc_nsec", 3080, 4),
	DEC("wc_sec_hi", 3084, 4),
	HEX("arch.max_pfn", 3088, 8),
	HEX("arch.pfn_to_mfn_frame_list_list", 3096, 8),
	HEX("arch.nmi_reason", 3104, 8),
	HEX("arch.p2m_cr3", 3112, 8),
	HEX("arch.p2m_vaddr", 3120, 8),
	HEX("arch.p2m_generation", 3128, 8),
	ROWS_END,
};

static const struct gw_field_row rows_shared32[] = {
	SPARSE("vcpu_info[#].evtchn_upcall_pending", GW_FIELD_DEC, 0, 1, 32, 64),
	SPARSE("vcpu_info[#].evtchn_upcall_mask", GW_FIELD_DEC, 1, 1, 32, 64),
	SPARSE("vcpu_info[#].evtchn_pending_sel", GW_FIELD_HEX, 4, 4, 32, 64),
	SPARSE("vcpu_info[#].arch.cr2", GW_FIELD_HEX, 8, 4, 32, 64),
	SPARSE("vcpu_info[#].time.version", GW_FIELD_DEC, 32, 4, 32, 64),
	SPARSE("vcpu_info[#].time.tsc_timestamp", GW_FIELD_DEC, 40, 8, 32, 64),
	SPARSE("vcpu_info[#].time.system_time", GW_FIELD_DEC, 48, 8, 32, 64),
	SPARSE("vcpu_info[#].time.tsc_to_system_mul", GW_FIELD_HEX, 56, 4, 32, 64),
	SPARSE("vcpu_info[#].time.tsc_shift", GW_FIELD_SIGNED, 60, 1, 32, 64),
	SPARSE("vcpu_info[#].time.flags", GW_FIELD_HEX, 61, 1, 32, 64),
	DEC("wc_version", 2304, 4),
	DEC("wc_sec", 2308, 4),
	DEC("wc_nsec", 2312, 4),
	DEC("wc_sec_hi", 2340, 4),
	HEX("arch.max_pfn", 2316, 4),
	HEX("arch.pfn_to_mfn_frame_list_list", 2320, 4),
	HEX("arch.nmi_reason", 2324, 4),
	HEX("arch.p2m_cr3", 2328, 4),
	HEX("arch.p2m_vaddr", 2332, 4),
	HEX("arch.p2m_generation", 2336, 4),
	ROWS_END,
};

/* The traps of a blob, passed to fn. */
struct traps {
	const struct gw_pv_layout *layout;
	const uint8_t *first;
	size_t len; /* length of all */
	gw_field_fn fn;
	void *opaque;
};

/* Passes a trap on if it is set, that is, has an address. */
static void give_trap(void *opaque, const struct gw_field *field)
{
	const struct traps *t = opaque;
	size_t width = t->layout->width, size = 2 * width;
	size_t trap = (size_t)(field->bytes - t->first) / size * size;

	if (t->len - trap >= size && gw_pv_get_word(t->layout, t->first + trap + width))
		t->fn(t->opaque, field);
}

void gw_pv_basic_fields(unsigned width, const void *data, size_t len, gw_field_fn fn, void *opaque)
{
	const struct gw_pv_layout *l = gw_pv_layout(width);
	size_t offset = width == 8 ? PV64_TRAPS : PV32_TRAPS;

	if (!l)
		return;
	gw_fields_walk(width == 8 ? rows_basic64 : rows_basic32, data, len, fn, opaque);
	if (len > offset) {
		struct traps t = {l, (const uint8_t *)data + offset, len - offset, fn, opaque};

		gw_fields_walk(width == 8 ? rows_traps64 : rows_traps32, t.first, t.len, give_trap,
			       &t);
	}
	gw_fxsave_fields(data, GW_MIN(len, (size_t)512), fn, opaque);
}

void gw_pv_extended_fields(const void *data, size_t len, gw_field_fn fn, void *opaque)
{
	gw_fields_walk(rows_extended, data, len, fn, opaque);
}

static void count_bits(const char *name, const void *data, size_t len, uint32_t offset, uint32_t n,
		       gw_field_fn fn, void *opaque)
{
	const uint8_t *bytes = (const uint8_t *)data + offset;
	uint64_t set = 0;

	if (len < offset || len - offset < n)
		return;
	for (uint32_t i = 0; i < n; i++)
		set += (uint64_t)__builtin_popcount(bytes[i]);
	gw_field_number(name, set, fn, opaque);
}

void gw_shared_info_fields(unsigned width, const void *data, size_t len, gw_field_fn fn,
			   void *opaque)
{
	const struct gw_pv_layout *l = gw_pv_layout(width);

	if (!l)
		return;
	count_bits("evtchn_pending", data, len, l->shared_pending, l->shared_evtchn_len, fn,
		   opaque);
	count_bits("evtchn_masked", data, len, l->shared_mask, l->shared_evtchn_len, fn, opaque);
	gw_fields_walk(width == 8 ? rows_shared64 : rows_shared32, data, len, fn, opaque);
}

const char *gw_tsc_mode_name(uint32_t mode)
{
	static const char *const names[] = {"default", "always_emulate", "never_emulate",
					    "pvrdtscp"};

	return mode < GW_ARRAY_SIZE(names) ? names[mode] : NULL;
}
