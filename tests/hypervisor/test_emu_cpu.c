/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the built-in machine's processor: it executes what its policy has, a policy loses the
 * features that are taken away, CPUID shows the domain's policy, and all registers survive a move.
 */
#include "emu_bench.h"

#include <unistd.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/cpu_models.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/emu/emu.h"
#include "hypervisor/host.h"
#include "lib/random.h"

static void run(struct guest *g, struct gw_hvm_cpu *cpu)
{
	guest_set_cpu(g, cpu);
	guest_unpause(g);
	guest_wait_halted(g);
	if (gw_control_crash_text(g->d->control)[0])
		fail_msg("%s", gw_control_crash_text(g->d->control));
	guest_cpu(g, cpu);
}

/* One instruction of each feature, with a register or [esp] as the operand. */
static const struct {
	const char *feature, *code;
	size_t len;
} samples[] = {
#define S(feature, code)                                                                           \
	{                                                                                          \
		feature, code, sizeof(code) - 1                                                    \
	}
	S("fpu", "\xd9\xe8\xdd\xd8"),
	S("tsc", "\x0f\x31"),
	S("cx8", "\x0f\xc7\x0c\x24"),
	S("cmov", "\x0f\x44\xc0"),
	S("clflush", "\x0f\xae\x3c\x24"),
	S("mmx", "\x0f\xd7\xc0\x0f\x77"),
	S("fxsr", "\x0f\xae\x04\x24"),
	S("sse", "\x0f\x58\xc0"),
	S("sse2", "\x66\x0f\x58\xc0"),
	S("sse3", "\x66\x0f\xd0\xc0"),
	S("pclmulqdq", "\x66\x0f\x3a\x44\xc1\x11"),
	S("ssse3", "\x66\x0f\x38\x00\xc0"),
	S("sse4_1", "\x66\x0f\x38\x40\xc0"),
	S("sse4_2", "\xf2\x0f\x38\xf1\xc0"),
	S("movbe", "\x0f\x38\xf0\x04\x24"),
	S("popcnt", "\xf3\x0f\xb8\xc0"),
	S("aesni", "\x66\x0f\x38\xdc\xc0"),
	S("rdrand", "\x0f\xc7\xf0"),
	S("bmi1", "\xc4\xe2\x78\xf2\xc0"),
	S("bmi2", "\xc4\xe3\x7b\xf0\xc0\x01"),
	S("adx", "\x66\x0f\x38\xf6\xc0"),
	S("clflushopt", "\x66\x0f\xae\x3c\x24"),
	S("clwb", "\x66\x0f\xae\x34\x24"),
	S("abm", "\xf3\x0f\xbd\xc0"),
	S("sse4a", "\x66\x0f\x79\xc0"),
	S("3dnow", "\x0f\x0f\xc0\x9e\x0f\x77"),
	S("3dnowprefetch", "\x0f\x0d\x0c\x24"),
	S("rdtscp", "\x0f\x01\xf9"),
#undef S
};

static void promised_features_run(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t code[64];
	struct guest *g = guest_raw("", "\xf4", 1, 512);
	struct gw_policy policy = {0};
	struct gw_hvm_cpu cpu;

	assert_ok(gw_host_policy(g->host, GW_GUEST_X86_HVM, &policy, &err), &err);
	guest_cpu(g, &cpu);
	cpu.cr4 = 0x600; /* OSFXSR, OSXMMEXCPT */
	cpu.gpr[GW_HVM_RSP] = 0x180000;
	for (size_t i = 0; i < GW_ARRAY_SIZE(samples); i++) {
		struct gw_cpu_feature feature;
		struct gw_hvm_cpu now = cpu;

		if (!gw_cpu_feature_find(samples[i].feature, &feature) ||
		    !gw_policy_has_feature(&policy, &feature))
			fail_msg("%s is not promised", samples[i].feature);
		memcpy(code, samples[i].code, samples[i].len);
		memcpy(code + samples[i].len, "\xf4\xeb\xfd", 3);
		guest_write(g, 0x100, 0, code, samples[i].len + 3);
		run(g, &now);
		assert_int_equal(now.rip, 0x100000 + samples[i].len + 1);
	}
	gw_policy_free(&policy);
	guest_free(g);
}

/* A 64-bit vCPU in identity-mapped memory that runs code at 1 MiB. */
static struct guest *wide_guest(const void *code, size_t len, struct gw_hvm_cpu *cpu)
{
	struct guest *g = guest_raw("", code, len, 512);
	uint8_t *table = guest_page(g, 0x10);

