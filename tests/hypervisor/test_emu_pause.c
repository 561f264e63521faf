/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests forced pauses: they nest, take effect at once, and a guest stopped anywhere continues
 * correctly.
 */
#include "emu_bench.h"

#include <unistd.h>

#include "../../guests/layout.h"
#include "base/clock.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/emu/emu.h"
#include "lib/random.h"

#define PAUSES 300

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Waits for a random time of up to 0.5 ms, in short sleeps. */
static void some_time(void)
{
	uint64_t until = gw_clock_ns() + (uint64_t)(random64() % 500) * 1000;

	while (gw_clock_ns() < until)
		usleep(50);
}

static void pauses_at_once(void **state)
{
	static const char *const widths[] = {"32", "64"};

	for (int w = 0; w < 2; w++) {
		static uint64_t ns[PAUSES];
		struct guest *g =
			guest_boot("", widths[w], "pages=16 rate=4 check=4 period=100", 1024);

		guest_unpause(g);
		guest_wait(g, 0, "godwit-guest: up");
		for (int i = 0; i < PAUSES; i++) {
			uint64_t from;

			some_time();
			from = gw_clock_ns();
			guest_pause(g);
			ns[i] = gw_clock_ns() - from;
			guest_unpause(g);
		}
		/* The guest found no fault and runs. */
		guest_wait(g, guest_console_len(g), " ok\n");
		assert_null(strstr(g->text, "CORRUPT"));
		qsort(ns, PAUSES, sizeof(ns[0]), by_size);
		print_message("%s-bit pause: median %.3f ms, p99 %.3f ms, longest %.3f ms\n",
			      widths[w], ns[PAUSES / 2] / 1e6, ns[PAUSES * 99 / 100] / 1e6,
			      ns[PAUSES - 1] / 1e6);
		/* A busy machine delays the thread, but not for half of the pauses. */
		assert_true(ns[PAUSES / 2] < 1000000);
		guest_free(g);
	}
}

static void pauses_nest(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = guest_boot("", "32", "pages=8 period=20", 1024);
	struct gw_domain_info info;
	size_t len;

	guest_unpause(g);
	guest_wait(g, 0, "beat 1 ");
	guest_pause(g);
	guest_pause(g);
	len = guest_console_len(g);
	guest_unpause(g);
	assert_ok(gw_domain_info(g->d, &info, &err), &err);
	assert_true(info.paused);
	usleep(20000);
	assert_int_equal(guest_console_len(g), len);
	guest_unpause(g);
	guest_wait(g, len, " ok\n");
	assert_fails(gw_control_unpause(g->d->control, &err), &err, GW_USAGE, "not paused");
	guest_free(g);
}

/* State can only be read and changed while the guest is paused. */
static void running_state_is_out_of_reach(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = guest_boot("", "32", "pages=8", 1024);
	void *blob;
	size_t len;

	guest_unpause(g);
	guest_wait(g, 0, "godwit-guest: up");
	assert_fails(gw_domain_get_context(g->d, &blob, &len, &err), &err, GW_BUSY, "paused");
	assert_fails(gw_domain_get_extra(g->d, GW_EXTRA_XENABI, &blob, &len, &err), &err, GW_BUSY,
		     "paused");
	guest_pause(g);
	/* A paused guest cannot answer. */
	assert_fails(gw_control_suspend(g->d->control, 1000, NULL, &err), &err, GW_BUSY,
		     "is paused");
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_at_once),
		cmocka_unit_test(pauses_nest),
		cmocka_unit_test(running_state_is_out_of_reach),
	};

	bench_require();
	return cmocka_run_group_tests_name("emu_pause", tests, NULL, NULL);
}
