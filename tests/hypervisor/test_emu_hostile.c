/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests hostile input to the built-in machine: streams and files that it must refuse, and guests
 * whose actions must only harm themselves.
 */
#include "emu_bench.h"

#include "base/bytes.h"
#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/machine/machine.h"
#include "hypervisor/host.h"
#include "hypervisor/pvh/boot.h"
#include "hypervisor/pvh/elf.h"
#include "lib/random.h"

#define HEAD 40

static struct guest *paused_guest(void)
{
	struct guest *g = guest_boot("", "32", "pages=8 period=10", 1024);

	guest_unpause(g);
	guest_wait(g, 0, "beat 1 ");
	guest_pause(g);
	return g;
}

static void xenabi_is_checked(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = paused_guest(), *other = guest_new("", 1024);
	uint8_t *blob, *bad;
	size_t len;

	assert_ok(gw_domain_get_extra(g->d, GW_EXTRA_XENABI, (void **)&blob, &len, &err), &err);
	assert_int_equal(len, HEAD + 8 + GW_PAGE_SIZE);
	assert_ok(gw_domain_set_extra(other->d, GW_EXTRA_XENABI, blob, len, &err), &err);
	for (size_t cut = 0; cut < len; cut += cut < 64 ? 1 : 97) {
		assert_fails(gw_domain_set_extra(other->d, GW_EXTRA_XENABI, blob, cut, &err), &err,
			     GW_INVALID, "GODWIT_XENABI");
	}
	bad = malloc(len + 8);
#define REFUSED(offset, bits, value, code, part)                                                   \
	do {                                                                                       \
		memcpy(bad, blob, len);                                                            \
		gw_put_le##bits(bad + (offset), (value));                                          \
		assert_fails(gw_domain_set_extra(other->d, GW_EXTRA_XENABI, bad, len, &err), &err, \
			     code, part);                                                          \
	} while (0)
	REFUSED(0, 32, 2, GW_UNSUPPORTED, "version 2");
	REFUSED(4, 32, 8, GW_INVALID, "unknown flags");
	REFUSED(8, 64, UINT64_MAX, GW_INVALID, "beyond the domain's memory");
	REFUSED(16, 64, UINT64_C(1) << 40, GW_INVALID, "hypercall page");
	REFUSED(24, 32, 3, GW_INVALID, "suspend port");
	REFUSED(24, 32, UINT32_MAX, GW_INVALID, "suspend port");
	REFUSED(28, 32, UINT32_MAX, GW_INVALID, "length");
	REFUSED(28, 32, 2, GW_INVALID, "length");
	REFUSED(32, 64, 1, GW_INVALID, "reserved");
	REFUSED(HEAD, 32, 0, GW_INVALID, "port");
	REFUSED(HEAD, 32, 1024, GW_INVALID, "port");
	REFUSED(HEAD + 4, 32, 0x8000, GW_INVALID, "has no peer domain");
#undef REFUSED
	/* The refused one changed nothing. */
	assert_int_equal(gw_machine_suspend_port(gw_machine_of(other->d)), 1);
	free(bad);
	free(blob);
	guest_free(other);
	guest_free(g);
}

static void random_state_is_survived(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = paused_guest();
	uint8_t *blob[2], *bad = malloc(1 << 16);
	size_t len[2];

	assert_ok(gw_domain_get_extra(g->d, GW_EXTRA_XENABI, (void **)&blob[0], &len[0], &err),
		  &err);
	assert_ok(gw_domain_get_context(g->d, (void **)&blob[1], &len[1], &err), &err);
	for (int i = 0; i < 3000; i++) {
		int which = i & 1;
		size_t n = len[which];

		memcpy(bad, blob[which], n);
		for (int flips = random64() % 4; flips >= 0; flips--)
			bad[(size_t)random64() % (which ? n : HEAD + 8)] = (uint8_t)random64();
		if (random64() % 8 == 0)
			n = (size_t)random64() % n;
		gw_error_clear(&err);
		if (which)
			gw_domain_set_context(g->d, bad, n, &err);
		else
			gw_domain_set_extra(g->d, GW_EXTRA_XENABI, bad, n, &err);
		gw_error_clear(&err);
		/* Whatever was accepted, the domain can be made ready, or the call gives a
		 * reason. */
		gw_control_restored(g->d->control, &err);
	}
	free(bad);
	free(blob[0]);
	free(blob[1]);
	guest_free(g);
}