	gw_put_le64(table, 0x11003);
	gw_put_le64(table + 4096, 0x12003);
	gw_put_le64(table + 8192, 0x83);
	guest_cpu(g, cpu);
	cpu->cr4 = 0x620;
	cpu->cr3 = 0x10000;
	cpu->cr0 = 0x80000011;
	cpu->efer = 0x500;
	cpu->seg[GW_HVM_CS].ar = 0xa9b;
	return g;
}

/* Where the machine would look up other memory than the processor, a restore says so. */
static void paging_is_refused(void **state)
{
	static const struct {
		uint64_t rip, rsp;
		const char *why; /* NULL: accepted */
	} cases[] = {
		{0x100000, 0x180000, NULL},
		{0x100000, UINT64_C(0xffff800000000000), NULL}, /* no stack yet */
		{0x40100000, 0x180000,
		 "its code at virtual address 0x40100000 has the physical address 0x100000"},
		{0x100000, 0x40180000,
		 "its stack at virtual address 0x40180000 has the physical address 0x180000"},
		{UINT64_C(0xffff800000100000), 0x180000,
		 "its page tables have no page for its code at 0xffff800000100000"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_hvm_cpu cpu;
		struct guest *g = wide_guest("\xf4", 1, &cpu);

		/* The second GiB is the first one again. */
		gw_put_le64((uint8_t *)guest_page(g, 0x11) + 8, 0x12003);
		cpu.rip = cases[i].rip;
		cpu.gpr[GW_HVM_RSP] = cases[i].rsp;
		guest_set_cpu(g, &cpu);
		if (cases[i].why)
			assert_fails(gw_control_restored(g->d->control, &err), &err, GW_UNSUPPORTED,
				     cases[i].why);
		else
			assert_ok(gw_control_restored(g->d->control, &err), &err);
		guest_free(g);
	}
}

/* Results as the instructions' definitions or this machine's own CPU give them. */
static void added_instructions_are_right(void **state)
{
	static const uint8_t code[] = {
		0xf3, 0x48, 0x0f, 0xb8, 0xc3,			   /* popcnt rax, rbx */
		0x0f, 0x38, 0xf1, 0x1c, 0x24,			   /* movbe [rsp], ebx */
		0x8b, 0x0c, 0x24,				   /* mov ecx, [rsp] */
		0x4c, 0x0f, 0x38, 0xf0, 0x05, 0x29, 0,	  0,	0, /* movbe r8, [rip + 0x29] */
		0xf3, 0x48, 0x0f, 0xae, 0xd3,			   /* wrfsbase rbx */
		0xf3, 0x49, 0x0f, 0xae, 0xc1,			   /* rdfsbase r9 */
		0x66, 0x0f, 0x3a, 0x44, 0xc1, 0x00,		   /* pclmulqdq xmm0, xmm1, 0 */
		0x66, 0x41, 0x0f, 0x38, 0xf0, 0x54, 0x24, 0x02,	   /* movbe dx, [r12 + 2] */
		0x66, 0xf3, 0x0f, 0xb8, 0xf3,			   /* popcnt si, bx */
		0xf4, 0xeb, 0xfd,
	};
	struct gw_hvm_cpu cpu;
	uint8_t with_data[128] = {0};
	struct guest *g;

	memcpy(with_data, code, sizeof(code));
	/* The instruction after the third movbe is at offset 22; 22 + 0x29 is 63. */
	gw_put_le64(with_data + 63, UINT64_C(0x0102030405060708));
	g = wide_guest(with_data, sizeof(with_data), &cpu);
	cpu.gpr[GW_HVM_RBX] = UINT64_C(0x00001234f0f0a5a5);
	cpu.gpr[GW_HVM_RSP] = 0x180000;
	cpu.gpr[GW_HVM_R8 + 4] = 0x100000 + 61;
	cpu.gpr[GW_HVM_RDX] = UINT64_C(0xffffffffffffffff);
	cpu.gpr[GW_HVM_RSI] = UINT64_C(0xffffffffffff0000);
	cpu.flags = GW_HVM_CPU_FPU_VALID;
	gw_put_le16(cpu.fpu, 0x37f);
	gw_put_le32(cpu.fpu + 24, 0x1f80);
	gw_put_le64(cpu.fpu + 160, UINT64_C(0x8000000000000003));
	gw_put_le64(cpu.fpu + 176, 5);
	run(g, &cpu);
	assert_int_equal(cpu.gpr[GW_HVM_RAX], __builtin_popcountll(0x00001234f0f0a5a5));
	assert_int_equal(cpu.gpr[GW_HVM_RCX], 0xa5a5f0f0);
	assert_int_equal(cpu.gpr[GW_HVM_R8],
			 UINT64_C(0x0102030405060708) == 0 ? 0 : 0x0807060504030201);
	assert_int_equal(cpu.gpr[GW_HVM_R8 + 1], UINT64_C(0x00001234f0f0a5a5));
	assert_int_equal(cpu.seg[GW_HVM_FS].base, UINT64_C(0x00001234f0f0a5a5));
	/* (x^63 + x + 1) * (x^2 + 1) over GF(2) */
	assert_int_equal(gw_get_le64(cpu.fpu + 160), UINT64_C(0x800000000000000f));
	assert_int_equal(gw_get_le64(cpu.fpu + 168), 2);
	/* [0x100000 + 63] big-endian: 08 07. */
	assert_int_equal(cpu.gpr[GW_HVM_RDX], UINT64_C(0xffffffffffff0807));
	assert_int_equal(cpu.gpr[GW_HVM_RSI], UINT64_C(0xffffffffffff0008));
	guest_free(g);
}

static void cpuid_is_the_policys(void **state)
{
	/* cpuid; hlt */
	struct guest *g = guest_raw("", "\x0f\xa2\xf4\xeb\xfd", 5, 512);
	struct gw_hvm_cpu start, cpu;

	guest_cpu(g, &start);
	cpu = start;
	cpu.gpr[GW_HVM_RAX] = 0x40000000;
	run(g, &cpu);
	assert_true(cpu.gpr[GW_HVM_RAX] >= 0x40000002);
	assert_int_equal(cpu.gpr[GW_HVM_RBX], 0x566e6558); /* "XenV" */
	assert_int_equal(cpu.gpr[GW_HVM_RCX], 0x65584d4d);
	assert_int_equal(cpu.gpr[GW_HVM_RDX], 0x4d4d566e);
	cpu = start;
	cpu.gpr[GW_HVM_RAX] = 0x40000001;
	run(g, &cpu);
	assert_int_equal(cpu.gpr[GW_HVM_RAX], 4 << 16 | 17);
	guest_free(g);
}

/* CPUID in a guest of each model gives its policy, and zeros for what the policy does not have. */
static void cpuid_follows_the_model(void **state)
{
	static const struct {
		uint32_t first, last, subleaves;
	} ranges[] = {{0, 0x20, 4}, {0x80000000, 0x80000028, 1}, {0xc0000000, 0xc0000000, 1}};
	const struct gw_cpu_model *model;

	for (size_t i = 0; (model = gw_cpu_model(i)); i++) {
		struct guest *g = guest_raw("", "\x0f\xa2\xf4\xeb\xfd", 5, 512);
		struct gw_policy offered = {0}, policy = {0};
		struct gw_error err = GW_ERROR_INIT;
		struct gw_hvm_cpu start, cpu;

		assert_ok(gw_host_policy(g->host, GW_GUEST_X86_HVM, &offered, &err), &err);
		assert_ok(gw_cpu_model_policy(model->name, &offered, &policy, &err), &err);
		assert_ok(gw_domain_set_policy(g->d, &policy, &err), &err);
		guest_cpu(g, &start);
		for (size_t r = 0; r < GW_ARRAY_SIZE(ranges); r++)
			for (uint32_t n = 0;
			     n < (ranges[r].last - ranges[r].first + 1) * ranges[r].subleaves;
			     n++) {
				uint32_t leaf = ranges[r].first + n / ranges[r].subleaves;
				uint32_t subleaf = n % ranges[r].subleaves;
				const struct gw_cpuid_leaf zeros = {0},
							   *l = gw_policy_leaf(&policy, leaf,
									       subleaf);

				if (!l && gw_policy_leaf(&policy, leaf, GW_CPUID_NO_SUBLEAF) &&
				    gw_policy_leaf(&policy, leaf, 0)->subleaf ==
					    GW_CPUID_NO_SUBLEAF)
					l = gw_policy_leaf(&policy, leaf, 0);
				l = l ? l : &zeros;
				cpu = start;
				cpu.gpr[GW_HVM_RAX] = leaf;
				cpu.gpr[GW_HVM_RCX] = subleaf;
				run(g, &cpu);
				assert_int_equal(cpu.gpr[GW_HVM_RAX], l->a);
				assert_int_equal(cpu.gpr[GW_HVM_RBX], l->b);
				assert_int_equal(cpu.gpr[GW_HVM_RCX], l->c);
				assert_int_equal(cpu.gpr[GW_HVM_RDX], l->d);
			}
		gw_policy_free(&offered);
		gw_policy_free(&policy);
		guest_free(g);
	}
}

/* The contents of a leaf above the highest one are not shown, as on Xen. */
static void leaves_above_the_highest_are_hidden(void **state)
{
	struct gw_cpuid_leaf leaves[] = {{0, GW_CPUID_NO_SUBLEAF, 6, 1, 2, 3},
					 {7, 0, 0, 8, 0, 0},
					 {0x80000000, GW_CPUID_NO_SUBLEAF, 0x80000001, 0, 0, 0},
					 {0x80000008, GW_CPUID_NO_SUBLEAF, 0x3028, 0, 0, 0}};
	const struct gw_policy policy = {leaves, GW_ARRAY_SIZE(leaves), NULL, 0};
	struct guest *g = guest_raw("", "\x0f\xa2\xf4\xeb\xfd", 5, 512);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_hvm_cpu start, cpu;

	assert_ok(gw_domain_set_policy(g->d, &policy, &err), &err);
	guest_cpu(g, &start);
	for (int i = 0; i < 2; i++) {
		cpu = start;
		cpu.gpr[GW_HVM_RAX] = leaves[1 + 2 * i].leaf;
		cpu.gpr[GW_HVM_RCX] = 0;
		run(g, &cpu);
		assert_int_equal(cpu.gpr[GW_HVM_RAX], 0);
		assert_int_equal(cpu.gpr[GW_HVM_RBX], 0);
	}
	guest_free(g);
}

/* Bits that Xen accumulates over a pool, and another vendor, are no reason to refuse a guest. */
static void accumulated_bits_are_taken(void **state)
{
	static const char *const names[] = {"md_clear", "fs_gs_ns", "verw_clear", "no_lmsl"};
	struct guest *g = guest_new("lack=no_lmsl", 16);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_policy offered = {0}, policy = {0};
	struct gw_cpu_feature f;

	assert_ok(gw_host_policy(g->host, GW_GUEST_X86_HVM, &offered, &err), &err);
	assert_ok(gw_cpu_model_policy("portable-intel", &offered, &policy, &err), &err);
	for (size_t i = 0; i < GW_ARRAY_SIZE(names); i++) {
		assert_true(gw_cpu_feature_find(names[i], &f));
		assert_ok(gw_policy_set_feature(&policy, &f, true, &err), &err);
	}
	assert_ok(gw_domain_set_policy(g->d, &policy, &err), &err);
	assert_true(gw_cpu_feature_find("avx2", &f));
	assert_ok(gw_policy_set_feature(&policy, &f, true, &err), &err);
	assert_fails(gw_domain_set_policy(g->d, &policy, &err), &err, GW_REFUSED, "avx2");
	gw_policy_free(&offered);
	gw_policy_free(&policy);
	guest_free(g);
}

static void what_lacks_is_refused(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *all = guest_new("", 16), *less = guest_new("lack=sse4_2+rdrand", 16);
	struct gw_policy whole = {0}, part = {0};

	assert_ok(gw_host_policy(all->host, GW_GUEST_X86_HVM, &whole, &err), &err);
	assert_ok(gw_host_policy(less->host, GW_GUEST_X86_HVM, &part, &err), &err);
	/* The smaller policy fits both domains, the larger only the host that has all of it. */
	assert_ok(gw_domain_set_policy(all->d, &part, &err), &err);
	assert_ok(gw_domain_set_policy(less->d, &part, &err), &err);
	assert_fails(gw_domain_set_policy(less->d, &whole, &err), &err, GW_REFUSED, "sse4");
	assert_true(gw_domain_set_policy(less->d, &whole, &err) < 0);
	assert_non_null(strstr(err.text, "rdrand"));
	gw_error_clear(&err);
	assert_null(gw_emu_host_open("lack=warp", &err));
	assert_int_equal(err.code, GW_USAGE);
	gw_policy_free(&whole);
	gw_policy_free(&part);
	guest_free(all);
	guest_free(less);
}

static void fill(void *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = (uint8_t)random64();
}

/* A jmp to itself: registers that were set must be the same after some running. */
static void registers_survive_running(void **state)
{
	for (int wide = 0; wide < 2; wide++) {
		struct gw_hvm_cpu cpu, now;
		struct guest *g = wide_guest("\xeb\xfe", 2, &cpu);
		unsigned gprs = wide ? GW_HVM_NR_GPRS : GW_HVM_R8, xmms = wide ? 16 : 8;

		if (!wide) {
			guest_free(g);
			g = guest_raw("", "\xeb\xfe", 2, 512);
			guest_cpu(g, &cpu);
		}
		for (unsigned i = 0; i < gprs; i++) {
			fill(&cpu.gpr[i], 8);
			if (!wide)
				cpu.gpr[i] &= UINT32_MAX;
		}
		cpu.rflags = 0xad7; /* OF ZF SF PF CF AF IF */
		cpu.cr2 = 0x12345000;
		cpu.dr0 = 0x1000;
		cpu.seg[GW_HVM_FS].base = 0x123000;
		cpu.seg[GW_HVM_GS].base = 0x456000;
		cpu.shadow_gs = wide ? UINT64_C(0x00007fff12345678) : 0;
		cpu.sysenter_eip = 0x777;
		cpu.lstar = wide ? UINT64_C(0x00007fff87654321) : 0;
		cpu.idtr = (struct gw_hvm_table){.base = 0x5000, .limit = 0x7ff};
		cpu.flags = GW_HVM_CPU_FPU_VALID;
		memset(cpu.fpu, 0, sizeof(cpu.fpu));
		gw_put_le16(cpu.fpu, 0x27f);
		gw_put_le16(cpu.fpu + 2, 0x3000); /* top of stack 6 */
		cpu.fpu[4] = 0xc0;		  /* two registers are used */
		gw_put_le32(cpu.fpu + 24, 0x3f80);
		for (int i = 0; i < 2; i++) {
			fill(cpu.fpu + 32 + 16 * i, 8);
			cpu.fpu[32 + 16 * i + 7] |= 0x80;
			gw_put_le16(cpu.fpu + 40 + 16 * i, 0x4001);
		}
		fill(cpu.fpu + 160, 16 * xmms);
		guest_set_cpu(g, &cpu);
		guest_unpause(g);
		usleep(3000);
		guest_pause(g);
		guest_cpu(g, &now);
		assert_memory_equal(now.gpr, cpu.gpr, sizeof(cpu.gpr));
		assert_int_equal(now.rip, cpu.rip);
		assert_int_equal(now.rflags, cpu.rflags);
		assert_int_equal(now.cr0, cpu.cr0);
		assert_int_equal(now.cr2, cpu.cr2);
		assert_int_equal(now.cr3, cpu.cr3);
		assert_int_equal(now.cr4, cpu.cr4);
		assert_int_equal(now.efer, cpu.efer);
		assert_int_equal(now.dr0, cpu.dr0);
		assert_int_equal(now.dr7, cpu.dr7);
		assert_memory_equal(now.seg, cpu.seg, sizeof(cpu.seg));
		assert_int_equal(now.idtr.base, cpu.idtr.base);
		assert_int_equal(now.idtr.limit, cpu.idtr.limit);
		assert_int_equal(now.shadow_gs, cpu.shadow_gs);
		assert_int_equal(now.sysenter_eip, cpu.sysenter_eip);
		assert_int_equal(now.lstar, cpu.lstar);
		assert_int_equal(now.flags, cpu.flags);
		assert_memory_equal(now.fpu, cpu.fpu, 28);
		assert_memory_equal(now.fpu + 32, cpu.fpu + 32, 480 - 32);
		guest_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(promised_features_run),
		cmocka_unit_test(added_instructions_are_right),
		cmocka_unit_test(paging_is_refused),
		cmocka_unit_test(cpuid_is_the_policys),
		cmocka_unit_test(cpuid_follows_the_model),
		cmocka_unit_test(leaves_above_the_highest_are_hidden),
		cmocka_unit_test(accumulated_bits_are_taken),
		cmocka_unit_test(what_lacks_is_refused),
		cmocka_unit_test(registers_survive_running),
	};

	bench_require();
	return cmocka_run_group_tests_name("emu_cpu", tests, NULL, NULL);
}
