/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests a vCPU's state on KVM: what is put in comes back from KVM after the guest has run, record
 * by record and field by field; what Xen has no record for comes back in GODWIT_KVM.
 */
#include "emu_bench.h"

#include <unistd.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/cpu_models.h"
#include "format/x86/kvm_state.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/kvm/domain.h"
#include "hypervisor/machine/machine.h"
#include "lib/random.h"

#define PAGES 512u
#define CODE  0x100000u
#define PML4  0x2000u
#define PDPT  0x3000u
#define PD    0x4000u

#define TIMER_COUNT 0x40000000u /* lasts longer than any test */
#define PENDING	    0x51u	/* an interrupt that waits in the LAPIC, because IF is 0 */

/* Some KVMs hold the state of AVX without reporting the feature. */
#define FEATURES "offer=xsave+avx"

static const uint8_t spin[] = {0xeb, 0xfe};

/* A guest in long mode that runs code, with every CPU feature of this KVM. */
static struct guest *long_guest(const void *code, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_policy offered = {0}, policy = {0};
	struct guest *g = guest_raw(FEATURES, code, len, PAGES);
	uint64_t entry;

	assert_ok(gw_host_policy(g->host, GW_GUEST_X86_HVM, &offered, &err), &err);
	assert_ok(gw_cpu_model_policy("host", &offered, &policy, &err), &err);
	assert_ok(gw_domain_set_policy(g->d, &policy, &err), &err);
	gw_policy_free(&offered);
	gw_policy_free(&policy);
	entry = PDPT | 3;
	guest_write(g, PML4 / GW_PAGE_SIZE, 0, &entry, 8);
	entry = PD | 3;
	guest_write(g, PDPT / GW_PAGE_SIZE, 0, &entry, 8);
	entry = 0x83;
	guest_write(g, PD / GW_PAGE_SIZE, 0, &entry, 8);
	return g;
}

static bool has(struct guest *g, const char *name)
{
	struct gw_cpu_feature feature;

	return gw_cpu_feature_find(name, &feature) &&
	       gw_policy_has_feature(&gw_machine_of(g->d)->policy, &feature);
}

/* An address that is canonical with four levels of page tables. */
static uint64_t address(void)
{
	return random64() & 0x7fffffffffffu;
}

static void fill_cpu(struct guest *g, struct gw_hvm_cpu *c)
{
	const struct gw_hvm_segment data = {.selector = 16, .limit = UINT32_MAX, .ar = 0xc93};

	*c = (struct gw_hvm_cpu){
		.rip = CODE,
		.rflags = 2 | (random64() & 0x8d5), /* the arithmetic flags */
		.cr0 = 0x80000011,
		.cr2 = address(),
		.cr3 = PML4,
		.cr4 = 0x620 | (has(g, "xsave") ? 0x40000 : 0), /* PAE, SSE, XSAVE */
		.dr0 = address(),
		.dr1 = address(),
		.dr2 = address(),
		.dr3 = address(),
		.dr6 = 0xffff0ff0,
		.dr7 = 0x400,
		.idtr = {address(), 0xfff},
		.gdtr = {address(), 0x7f},
		.sysenter_cs = 0x1234,
		.sysenter_esp = address(),
		.sysenter_eip = address(),
		.shadow_gs = address(),
		.star = random64(),
		.lstar = address(),
		.cstar = address(),
		.syscall_mask = random64() & 0x3ffd7,
		.efer = 0x500 | (has(g, "syscall") ? 1 : 0),
		.tsc_aux = has(g, "rdtscp") || has(g, "rdpid") ? (uint32_t)random64() : 0,
		.tsc = random64() >> 8,
		.flags = GW_HVM_CPU_FPU_VALID,
	};
	for (int i = 0; i < GW_HVM_NR_GPRS; i++)
		c->gpr[i] = random64();
	for (int i = GW_HVM_DS; i <= GW_HVM_SS; i++)
		c->seg[i] = data;
	c->seg[GW_HVM_FS].base = address();
	c->seg[GW_HVM_GS].base = address();
	c->seg[GW_HVM_CS] =
		(struct gw_hvm_segment){.selector = 8, .limit = UINT32_MAX, .ar = 0xa9b};
	c->seg[GW_HVM_TR] = (struct gw_hvm_segment){
		.base = address(), .selector = 0x28, .limit = 0x67, .ar = 0x8b};
}