static void contexts_are_checked(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	static const uint8_t hlt[] = {0xf4};
	struct guest *g = guest_raw("", hlt, sizeof(hlt), 512);
	struct gw_hvm_cpu cpu, other;
	struct gw_buffer blob = {0};
	uint8_t raw[GW_HVM_CPU_SIZE];
	struct gw_hvm_entry entry;
	void *whole;
	size_t len;

	guest_cpu(g, &cpu);
	assert_ok(gw_domain_get_context(g->d, &whole, &len, &err), &err);
	assert_int_equal(gw_hvm_find(whole, len, GW_HVM_CPU, 0, &entry, &err), 1);
#define REFUSED(field, value, part)                                                                \
	do {                                                                                       \
		other = cpu;                                                                       \
		other.field = (value);                                                             \
		gw_hvm_cpu_encode(raw, &other);                                                    \
		gw_buffer_reset(&blob);                                                            \
		assert_ok(gw_buffer_append(&blob, whole, len, &err), &err);                        \
		memcpy(blob.data + entry.offset + GW_HVM_DESCRIPTOR_SIZE, raw, sizeof(raw));       \
		assert_fails(gw_domain_set_context(g->d, blob.data, blob.len, &err), &err,         \
			     GW_UNSUPPORTED, part);                                                \
	} while (0)
	REFUSED(cr0, 0, "real mode");
	REFUSED(rflags, 0x20002, "8086");
	REFUSED(efer, 0x500, "compatibility");
	REFUSED(seg[GW_HVM_CS].ar, 0x89b, "16-bit");
	REFUSED(seg[GW_HVM_DS].base, 0x1000, "not flat");
#undef REFUSED
	/* Two vCPUs are more than the domain has. */
	gw_buffer_reset(&blob);
	assert_ok(gw_buffer_append(&blob, whole, entry.offset, &err), &err);
	gw_hvm_cpu_encode(raw, &cpu);
	assert_ok(gw_hvm_entry_append(&blob, GW_HVM_CPU, 0, raw, sizeof(raw), &err), &err);
	assert_ok(gw_hvm_entry_append(&blob, GW_HVM_CPU, 1, raw, sizeof(raw), &err), &err);
	assert_ok(gw_hvm_entry_append(&blob, GW_HVM_END, 0, NULL, 0, &err), &err);
	assert_fails(gw_domain_set_context(g->d, blob.data, blob.len, &err), &err, GW_UNSUPPORTED,
		     "more than one vCPU");
	gw_buffer_free(&blob);
	free(whole);
	guest_free(g);
}

/* Runs code until the built-in machine stops it with this reason. */
static void crashes(const char *code, size_t len, const char *why)
{
	struct guest *g = guest_raw("", code, len, 512);

	guest_unpause(g);
	guest_wait_halted(g);
	if (!strstr(gw_control_crash_text(g->d->control), why))
		fail_msg("\"%s\" does not contain \"%s\"", gw_control_crash_text(g->d->control),
			 why);
	guest_free(g);
}
#define CRASHES(code, why) crashes(code, sizeof(code) - 1, why)

static void guests_that_go_astray_stop(void **state)
{
	CRASHES("\xc6\x05\x00\x00\x90\x00\x05", "wrote to address 0x900000");
	CRASHES("\xa1\x00\x00\x90\x00", "read address 0x900000");
	CRASHES("\xb8\x00\x00\x90\x00\xff\xe0", "ran into address 0x900000");
	CRASHES("\x0f\x0b", "unknown to the built-in machine");
	CRASHES("\xcc", "interrupt 3");
	CRASHES("\x31\xc9\xf7\xf1", "interrupt 0");
	/* mov ecx, EFER; mov eax, LME; xor edx, edx; wrmsr */
	CRASHES("\xb9\x80\x00\x00\xc0\xb8\x00\x01\x00\x00\x31\xd2\x0f\x30", "enables long mode");
}

