/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests that a domain's whole state, copied through the tables into a new domain, runs on: after
 * the guest suspended itself, and when it was stopped anywhere.
 */
#include "emu_bench.h"

#include <unistd.h>

#include "../../guests/layout.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "base/util.h"
#include "hypervisor/machine/machine.h"
#include "lib/random.h"

static const char *const widths[] = {"32", "64"};

#define CMDLINE "seed=11 pages=24 rate=2 check=3 period=25 state=1"

static void runs_on(struct guest *g)
{
	size_t at = guest_wait(g, 0, "godwit-guest: beat ");

	guest_wait(g, at, " ok\n");
	assert_null(strstr(g->text, "CORRUPT"));
}

static struct guest *move(struct guest *g)
{
	struct guest *next = guest_copy(g, "");

	guest_free(g);
	guest_unpause(next);
	return next;
}

static void suspended_guests_move(void **state)
{
	for (int w = 0; w < 2; w++) {
		struct gw_error err = GW_ERROR_INIT;
		struct guest *g = guest_boot("", widths[w], CMDLINE, 1024);
		void *blob;
		size_t len;

		guest_unpause(g);
		runs_on(g);
		for (int round = 0; round < 3; round++) {
			const struct hb_header *h;

			assert_int_equal(gw_control_suspend(g->d->control, 5000, NULL, &err), 1);
			guest_pause(g);
			assert_ok(gw_domain_get_extra(g->d, GW_EXTRA_XENABI, &blob, &len, &err),
				  &err);
			/* It has no extra state for which Xen has no record. */
			assert_int_equal(len, 0);
			g = move(g);
			guest_wait(g, 0, "godwit-guest: restored\n");
			runs_on(g);
			h = guest_page(g, HB_HEADER_PFN);
			assert_int_equal(h->resumes, round + 1);
			assert_int_equal(h->last_answer, 0);
			assert_int_not_equal(gw_machine_suspend_port(gw_machine_of(g->d)), 0);
		}
		guest_free(g);
	}
}

static void stopped_guests_move(void **state)
{
	for (int w = 0; w < 2; w++) {
		struct gw_error err = GW_ERROR_INIT;
		struct guest *g = guest_boot("", widths[w], CMDLINE, 1024);

		guest_unpause(g);
		for (int round = 0; round < 12; round++) {
			/* The first rounds are likely to stop it while it starts. */
			usleep((useconds_t)(random64() % (round < 6 ? 1500 : 15000)));
			guest_pause(g);
			g = move(g);
		}
		runs_on(g);
		/* The guest did not notice the move and still accepts requests. */
		assert_int_equal(((const struct hb_header *)guest_page(g, HB_HEADER_PFN))->resumes,
				 0);
		assert_int_equal(gw_control_suspend(g->d->control, 5000, NULL, &err), 1);
		assert_ok(gw_control_resume(g->d->control, &err), &err);
		guest_wait(g, 0, "godwit-guest: cancelled\n");
		guest_free(g);
	}
}

/* Until it runs, a restored domain gives back the context that was set. */
static void a_context_is_kept(void **state)
{
	for (int w = 0; w < 2; w++) {
		struct gw_error err = GW_ERROR_INIT;
		struct guest *g = guest_boot("", widths[w], CMDLINE, 1024), *copy;
		void *one, *two;
		size_t len_one, len_two;

		guest_unpause(g);
		runs_on(g);
		guest_pause(g);
		assert_ok(gw_domain_get_context(g->d, &one, &len_one, &err), &err);
		free(one);
		copy = guest_copy(g, "");
		assert_ok(gw_domain_get_context(copy->d, &one, &len_one, &err), &err);
		assert_ok(gw_domain_set_context(copy->d, one, len_one, &err), &err);
		assert_ok(gw_control_restored(copy->d->control, &err), &err);
		assert_ok(gw_domain_get_context(copy->d, &two, &len_two, &err), &err);
		assert_int_equal(len_one, len_two);
		assert_memory_equal(one, two, len_one);
		free(one);
		free(two);
		/* Both copies are complete. */
		guest_unpause(copy);
		runs_on(copy);
		guest_free(copy);
		guest_unpause(g);
		guest_wait(g, guest_console_len(g), " ok\n");
		guest_free(g);
	}
}

/* A request that is cancelled or takes too long is withdrawn: the guest runs on. */
static void a_request_can_be_withdrawn(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = guest_boot("", "32", "pages=16 check=16 period=10", 1024);
	struct gw_cancel *cancel = gw_cancel_new(&err);
	int rc;

	guest_unpause(g);
	runs_on(g);
	gw_cancel_set(cancel);
	rc = gw_control_suspend(g->d->control, 5000, cancel, &err);
	if (rc == 1) {
		/* The guest was quicker than the cancel. */
		assert_ok(gw_control_resume(g->d->control, &err), &err);
	} else {
		assert_int_equal(err.code, GW_CANCELLED);
	}
	guest_wait(g, guest_console_len(g), " ok\n");
	gw_error_clear(&err);
	assert_int_equal(gw_control_suspend(g->d->control, 5000, NULL, &err), 1);
	gw_cancel_free(cancel);
	guest_free(g);
}

/* A guest that does not listen, until its first request is lost. */
static void *lose_a_request(void *opaque)
{
	struct guest *g = opaque;
	struct gw_machine *m = gw_machine_of(g->d);
	volatile struct hb_header *h = guest_page(g, HB_HEADER_PFN);
	unsigned port = gw_machine_suspend_port(gw_machine_of(g->d));
	const volatile uint8_t *pending = (uint8_t *)m->xen.shared_info + 0x800;

	while (!(pending[port / 8] >> port % 8 & 1))
		usleep(1000);
	gw_machine_evtchn_clear(m, port);
	h->suspend_port = port;
	return NULL;
}

/* A guest that clears the event of one request when the next one has come already has lost that. */
static void a_lost_request_is_repeated(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct guest *g = guest_boot("", "32", "pages=16 check=16 period=10", 1024);
	pthread_t thread;

	guest_unpause(g);
	runs_on(g);
	((struct hb_header *)guest_page(g, HB_HEADER_PFN))->suspend_port = 0;
	usleep(20000);
	assert_int_equal(pthread_create(&thread, NULL, lose_a_request, g), 0);
	assert_int_equal(gw_control_suspend(g->d->control, 5000, NULL, &err), 1);
	pthread_join(thread, NULL);
	assert_ok(gw_control_resume(g->d->control, &err), &err);
	/* No request is left over. */
	guest_wait(g, guest_console_len(g), "godwit-guest: cancelled\n");
	guest_wait(g, guest_console_len(g), " ok\n");
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suspended_guests_move),
		cmocka_unit_test(stopped_guests_move),
		cmocka_unit_test(a_context_is_kept),
		cmocka_unit_test(a_request_can_be_withdrawn),
		cmocka_unit_test(a_lost_request_is_repeated),
	};

	bench_require();
	return cmocka_run_group_tests_name("emu_move", tests, NULL, NULL);
}
