/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the offsets of pv_layout.h against structures laid out by a C compiler. They are declared
 * here after Xen's public ABI, as far as offsets depend on it, for both widths.
 */
#include "lib/gwtest.h"

#include "format/x86/pv_layout.h"

struct start_info64 {
	char magic[32];
	uint64_t nr_pages, shared_info;
	uint32_t flags;
	uint64_t store_mfn;
	uint32_t store_evtchn;
	struct {
		uint64_t mfn;
		uint32_t evtchn;
	} domU;
};

struct start_info32 {
	char magic[32];
	uint32_t nr_pages, shared_info, flags, store_mfn, store_evtchn;
	struct {
		uint32_t mfn, evtchn;
	} domU;
};

struct shared_info64 {
	uint8_t vcpu_info[32][64];
	uint64_t pending[64], mask[64];
	uint32_t wc_version, wc_sec, wc_nsec, wc_sec_hi;
	struct {
		uint64_t max_pfn, fll, nmi_reason, p2m_cr3, p2m_vaddr, p2m_generation;
	} arch;
};

struct shared_info32 {
	uint8_t vcpu_info[32][64];
	uint32_t pending[32], mask[32];
	uint32_t wc_version, wc_sec, wc_nsec;
	struct {
		uint32_t max_pfn, fll, nmi_reason, p2m_cr3, p2m_vaddr, p2m_generation, wc_sec_hi;
	} arch;
};

struct vcpu64 {
	uint8_t fpu[512];
	uint64_t flags;
	struct {
		uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
		uint32_t error_code, entry_vector;
		uint64_t rip;
		uint16_t cs, pad0[1];
		uint8_t saved_upcall_mask, pad1[3];
		uint64_t rflags, rsp;
		struct {
			uint16_t sel, pad[3];
		} ss, es, ds, fs, gs;
	} regs;
	struct {
		uint8_t vector, flags;
		uint16_t cs;
		uint64_t address;
	} traps[256];
	uint64_t ldt_base, ldt_ents, gdt_frames[16], gdt_ents, kernel_ss, kernel_sp, cr[8], dr[8],
		event_eip, failsafe_eip, syscall_eip, vm_assist, fs_base, gs_base_kernel,
		gs_base_user;
};

struct vcpu32 {
	uint8_t fpu[512];
	uint32_t flags;
	struct {
		uint32_t ebx, ecx, edx, esi, edi, ebp, eax;
		uint16_t error_code, entry_vector;
		uint32_t eip;
		uint16_t cs;
		uint8_t saved_upcall_mask, pad0;
		uint32_t eflags, esp;
		struct {
			uint16_t sel, pad;
		} ss, es, ds, fs, gs;
	} regs;
	struct {
		uint8_t vector, flags;
		uint16_t cs;
		uint32_t address;
	} traps[256];
	uint32_t ldt_base, ldt_ents, gdt_frames[16], gdt_ents, kernel_ss, kernel_sp, cr[8], dr[8],
		event_cs, event_eip, failsafe_cs, failsafe_eip, vm_assist;
};

#define SAME(field, structure, member)                                                             \
	assert_int_equal(l->field, offsetof(struct structure, member))