/* FXSAVE's area: control, status and tag words, MXCSR, ST0 to ST7, XMM0 to XMM15. */
static void fill_fpu(uint8_t *fpu)
{
	gw_put_le16(fpu, 0x27f);
	gw_put_le16(fpu + 2, 0x3800);
	fpu[4] = 0xff;
	gw_put_le32(fpu + 24, 0x1fa0);
	gw_put_le32(fpu + 28, 0x2ffff);
	for (int i = 0; i < 8; i++) {
		gw_put_le64(fpu + 32 + 16 * i, random64() | UINT64_C(1) << 63);
		gw_put_le16(fpu + 40 + 16 * i, 0x3fff);
	}
	for (int i = 0; i < 32; i++)
		gw_put_le64(fpu + 160 + 8 * i, random64());
}

static void add(struct gw_buffer *blob, uint16_t code, const void *data, uint32_t len)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_hvm_entry_append(blob, code, 0, data, len, &err), &err);
}

static void add_apic(struct gw_buffer *blob)
{
	uint8_t lapic[24] = {0}, regs[1024] = {0};

	gw_put_le64(lapic, 0xfee00900);
	gw_put_le32(lapic + 12, 16);
	gw_put_le32(regs + 0x30, 0x00050014);
	gw_put_le32(regs + 0x80, 0x20);	      /* task priority */
	gw_put_le32(regs + 0xd0, 0x01000000); /* logical destination */
	gw_put_le32(regs + 0xe0, UINT32_MAX);
	gw_put_le32(regs + 0xf0, 0x1ff); /* enabled */
	gw_put_le32(regs + 0x200 + PENDING / 32 * 16, 1u << PENDING % 32);
	gw_put_le32(regs + 0x320, 0x20050); /* the timer: periodic, vector 0x50 */
	for (size_t lvt = 0x330; lvt <= 0x370; lvt += 0x10)
		gw_put_le32(regs + lvt, 0x10000);
	gw_put_le32(regs + 0x380, TIMER_COUNT);
	gw_put_le32(regs + 0x390, TIMER_COUNT);
	gw_put_le32(regs + 0x3e0, 3); /* divided by 16 */
	add(blob, GW_HVM_LAPIC, lapic, sizeof(lapic));
	add(blob, GW_HVM_LAPIC_REGS, regs, sizeof(regs));
}

static void add_mtrr(struct gw_buffer *blob)
{
	uint8_t mtrr[240] = {0};

	gw_put_le64(mtrr, 0x0007010600070106); /* PAT with write-combining */
	gw_put_le64(mtrr + 8, 0xe0000000);     /* the first variable range: uncacheable */
	gw_put_le64(mtrr + 16, 0xfffe0000800);
	gw_put_le64(mtrr + 136, 0x0606060606060606); /* the first fixed range */
	gw_put_le64(mtrr + 224, 0x508);
	gw_put_le64(mtrr + 232, 0xc06);
	add(blob, GW_HVM_MTRR, mtrr, sizeof(mtrr));
}

#define XSAVE_SIZE 832u

/* x87, SSE and the upper halves of the YMM registers. */
static void add_xsave(struct gw_buffer *blob, const uint8_t *fpu)
{
	uint8_t raw[16 + XSAVE_SIZE] = {0};

	gw_put_le64(raw, 7);
	gw_put_le64(raw + 8, 7);
	memcpy(raw + 16, fpu, 512);
	gw_put_le64(raw + 16 + 512, 7);
	for (int i = 0; i < 32; i++)
		gw_put_le64(raw + 16 + 576 + 8 * i, random64());
	add(blob, GW_HVM_CPU_XSAVE, raw, sizeof(raw));
}

static struct gw_buffer fill_context(struct guest *g)
{
	struct gw_hvm_header header = {.magic = GW_HVM_HEADER_MAGIC,
				       .version = GW_HVM_HEADER_VERSION};
	uint8_t raw_header[GW_HVM_HEADER_SIZE], raw[GW_HVM_CPU_SIZE];
	struct gw_buffer blob = {0};
	struct gw_hvm_cpu cpu;

