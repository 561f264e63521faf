/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the throttle of the built-in machine: a slowed guest gets less time, keeps its state, and
 * is paused, suspended and destroyed as ever.
 */
#include "emu_bench.h"

#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/emu/emu.h"

/* The processor time of this process, nearly all of which is the guest's. */
static uint64_t used_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The part of half a second in which the guest ran, in percent. A busy machine makes it less. */
static unsigned share(void)
{
	uint64_t wall = gw_clock_ns(), used = used_ns();

	usleep(500000);
	return (unsigned)((used_ns() - used) * 100 / (gw_clock_ns() - wall));
}

static void throttle(struct guest *g, unsigned percent)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_control_throttle(g->d->control, percent, &err), &err);
}

static struct guest *busy_guest(void)
{
	struct guest *g = guest_boot("", "64", "pages=4 rate=1 check=1 period=10 idle=0", 1024);

	guest_unpause(g);
	guest_wait(g, 0, " ok\n");
	return g;
}

static void gets_less_time(void **state)
{
	struct guest *g = busy_guest();

	throttle(g, 90);
	assert_true(share() <= 40);
	throttle(g, 50);
	assert_true(share() <= 80);
	throttle(g, 0);
	/* It runs, and found no fault. */
	guest_wait(g, guest_console_len(g), " ok\n");
	assert_null(strstr(g->text, "CORRUPT"));
	guest_free(g);
}

static void goes_on_slowly(void **state)
{
	struct guest *g = busy_guest();

	throttle(g, 97);
	guest_wait(g, guest_console_len(g), " ok\n");
	throttle(g, 25);
	guest_wait(g, guest_console_len(g), " ok\n");
	assert_null(strstr(g->text, "CORRUPT"));
	/* The end of a domain that is slowed. */
	guest_free(g);
}

static void pauses_and_suspends(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = busy_guest();
	struct gw_domain_info info;
	size_t len;

	throttle(g, 75);
	assert_ok(gw_domain_info(g->d, &info, &err), &err);
	assert_false(info.paused);
	guest_pause(g);
	len = guest_console_len(g);
	usleep(60000);
	assert_int_equal(guest_console_len(g), len);
	guest_unpause(g);
	guest_wait(g, len, " ok\n");
	assert_int_equal(gw_control_suspend(g->d->control, 10000, NULL, &err), 1);
	len = guest_console_len(g);
	usleep(60000);
	assert_int_equal(guest_console_len(g), len);
	assert_ok(gw_control_resume(g->d->control, &err), &err);
	guest_wait(g, len, " ok\n");
	throttle(g, 0);
	throttle(g, 0);
	assert_fails(gw_control_throttle(g->d->control, 100, &err), &err, GW_USAGE, "100 %");
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gets_less_time),
		cmocka_unit_test(goes_on_slowly),
		cmocka_unit_test(pauses_and_suspends),
	};

	bench_require();
	return cmocka_run_group_tests_name("emu_throttle", tests, NULL, NULL);
}