static void test_64(void **state)
{
	const struct gw_pv_layout *l = gw_pv_layout(8);

	assert_int_equal(l->vcpu_size, sizeof(struct vcpu64));
	SAME(vcpu_flags, vcpu64, flags);
	SAME(vcpu_edx, vcpu64, regs.rdx);
	SAME(vcpu_gdt, vcpu64, gdt_frames);
	SAME(vcpu_gdt_ents, vcpu64, gdt_ents);
	SAME(vcpu_cr, vcpu64, cr);
	SAME(shared_pending, shared_info64, pending);
	SAME(shared_mask, shared_info64, mask);
	SAME(shared_arch, shared_info64, arch);
	assert_int_equal(l->shared_evtchn_len, sizeof(((struct shared_info64 *)0)->mask));
	assert_int_equal(l->shared_arch_len, sizeof(((struct shared_info64 *)0)->arch));
	assert_int_equal(l->shared_arch + l->arch_fll, offsetof(struct shared_info64, arch.fll));
	assert_int_equal(l->shared_arch + l->arch_p2m_cr3,
			 offsetof(struct shared_info64, arch.p2m_cr3));
	assert_int_equal(l->shared_arch + l->arch_p2m_vaddr,
			 offsetof(struct shared_info64, arch.p2m_vaddr));
	assert_int_equal(l->shared_arch + l->arch_p2m_generation,
			 offsetof(struct shared_info64, arch.p2m_generation));
	SAME(start_nr_pages, start_info64, nr_pages);
	SAME(start_shared_info, start_info64, shared_info);
	SAME(start_flags, start_info64, flags);
	SAME(start_store, start_info64, store_mfn);
	SAME(start_store_evtchn, start_info64, store_evtchn);
	SAME(start_console, start_info64, domU.mfn);
	SAME(start_console_evtchn, start_info64, domU.evtchn);
}

static void test_32(void **state)
{
	const struct gw_pv_layout *l = gw_pv_layout(4);

	assert_int_equal(l->vcpu_size, sizeof(struct vcpu32));
	SAME(vcpu_flags, vcpu32, flags);
	SAME(vcpu_edx, vcpu32, regs.edx);
	SAME(vcpu_gdt, vcpu32, gdt_frames);
	SAME(vcpu_gdt_ents, vcpu32, gdt_ents);
	SAME(vcpu_cr, vcpu32, cr);
	SAME(shared_pending, shared_info32, pending);
	SAME(shared_mask, shared_info32, mask);
	SAME(shared_arch, shared_info32, arch);
	assert_int_equal(l->shared_evtchn_len, sizeof(((struct shared_info32 *)0)->mask));
	assert_int_equal(l->shared_arch_len, sizeof(((struct shared_info32 *)0)->arch));
	assert_int_equal(l->shared_arch + l->arch_fll, offsetof(struct shared_info32, arch.fll));
	assert_int_equal(l->shared_arch + l->arch_p2m_cr3,
			 offsetof(struct shared_info32, arch.p2m_cr3));
	assert_int_equal(l->shared_arch + l->arch_p2m_vaddr,
			 offsetof(struct shared_info32, arch.p2m_vaddr));
	assert_int_equal(l->shared_arch + l->arch_p2m_generation,
			 offsetof(struct shared_info32, arch.p2m_generation));
	SAME(start_nr_pages, start_info32, nr_pages);
	SAME(start_shared_info, start_info32, shared_info);
	SAME(start_flags, start_info32, flags);
	SAME(start_store, start_info32, store_mfn);
	SAME(start_store_evtchn, start_info32, store_evtchn);
	SAME(start_console, start_info32, domU.mfn);
	SAME(start_console_evtchn, start_info32, domU.evtchn);
}

static void test_cr3(void **state)
{
	const struct gw_pv_layout *l8 = gw_pv_layout(8), *l4 = gw_pv_layout(4);
	static const uint64_t frames[] = {0, 1, 0xfffff, 0x100000, 0xabcde123, 0xffffffff};

	assert_null(gw_pv_layout(0));
	assert_null(gw_pv_layout(16));
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		assert_int_equal(gw_pv_cr3_to_frame(l8, gw_pv_frame_to_cr3(l8, frames[i])),
				 frames[i]);
		assert_int_equal(gw_pv_cr3_to_frame(l4, gw_pv_frame_to_cr3(l4, frames[i])),
				 frames[i]);
	}
	assert_int_equal(gw_pv_frame_to_cr3(l8, 0xabcde123), 0xabcde123000);
	assert_int_equal(gw_pv_frame_to_cr3(l4, 0xabcde123), 0xde123abc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_64),
		cmocka_unit_test(test_32),
		cmocka_unit_test(test_cr3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