	fill_cpu(g, &cpu);
	fill_fpu(cpu.fpu);
	gw_hvm_header_encode(raw_header, &header);
	gw_hvm_cpu_encode(raw, &cpu);
	add(&blob, GW_HVM_HEADER, raw_header, sizeof(raw_header));
	add(&blob, GW_HVM_CPU, raw, sizeof(raw));
	/* An entry that KVM does not have is kept. */
	add(&blob, GW_HVM_PIC, "eightbyt", 8);
	add_apic(&blob);
	add_mtrr(&blob);
	if (has(g, "xsave") && has(g, "avx"))
		add_xsave(&blob, cpu.fpu);
	add(&blob, GW_HVM_END, NULL, 0);
	return blob;
}

static struct gw_buffer context(struct guest *g)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer b = {0};
	void *data;

	assert_ok(gw_domain_get_context(g->d, &data, &b.len, &err), &err);
	b.data = data;
	return b;
}

static const uint8_t *entry(const struct gw_buffer *b, uint16_t code, uint32_t *len)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_hvm_entry e;

	if (gw_hvm_find(b->data, b->len, code, 0, &e, &err) != 1)
		return NULL;
	*len = e.length;
	return e.data;
}

static void same_bytes(const char *what, const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i])
			fail_msg("%s: byte %zu is 0x%02x, was 0x%02x", what, i, b[i], a[i]);
}

static bool keeps_tsc;

static void same_cpu(const struct gw_buffer *a, const struct gw_buffer *b)
{
	uint32_t len;
	uint8_t x[GW_HVM_CPU_SIZE], y[GW_HVM_CPU_SIZE];
	uint64_t before, after;

	memcpy(x, entry(a, GW_HVM_CPU, &len), sizeof(x));
	memcpy(y, entry(b, GW_HVM_CPU, &len), sizeof(y));
	/* The TSC at offset 1008 counts. */
	before = gw_get_le64(x + 1008);
	after = gw_get_le64(y + 1008);
	if (keeps_tsc && (after <= before || after - before >= UINT64_C(1) << 40))
		fail_msg("the TSC went from 0x%llx to 0x%llx", (unsigned long long)before,
			 (unsigned long long)after);
	memcpy(y + 1008, x + 1008, 8);
	same_bytes("CPU", x, y, sizeof(x));
}

static void same_apic(const struct gw_buffer *a, const struct gw_buffer *b)
{
	uint8_t x[1024], y[1024];
	uint32_t len, left;

	same_bytes("LAPIC", entry(a, GW_HVM_LAPIC, &len), entry(b, GW_HVM_LAPIC, &len), 24);
	memcpy(x, entry(a, GW_HVM_LAPIC_REGS, &len), sizeof(x));
	memcpy(y, entry(b, GW_HVM_LAPIC_REGS, &len), sizeof(y));
	/* The timer counts down; the priority of the processor follows the task's; the version is
	 * KVM's own. */
	left = gw_get_le32(y + 0x390);
	assert_true(left < TIMER_COUNT && left > 0);
	memcpy(y + 0x390, x + 0x390, 4);
	memcpy(y + 0xa0, x + 0xa0, 4);
	memcpy(y + 0x30, x + 0x30, 4);
	same_bytes("LAPIC_REGS", x, y, sizeof(x));
}

static void same_entry(const struct gw_buffer *a, const struct gw_buffer *b, uint16_t code,
		       size_t most)
{
	uint32_t len_a = 0, len_b = 0;
	const uint8_t *x = entry(a, code, &len_a), *y = entry(b, code, &len_b);

	if (!x && !y)
		return;
	if (!x || !y)
		fail_msg("%s is missing", gw_hvm_code_name(code));
	assert_int_equal(len_a, len_b);
	same_bytes(gw_hvm_code_name(code), x, y, GW_MIN((size_t)len_a, most));
}

static void same_context(const struct gw_buffer *a, const struct gw_buffer *b)
{
	same_cpu(a, b);
	same_apic(a, b);
	same_entry(a, b, GW_HVM_PIC, SIZE_MAX);
	/* The capabilities of the MTRRs are the processor's own; what comes before them counts. */
	same_entry(a, b, GW_HVM_MTRR, 224);
	same_entry(a, b, GW_HVM_CPU_XSAVE, SIZE_MAX);
	assert_null(entry(b, GW_HVM_CPU_MSR, &(uint32_t){0}));
}

