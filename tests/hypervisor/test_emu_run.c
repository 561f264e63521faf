/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests running guests in the built-in machine: boot, console, pause, suspend and resume.
 */
#include "emu_bench.h"

#include <time.h>
#include <unistd.h>

#include "../../guests/layout.h"
#include "base/clock.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/machine/machine.h"

static const char *const widths[] = {"32", "64"};

static void boots(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct guest *g = guest_boot("", widths[i], "seed=7 pages=32 period=50", 1024);
		const struct hb_header *h;
		size_t at;

		guest_unpause(g);
		at = guest_wait(g, 0, "godwit-guest: up, seed 7 pages 32 port 1\n");
		at = guest_wait(g, at, "beat 2 gen ");
		guest_wait(g, at, " ok\n");
		h = guest_page(g, HB_HEADER_PFN);
		assert_memory_equal(h->magic, HB_MAGIC, 8);
		assert_int_equal(gw_machine_suspend_port(gw_machine_of(g->d)), 1);
		guest_free(g);
	}
}

/* Suspend requests that are then cancelled, three times in a row. */
static void suspends_and_is_cancelled(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct guest *g = guest_boot("", widths[i], "pages=16 period=50", 1024);
		struct gw_domain_info info;
		size_t at;

		guest_unpause(g);
		at = guest_wait(g, 0, "beat 1 ");
		for (int round = 0; round < 3; round++) {
			const struct hb_header *h;

			assert_int_equal(gw_control_suspend(g->d->control, 5000, NULL, &err), 1);
			assert_ok(gw_domain_info(g->d, &info, &err), &err);
			assert_int_equal(info.shutdown, GW_SHUTDOWN_SUSPEND);
			assert_false(info.paused);
			at = guest_wait(g, at, "godwit-guest: suspend\n");
			/* A second request for a suspended guest succeeds at once. */
			assert_int_equal(gw_control_suspend(g->d->control, 5000, NULL, &err), 1);
			assert_ok(gw_control_resume(g->d->control, &err), &err);
			at = guest_wait(g, at, "godwit-guest: cancelled\n");
			at = guest_wait(g, at, "beat ");
			h = guest_page(g, HB_HEADER_PFN);
			assert_int_equal(h->resumes, round + 1);
			assert_int_equal(h->last_answer, 1);
		}
		assert_fails(gw_control_resume(g->d->control, &err), &err, GW_USAGE,
			     "not suspended");
		guest_free(g);
	}
}

/* Set when the guest has shut down; by then info() must report it. */
struct told {
	struct guest *g;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int reason;
};

static void on_shutdown(void *opaque, enum gw_shutdown_reason reason)
{
	struct told *t = opaque;

	pthread_mutex_lock(&t->lock);
	t->reason = (int)reason;
	pthread_cond_signal(&t->cond);
	pthread_mutex_unlock(&t->lock);
}

#define HYPERCALL(nr, a, b)                                                                        \
	0xb8, nr, 0, 0, 0, 0xbb, a, 0, 0, 0, 0xb9, b, 0x10, 0x10, 0, 0x0f, 0x01, 0xd9

/* Waits for an event, then suspends, then powers off; every hypercall is a bare VMMCALL. */
static const uint8_t sleeper[] = {
	HYPERCALL(32, 6, 0x00),
	HYPERCALL(29, 1, 0),
	HYPERCALL(29, 2, 0x10),
	HYPERCALL(29, 2, 0x14),
	0xf4,
};

static void wakes_blocked_guests(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = guest_raw("", sleeper, sizeof(sleeper), 512);
	struct told told = {g, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, -1};
	struct gw_domain_info info;
	struct gw_hvm_cpu cpu;

	/* EVTCHNOP_alloc_unbound's argument, and the reasons of the two shutdowns: 2 and 0. */
	guest_write(g, 0x101, 0x000, "\xf0\x7f\0\0\0\0\0\0", 8);
	guest_write(g, 0x101, 0x010, "\2\0\0\0\0\0\0\0", 8);
	gw_control_set_events(g->d->control, &(struct gw_control_events){.shutdown = on_shutdown,
									 .opaque = &told});
	guest_unpause(g);
	for (int i = 0; i < 5000 && !gw_machine_suspend_port(gw_machine_of(g->d)); i++)
		usleep(1000);
	usleep(20000);
	guest_pause(g);
	guest_cpu(g, &cpu);
	/* It is after its second hypercall. */
	assert_int_equal(cpu.rip, 0x100000 + 36);
	guest_unpause(g);
	assert_int_equal(gw_control_suspend(g->d->control, 5000, NULL, &err), 1);
	assert_ok(gw_control_resume(g->d->control, &err), &err);
	pthread_mutex_lock(&told.lock);
	while (told.reason != GW_SHUTDOWN_POWEROFF)
		pthread_cond_wait(&told.cond, &told.lock);
	pthread_mutex_unlock(&told.lock);
	assert_ok(gw_domain_info(g->d, &info, &err), &err);
	assert_int_equal(info.shutdown, GW_SHUTDOWN_POWEROFF);
	assert_fails(gw_control_suspend(g->d->control, 100, NULL, &err), &err, GW_GONE,
		     "the guest powered itself off instead of suspending");
	guest_free(g);
}

/* A guest without a suspend port cannot be asked; one that does not answer runs into the
 * timeout. */
static void unwilling_guests(void **state)
{
	/* Allocates the port as above, but never looks at it: jmp to itself. */
	static const uint8_t deaf[] = {HYPERCALL(32, 6, 0x00), 0xeb, 0xfe};
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = guest_raw("", "\xeb\xfe", 2, 512);

	guest_unpause(g);
	assert_int_equal(gw_control_suspend(g->d->control, 100, NULL, &err), 0);
	guest_free(g);
	g = guest_raw("", deaf, sizeof(deaf), 512);
	guest_write(g, 0x101, 0x000, "\xf0\x7f\0\0\0\0\0\0", 8);
	guest_unpause(g);
	for (int i = 0; i < 5000 && !gw_machine_suspend_port(gw_machine_of(g->d)); i++)
		usleep(1000);
	assert_fails(gw_control_suspend(g->d->control, 50, NULL, &err), &err, GW_GUEST,
		     "did not suspend");
	guest_free(g);
}

/* A waiting yield slows the guest down, but does not delay a pause. */
static void yields_wait(void **state)
{
	struct guest *g = guest_boot("yield_us=500000", "32", "pages=4 period=1", 1024);
	uint64_t from;

	guest_unpause(g);
	guest_wait(g, 0, "beat 1 ");
	usleep(20000);
	from = gw_clock_ns();
	guest_pause(g);
	assert_true(gw_clock_ns() - from < 400000000);
	assert_null(strstr(g->text, "beat 2 "));
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boots),
		cmocka_unit_test(suspends_and_is_cancelled),
		cmocka_unit_test(wakes_blocked_guests),
		cmocka_unit_test(unwilling_guests),
		cmocka_unit_test(yields_wait),
	};

	bench_require();
	return cmocka_run_group_tests_name("emu_run", tests, NULL, NULL);
}
