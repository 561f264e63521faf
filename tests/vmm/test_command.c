/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the commands of the site: their status, environment, time limit, cancel.
 */
#include "lib/gwtest.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "vmm/command.h"

static char *const none[] = {NULL};

static int run(const char *command, struct gw_error *err)
{
	*err = (struct gw_error)GW_ERROR_INIT;
	return gw_command_run(command, none, 20000, NULL, err);
}

static void test_status(void **state)
{
	struct gw_error err;

	assert_ok(run("true", &err), &err);
	assert_int_equal(run("exit 3", &err), -1);
	assert_non_null(strstr(err.text, "the command \"exit 3\": it exits with status 3"));
	assert_int_equal(run("kill -9 $$", &err), -1);
	assert_non_null(strstr(err.text, "it was ended by signal 9"));
	assert_int_equal(run("/no/such/command", &err), -1);
	assert_non_null(strstr(err.text, "it exits with status 127"));
}

static void test_environment(void **state)
{
	char *const variables[] = {(char *)(uintptr_t) "GODWIT_A=new",
				   (char *)(uintptr_t) "GODWIT_B=b c", NULL};
	struct gw_error err = GW_ERROR_INIT;

	setenv("GODWIT_A", "old", 1);
	setenv("GODWIT_AB", "kept", 1);
	assert_ok(gw_command_run(
			  "[ \"$GODWIT_A,$GODWIT_AB,$GODWIT_B\" = 'new,kept,b c' ] && ! read line",
			  variables, 20000, NULL, &err),
		  &err);
}

/* A domain's process blocks signals; its commands can be ended by them all the same. */
static void test_signals(void **state)
{
	struct gw_error err;
	sigset_t set, before;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, &before);
	signal(SIGHUP, SIG_IGN);
	assert_int_equal(run("kill -TERM $$; exit 0", &err), -1);
	assert_non_null(strstr(err.text, "signal 15"));
	assert_int_equal(run("kill -HUP $$; exit 0", &err), -1);
	signal(SIGHUP, SIG_DFL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* The shell and what it has started are gone. */
static void test_limit(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	int fds[2];
	char byte;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[1], 9), 9);
	close(fds[1]);
	assert_int_equal(gw_command_run("sleep 600 & sleep 600", none, 100, NULL, &err), -1);
	assert_non_null(strstr(err.text, "it has not ended within 100 ms"));
	close(9);
	/* The end of the pipe: nobody has its other end any more. */
	assert_int_equal(read(fds[0], &byte, 1), 0);
	close(fds[0]);
}

static void *cancel_soon(void *opaque)
{
	usleep(100000);
	gw_cancel_set(opaque);
	return NULL;
}

static void test_cancel(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_cancel *cancel = gw_cancel_new(&err);
	pthread_t thread;

	assert_non_null(cancel);
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, cancel), 0);
	assert_int_equal(gw_command_run("sleep 600", none, 600000, cancel, &err), -1);
	assert_int_equal(err.code, GW_CANCELLED);
	pthread_join(thread, NULL);
	gw_cancel_free(cancel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),	cmocka_unit_test(test_environment),
		cmocka_unit_test(test_signals), cmocka_unit_test(test_limit),
		cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