static void run_a_moment(struct guest *g)
{
	guest_unpause(g);
	usleep(20000);
	guest_pause(g);
	assert_string_equal(gw_control_crash_text(g->d->control), "");
}

/* A KVM without hardware shows the host's TSC to its guests, whatever it is given. */
static bool tsc_can_be_set(struct guest *g)
{
	struct gw_error err = GW_ERROR_INIT;
	uint64_t set = gw_machine_of(g->d)->cpu.tsc, now = 0;

	assert_ok(gw_control_restored(g->d->control, &err), &err);
	gw_kvm_msr_get(gw_kvm_of(g->d), 0x10, &now);
	if (now - set < UINT64_C(1) << 40)
		return true;
	print_message("this KVM shows the host's TSC\n");
	return false;
}

static void every_record_comes_back(void **state)
{
	for (int round = 0; round < 5; round++) {
		struct gw_error err = GW_ERROR_INIT;
		struct guest *g = long_guest(spin, sizeof(spin)), *next;
		struct gw_buffer first = fill_context(g), second, third;

		assert_ok(gw_domain_set_context(g->d, first.data, first.len, &err), &err);
		keeps_tsc = tsc_can_be_set(g);
		run_a_moment(g);
		second = context(g);
		same_context(&first, &second);
		/* And in a second domain, which gets what KVM gave. */
		next = guest_copy(g, FEATURES);
		guest_free(g);
		run_a_moment(next);
		third = context(next);
		same_context(&second, &third);
		guest_free(next);
		gw_buffer_free(&first);
		gw_buffer_free(&second);
		gw_buffer_free(&third);
	}
}

static void set_extra(struct guest *g, const struct gw_kvm_state *s)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer raw = {0};

	assert_ok(gw_kvm_state_append(&raw, s, &err), &err);
	assert_ok(gw_domain_set_extra(g->d, GW_EXTRA_KVM, raw.data, raw.len, &err), &err);
	gw_buffer_free(&raw);
}

static bool get_extra(struct guest *g, struct gw_kvm_state *s)
{
	struct gw_error err = GW_ERROR_INIT;
	void *raw;
	size_t len;

	assert_ok(gw_domain_get_extra(g->d, GW_EXTRA_KVM, &raw, &len, &err), &err);
	if (!len)
		return false;
	assert_ok(gw_kvm_state_decode(raw, len, s, &err), &err);
	free(raw);
	return true;
}

/* An MSR that KVM has and Xen's records have not: the machine check's status of its first bank. */
#define OTHER_MSR   0x1a0u
#define OTHER_VALUE 0x40001u

static void the_rest_is_in_our_record(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = long_guest(spin, sizeof(spin)), *next;
	static struct gw_kvm_state s, again;
	struct gw_buffer blob = fill_context(g);

	assert_ok(gw_domain_set_context(g->d, blob.data, blob.len, &err), &err);
	run_a_moment(g);
	/* Nothing yet. */
	assert_false(get_extra(g, &s));
	s = (struct gw_kvm_state){.clock = UINT64_C(3600000000000),
				  .nmi_masked = true,
				  .nr_msrs = 1,
				  .msrs = {{OTHER_MSR, OTHER_VALUE}}};
	set_extra(g, &s);
	assert_ok(gw_domain_set_context(g->d, blob.data, blob.len, &err), &err);
	run_a_moment(g);
	assert_true(get_extra(g, &again));
	assert_true(again.nmi_masked);
	assert_int_equal(again.nr_msrs, 1);
	assert_int_equal(again.msrs[0].index, OTHER_MSR);
	assert_int_equal(again.msrs[0].value, OTHER_VALUE);
	/* An hour, and what has passed since. */
	assert_true(again.clock > s.clock && again.clock - s.clock < UINT64_C(60000000000));
	/* The built-in machine has no place for it, and says so. */
	next = guest_new_on("emu", "", PAGES);
	{
		struct gw_buffer raw = {0};

		assert_ok(gw_kvm_state_append(&raw, &again, &err), &err);
		assert_fails(gw_domain_set_extra(next->d, GW_EXTRA_KVM, raw.data, raw.len, &err),
			     &err, GW_REFUSED, "does not have MSR 0x1a0");
		gw_buffer_free(&raw);
	}
	guest_free(next);
	next = guest_copy(g, FEATURES);
	guest_free(g);
	run_a_moment(next);
	assert_true(get_extra(next, &again));
	assert_true(again.nmi_masked);
	assert_int_equal(again.msrs[0].value, OTHER_VALUE);
	guest_free(next);
	gw_buffer_free(&blob);
}

