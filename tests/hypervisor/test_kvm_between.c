/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests that a domain moves between the built-in machine and KVM with all its state, after the
 * guest suspended itself and when it was stopped anywhere, the inside of its hypercall page
 * included.
 */
#include "emu_bench.h"

#include <unistd.h>

#include "../../guests/layout.h"
#include "base/util.h"
#include "format/x86/cpu_models.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/machine/machine.h"
#include "lib/random.h"

static const char *const widths[] = {"32", "64"};

#define CMDLINE "seed=11 pages=24 rate=2 check=3 period=25 state=1"
#define ROUNDS	12

static void runs_on(struct guest *g)
{
	size_t at = guest_wait(g, 0, "godwit-guest: beat ");

	guest_wait(g, at, " ok\n");
	assert_null(strstr(g->text, "CORRUPT"));
}

/* Gives it the features that both machines have. */
static void give_policy(struct guest *g)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_policy offered = {0}, policy = {0};

	assert_ok(gw_host_policy(g->host, GW_GUEST_X86_HVM, &offered, &err), &err);
	assert_ok(gw_cpu_model_policy("portable,-sse3,-vme", &offered, &policy, &err), &err);
	assert_ok(gw_domain_set_policy(g->d, &policy, &err), &err);
	gw_policy_free(&offered);
	gw_policy_free(&policy);
}

static struct guest *boot(const char *width)
{
	struct guest *g = guest_boot("", width, CMDLINE, 1024);

	give_policy(g);
	return g;
}

/* Round 0 is the first move, from KVM. */
static struct guest *move(struct guest *g, int round)
{
	struct guest *next = guest_copy_to(g, round % 2 ? "kvm" : "emu", "");

	guest_free(g);
	guest_unpause(next);
	return next;
}

static void suspended_guests_move(void **state)
{
	for (int w = 0; w < 2; w++) {
		struct gw_error err = GW_ERROR_INIT;
		struct guest *g = boot(widths[w]);

		guest_unpause(g);
		runs_on(g);
		for (int round = 0; round < 4; round++) {
			assert_int_equal(gw_control_suspend(g->d->control, 20000, NULL, &err), 1);
			guest_pause(g);
			g = move(g, round);
			guest_wait(g, 0, "godwit-guest: restored\n");
			runs_on(g);
		}
		guest_free(g);
	}
}

static void stopped_guests_move(void **state)
{
	for (int w = 0; w < 2; w++) {
		struct gw_error err = GW_ERROR_INIT;
		struct guest *g = boot(widths[w]);

		guest_unpause(g);
		for (int round = 0; round < ROUNDS; round++) {
			/* The first rounds are likely to stop it while it starts. */
			usleep((useconds_t)(random64() % (round < 6 ? 1500 : 15000)));
			guest_pause(g);
			g = move(g, round);
		}
		runs_on(g);
		assert_int_equal(((const struct hb_header *)guest_page(g, HB_HEADER_PFN))->resumes,
				 0);
		/* The guest did not notice the moves and still accepts requests. */
		assert_int_equal(gw_control_suspend(g->d->control, 20000, NULL, &err), 1);
		assert_ok(gw_control_resume(g->d->control, &err), &err);
		guest_wait(g, 0, "godwit-guest: cancelled\n");
		guest_free(g);
	}
}

/* mov eax, 17; mov ebx, 0: XENVER_version through the page at 0x101000, whose number the code at
 * CODE loads; the result is in eax. */
static const uint8_t caller[] = {0xb8, 0x00, 0x10, 0x10, 0x00, /* mov eax, 0x101000 */
				 0xb9, 0x00, 0x00, 0x00, 0x40, /* mov ecx, 0x40000000 */
				 0x31, 0xd2,		       /* xor edx, edx */
				 0x0f, 0x30,		       /* wrmsr */
				 0x31, 0xdb,		       /* xor ebx, ebx */
				 0xe8, 0x0b, 0x12, 0x00, 0x00, /* call 0x101220: stub 17 */
				 0xeb, 0xfe};		       /* jmp to itself */

/* A guest that is stopped at each of the stub's instructions goes on at the same instruction. */
static void every_place_in_the_page(void **state)
{
	static const unsigned offsets[] = {0, 5, 8};

	for (size_t i = 0; i < GW_ARRAY_SIZE(offsets); i++)
		for (int to_emu = 0; to_emu < 2; to_emu++) {
			struct guest *g = guest_new_on(to_emu ? "kvm" : "emu", "", 512), *next;
			struct gw_error err = GW_ERROR_INIT;
			struct gw_hvm_cpu cpu;
			uint64_t same;

			for (uint64_t gfn = 0; gfn < 512; gfn++)
				assert_ok(gw_domain_populate(g->d, 1, &gfn, &same, &err), &err);
			give_policy(g);
			guest_write(g, 0x100, 0, caller, sizeof(caller));
			guest_set_entry(g, 0x100000);
			guest_unpause(g);
			usleep(100000);
			guest_pause(g);
			guest_cpu(g, &cpu);
			assert_int_equal(cpu.rip, 0x100000 + sizeof(caller) - 2);
			assert_int_equal(cpu.gpr[GW_HVM_RAX], 4 << 16 | 17);
			/* Back to the place where it was, with the stack of the call. */
			cpu.rip = 0x101000 + 17 * 32 + offsets[i];
			cpu.gpr[GW_HVM_RAX] = i ? 17 : 99;
			cpu.gpr[GW_HVM_RSP] -= 4;
			guest_set_cpu(g, &cpu);
			next = guest_copy_to(g, to_emu ? "emu" : "kvm", "");
			guest_free(g);
			guest_unpause(next);
			usleep(100000);
			guest_pause(next);
			assert_string_equal(gw_control_crash_text(next->d->control), "");
			guest_cpu(next, &cpu);
			assert_int_equal(cpu.rip, 0x100000 + sizeof(caller) - 2);
			/* After the call's instruction its result is in the register already. */
			assert_int_equal(cpu.gpr[GW_HVM_RAX], offsets[i] == 8 ? 17 : 4 << 16 | 17);
			guest_free(next);
		}
}

/* Suspended, the page has the instruction that a Xen understands; resumed, the machine's own. */
static void a_suspended_page_is_neutral(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = boot("64");
	const struct gw_machine *m = gw_machine_of(g->d);
	const uint8_t *page;

	guest_unpause(g);
	runs_on(g);
	page = guest_page(g, m->xen.hypercall_gfn);
	assert_memory_equal(page + 17 * 32 + 5, m->ops->hypercall_insn, 3);
	assert_int_equal(gw_control_suspend(g->d->control, 20000, NULL, &err), 1);
	assert_memory_equal(page + 17 * 32 + 5, "\x0f\x01\xd9", 3);
	assert_ok(gw_control_resume(g->d->control, &err), &err);
	assert_memory_equal(page + 17 * 32 + 5, m->ops->hypercall_insn, 3);
	guest_wait(g, 0, "godwit-guest: cancelled\n");
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suspended_guests_move),
		cmocka_unit_test(stopped_guests_move),
		cmocka_unit_test(every_place_in_the_page),
		cmocka_unit_test(a_suspended_page_is_neutral),
	};

	bench_require(); /* the built-in machine */
	setenv("GODWIT_TEST_MACHINE", "kvm", 1);
	bench_require();
	return cmocka_run_group_tests_name("kvm_between", tests, NULL, NULL);
}