/* Hypercalls with invalid buffers return an error: mov eax, NR; mov ebx, OP; mov ecx, BAD; vmmcall;
 * hlt */
static void bad_buffers_are_refused(void **state)
{
	static const struct {
		uint8_t nr, op;
		int32_t wanted;
	} calls[] = {
		{12, 7, -14}, {17, 6, -14}, {29, 2, -14}, {32, 6, -14}, {32, 3, -14},
		{32, 5, -14}, {34, 0, -14}, {34, 1, -14}, {99, 0, -38}, {29, 77, -38},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(calls); i++) {
		uint8_t code[] = {0xb8, calls[i].nr, 0,	   0,	 0,    0xbb, calls[i].op,
				  0,	0,	     0,	   0xb9, 0xfe, 0xff, 0x1f,
				  0x00, 0x0f,	     0x01, 0xd9, 0xf4, 0xeb, 0xfd};
		struct guest *g = guest_raw("", code, sizeof(code), 512);
		struct gw_hvm_cpu cpu;

		/* 0x1ffffe: the last two bytes of memory. */
		guest_unpause(g);
		guest_wait_halted(g);
		guest_cpu(g, &cpu);
		assert_int_equal((int32_t)cpu.gpr[GW_HVM_RAX], calls[i].wanted);
		guest_free(g);
	}
}

static void elf_files_are_checked(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_pvh_elf elf;
	size_t len;
	uint8_t *file = bench_guest_file("64", &len), *bad = malloc(len);

	assert_ok(gw_pvh_elf_parse(&elf, file, len, &err), &err);
	assert_true(elf.has_entry32 && elf.has_entry64);
	assert_fails(gw_pvh_elf_parse(&elf, "no ELF", 6, &err), &err, GW_INVALID, "not an ELF");
	for (int i = 0; i < 20000; i++) {
		size_t n = random64() % 4 ? len : (size_t)random64() % len;
		uint64_t sum = 0;

		memcpy(bad, file, n);
		for (int flips = random64() % 3; flips >= 0 && n; flips--)
			bad[(size_t)random64() % (random64() % 2 ? GW_MIN(n, (size_t)200) : n)] =
				(uint8_t)random64();
		gw_error_clear(&err);
		if (gw_pvh_elf_parse(&elf, bad, n, &err) < 0)
			continue;
		/* The segments of an accepted file lie within it. */
		for (unsigned s = 0; s < elf.nr_segments; s++)
			for (uint64_t b = 0; b < elf.segment[s].file_size; b += 64)
				sum += elf.segment[s].bytes[b];
		assert_true(sum < UINT64_MAX);
	}
	free(bad);
	free(file);
}

static void boots_that_cannot_be(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = guest_new("", 1024);
	size_t len;
	void *file = bench_guest_file("32", &len);

	assert_fails(gw_pvh_boot(g->d, file, len, NULL, 128, &err), &err, GW_INVALID, "beyond");
	assert_fails(gw_pvh_boot(g->d, file, len, NULL, 0, &err), &err, GW_USAGE,
		     "pages of memory");
	assert_fails(gw_pvh_boot(g->d, file, len, NULL, 2048, &err), &err, GW_INVALID,
		     "exceeds the domain's");
	free(file);
	guest_free(g);
}

