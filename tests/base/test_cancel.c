/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the cancel token: a wait ends when the token is set, before the wait or during it.
 */
#include "lib/gwtest.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <godwit/cancel.h>

static void *set_soon(void *token)
{
	usleep(20000);
	gw_cancel_set(token);
	return NULL;
}

static void wakes_a_wait(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_cancel *cancel = gw_cancel_new(&err);
	pthread_t thread;
	int fds[2];

	assert_non_null(cancel);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(gw_cancel_wait(cancel, fds[0], POLLIN, 1, &err), 0);
	assert_int_equal(gw_cancel_wait(cancel, fds[1], POLLOUT, -1, &err), 1);
	pthread_create(&thread, NULL, set_soon, cancel);
	assert_fails(gw_cancel_wait(cancel, fds[0], POLLIN, -1, &err), &err, GW_CANCELLED,
		     "cancel");
	pthread_join(thread, NULL);
	/* Once set, the token stays set: later waits end at once, whether the descriptor is ready
	 * or not. */
	assert_fails(gw_cancel_wait(cancel, fds[1], POLLOUT, -1, &err), &err, GW_CANCELLED, "");
	assert_true(gw_cancel_is_set(cancel));
	gw_cancel_free(cancel);
	close(fds[0]);
	close(fds[1]);
}

static void null_is_never_set(void **state)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_false(gw_cancel_is_set(NULL));
	assert_int_equal(gw_cancel_wait(NULL, -1, 0, 1, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wakes_a_wait),
		cmocka_unit_test(null_is_never_set),
	};

	return cmocka_run_group_tests_name("cancel", tests, NULL, NULL);
}
