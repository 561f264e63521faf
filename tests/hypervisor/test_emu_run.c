/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The built-in machine runs guests: booting, the console, pauses, suspend and resume.
 */
#include "emu_bench.h"

#include <time.h>
#include <unistd.h>

#include "../../guests/layout.h"
#include "base/clock.h"
#include "hypervisor/emu.h"

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
		assert_int_equal(gw_emu_suspend_port(g->d), 1);
		guest_free(g);
	}
}

/* What is on record must be what runs: the shared info page is no page of the guest's. */
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

			assert_int_equal(g->d->ops->suspend(g->d, 5000, NULL, &err), 1);
			assert_ok(g->d->ops->info(g->d, &info, &err), &err);
			assert_int_equal(info.shutdown, GW_SHUTDOWN_SUSPEND);
			assert_false(info.paused);
			at = guest_wait(g, at, "godwit-guest: suspend\n");
			/* Asking again is no mistake: it is suspended. */
			assert_int_equal(g->d->ops->suspend(g->d, 5000, NULL, &err), 1);
			assert_ok(g->d->ops->resume(g->d, &err), &err);
			at = guest_wait(g, at, "godwit-guest: cancelled\n");
			at = guest_wait(g, at, "beat ");
			h = guest_page(g, HB_HEADER_PFN);
			assert_int_equal(h->resumes, round + 1);
			assert_int_equal(h->last_answer, 1);
		}
		assert_fails(g->d->ops->resume(g->d, &err), &err, GW_USAGE, "not suspended");
		guest_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boots),
		cmocka_unit_test(suspends_and_is_cancelled),
	};

	bench_require();
	return cmocka_run_group_tests_name("emu_run", tests, NULL, NULL);
}