static void memory_calls_are_checked(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = guest_new("", 16);
	uint64_t gfns[2] = {5, 5}, out[2];
	struct gw_mapping mapping;
	struct gw_domain_info info;
	void *pages[2];
	uint8_t types[2];

	assert_fails(gw_domain_populate(g->d, 2, gfns, out, &err), &err, GW_INVALID, "already");
	gfns[1] = UINT64_C(1) << 52;
	assert_fails(gw_domain_populate(g->d, 2, gfns, out, &err), &err, GW_INVALID, "beyond");
	assert_ok(gw_domain_info(g->d, &info, &err), &err);
	assert_int_equal(info.nr_pages, 0);
	assert_fails(gw_domain_map(g->d, 1, gfns, true, pages, &mapping, &err), &err, GW_INVALID,
		     "no page");
	gfns[1] = GW_INVALID_PFN;
	assert_ok(gw_domain_page_types(g->d, 2, gfns, types, &err), &err);
	assert_int_equal(types[0], GW_PAGE_XTAB);
	assert_int_equal(types[1], GW_PAGE_XTAB);
	for (uint64_t i = 0; i < 16; i++)
		assert_ok(gw_domain_populate(g->d, 1, &i, out, &err), &err);
	gfns[0] = 16;
	assert_fails(gw_domain_populate(g->d, 1, gfns, out, &err), &err, GW_INVALID,
		     "exceeds the domain's 16 pages");
	guest_free(g);
}

/* Memory in more pieces than Unicorn can handle is refused before Unicorn sees it. */
static void scattered_memory_is_refused(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = guest_new("", 4096);
	uint64_t same;

	for (uint64_t gfn = 0; gfn < 5000; gfn += 2)
		assert_ok(gw_domain_populate(g->d, 1, &gfn, &same, &err), &err);
	guest_set_entry(g, 0x100000);
	assert_fails(gw_control_restored(g->d->control, &err), &err, GW_UNSUPPORTED, "pieces");
	guest_free(g);
}

static void domains_that_cannot_be(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("emu:", &err);
	struct gw_domain_config config = {.type = GW_GUEST_X86_HVM, .max_pages = 16, .vcpus = 2};

	assert_non_null(host);
	assert_null(gw_host_create(host, &config, &err));
	assert_int_equal(err.code, GW_UNSUPPORTED);
	gw_error_clear(&err);
	config.vcpus = 1;
	config.type = GW_GUEST_X86_PV;
	assert_null(gw_host_create(host, &config, &err));
	assert_int_equal(err.code, GW_UNSUPPORTED);
	gw_error_clear(&err);
	gw_host_close(host);
	assert_null(gw_host_open("emu:?speed=11", &err));
	assert_int_equal(err.code, GW_USAGE);
}

/* A guest that waits for its LAPIC would wait for ever. */
static void a_lapic_in_use_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		const char *words; /* NULL: taken */
	} cases[] = {
		{0x200 + 2 * 16, 1u << 17, "an interrupt waits in the guest's"},
		{0x380, 1000, "the timer of the guest's runs"},
		{0x390, 1000, NULL},
	};
	struct guest *g = guest_boot("", "32", "", 512);

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_hvm_entry regs;
		void *blob;
		size_t len;
		uint8_t *at;

		assert_ok(gw_domain_get_context(g->d, &blob, &len, &err), &err);
		assert_int_equal(gw_hvm_find(blob, len, GW_HVM_LAPIC_REGS, 0, &regs, &err), 1);
		at = (uint8_t *)blob + (regs.data - (uint8_t *)blob);
		gw_put_le32(at + 0x320, 0x20052); /* the timer is not masked */
		gw_put_le32(at + cases[i].at, cases[i].value);
		if (cases[i].words)
			assert_fails(gw_domain_set_context(g->d, blob, len, &err), &err,
				     GW_UNSUPPORTED, cases[i].words);
		else
			assert_ok(gw_domain_set_context(g->d, blob, len, &err), &err);
		free(blob);
	}
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xenabi_is_checked),
		cmocka_unit_test(a_lapic_in_use_is_refused),
		cmocka_unit_test(random_state_is_survived),
		cmocka_unit_test(contexts_are_checked),
		cmocka_unit_test(guests_that_go_astray_stop),
		cmocka_unit_test(bad_buffers_are_refused),
		cmocka_unit_test(elf_files_are_checked),
		cmocka_unit_test(boots_that_cannot_be),
		cmocka_unit_test(memory_calls_are_checked),
		cmocka_unit_test(scattered_memory_is_refused),
		cmocka_unit_test(domains_that_cannot_be),
	};

	bench_require();
	return cmocka_run_group_tests_name("emu_hostile", tests, NULL, NULL);
}