/* cli; 1: hlt; inc ebx; jmp 1b */
static const uint8_t sleeper[] = {0xfa, 0xf4, 0xff, 0xc3, 0xeb, 0xfb};

static bool is_halted(struct guest *g)
{
	static struct gw_kvm_state s;
	bool halted;

	guest_pause(g);
	halted = get_extra(g, &s) && s.mp_state == GW_KVM_HALTED;
	guest_unpause(g);
	return halted;
}

static uint64_t rbx(struct guest *g)
{
	struct gw_hvm_cpu cpu;

	guest_pause(g);
	guest_cpu(g, &cpu);
	guest_unpause(g);
	return cpu.gpr[GW_HVM_RBX];
}

/* A vCPU that waits in the kernel is saved as such, and an event wakes it, here and after a move.
 */
static void a_halt_is_kept_and_ends(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = long_guest(sleeper, sizeof(sleeper)), *next;
	struct gw_buffer blob = fill_context(g);
	uint64_t before;

	assert_ok(gw_domain_set_context(g->d, blob.data, blob.len, &err), &err);
	guest_unpause(g);
	for (int i = 0; i < 5000 && !is_halted(g); i++)
		usleep(1000);
	assert_true(is_halted(g));
	guest_pause(g);
	next = guest_copy(g, FEATURES);
	guest_free(g);
	guest_unpause(next);
	assert_true(is_halted(next));
	before = rbx(next);
	/* By then it waits in the kernel again. */
	usleep(200000);
	pthread_mutex_lock(&gw_machine_of(next->d)->lock);
	gw_machine_evtchn_raise(gw_machine_of(next->d), 5);
	pthread_mutex_unlock(&gw_machine_of(next->d)->lock);
	/* Before the pause below, which looks for events as well. */
	usleep(200000);
	assert_int_not_equal(rbx(next), before);
	guest_free(next);
	gw_buffer_free(&blob);
}

static void refuse(struct guest *g, uint16_t code, size_t at, uint64_t value, const char *words)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer blob = fill_context(g);
	uint32_t len;
	uint8_t *e = (uint8_t *)entry(&blob, code, &len);

	assert_non_null(e);
	gw_put_le64(e + at, value);
	assert_ok(gw_domain_set_context(g->d, blob.data, blob.len, &err), &err);
	if (gw_control_restored(g->d->control, &err) == 0)
		fail_msg("KVM took a value for which \"%s\" was expected", words);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	gw_buffer_free(&blob);
}

/* What KVM does not take is refused before the guest runs. */
static void bad_values_are_named(void **state)
{
	struct guest *g = long_guest(spin, sizeof(spin));

	refuse(g, GW_HVM_CPU, 664 + 16, UINT64_C(1) << 40, "CR4 0x10000000000");
	refuse(g, GW_HVM_CPU, 656, UINT64_C(0x80000010), "CR0 0x80000010");
	refuse(g, GW_HVM_CPU, 960, UINT64_C(1) << 63, "MSR 0xc0000082");
	refuse(g, GW_HVM_CPU, 728, UINT64_C(1) << 32, "DR7 0x100000000");
	refuse(g, GW_HVM_MTRR, 232, 0xc0f, "MSR 0x2ff");
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_record_comes_back),
		cmocka_unit_test(the_rest_is_in_our_record),
		cmocka_unit_test(a_halt_is_kept_and_ends),
		cmocka_unit_test(bad_values_are_named),
	};

	setenv("GODWIT_TEST_MACHINE", "kvm", 1);
	bench_require();
	return cmocka_run_group_tests_name("kvm_context", tests, NULL, NULL);
}
