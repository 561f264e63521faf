/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests operations: result, progress, the descriptor, and a cancel before, inside and after the
 * commit window.
 */
#include "lib/gwtest.h"

#include <poll.h>
#include <semaphore.h>

#include "migrate/operation.h"

struct script {
	sem_t reached, go;
	bool open_window, wait_for_cancel, fail;
};

static void script_init(struct script *s)
{
	*s = (struct script){0};
	sem_init(&s->reached, 0, 0);
	sem_init(&s->go, 0, 0);
}

static int body(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct script *s = opaque;
	struct gw_progress progress = {.stage = GW_STAGE_MEMORY, .round = 3, .pages_done = 7};

	gw_operation_set_progress(op, &progress);
	if (s->open_window && gw_operation_commit_window(op, true, err) < 0)
		return -1;
	sem_post(&s->reached);
	sem_wait(&s->go);
	if (s->wait_for_cancel)
		return gw_cancel_wait(gw_operation_cancel_token(op), -1, 0, 10000, err);
	if (s->fail)
		return gw_fail(err, GW_GUEST, "the guest did not answer");
	if (gw_operation_commit_window(op, true, err) < 0)
		return -1;
	return gw_operation_commit_window(op, false, err);
}

static bool is_over(struct gw_operation *op, int timeout_ms)
{
	struct pollfd p = {.fd = gw_operation_fd(op), .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

static void test_runs(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_progress progress;
	struct script s;
	struct gw_operation *op;

	script_init(&s);
	op = gw_operation_start("save", body, &s, &err);
	assert_non_null(op);
	sem_wait(&s.reached);
	assert_false(is_over(op, 0));
	gw_operation_progress(op, &progress);
	assert_int_equal(progress.stage, GW_STAGE_MEMORY);
	assert_int_equal(progress.pages_done, 7);
	sem_post(&s.go);
	assert_true(is_over(op, 10000));
	assert_fails(gw_operation_cancel(op, &err), &err, GW_TOO_LATE, "it has ended");
	assert_ok(gw_operation_wait(op, &err), &err);
}

static void test_failure_is_handed_on(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct script s;
	struct gw_operation *op;

	script_init(&s);
	s.fail = true;
	op = gw_operation_start("save", body, &s, &err);
	sem_post(&s.go);
	assert_fails(gw_operation_wait(op, &err), &err, GW_GUEST, "did not answer");
}

static void test_cancel_wakes(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct script s;
	struct gw_operation *op;

	script_init(&s);
	s.wait_for_cancel = true;
	op = gw_operation_start("save", body, &s, &err);
	sem_post(&s.go);
	assert_ok(gw_operation_cancel(op, &err), &err);
	assert_fails(gw_operation_wait(op, &err), &err, GW_CANCELLED, "");
}

static void test_cancel_in_window(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct script s;
	struct gw_operation *op;

	script_init(&s);
	s.open_window = true;
	op = gw_operation_start("migration", body, &s, &err);
	sem_wait(&s.reached);
	assert_fails(gw_operation_cancel(op, &err), &err, GW_TOO_LATE, "handed over");
	assert_false(gw_cancel_is_set(gw_operation_cancel_token(op)));
	sem_post(&s.go);
	assert_ok(gw_operation_wait(op, &err), &err);
}

static void test_cancelled_before_window(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct script s;
	struct gw_operation *op;

	script_init(&s);
	op = gw_operation_start("migration", body, &s, &err);
	sem_wait(&s.reached);
	assert_ok(gw_operation_cancel(op, &err), &err);
	sem_post(&s.go);
	assert_fails(gw_operation_wait(op, &err), &err, GW_CANCELLED, "migration was cancelled");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_failure_is_handed_on),
		cmocka_unit_test(test_cancel_wakes),
		cmocka_unit_test(test_cancel_in_window),
		cmocka_unit_test(test_cancelled_before_window),
	};

	return cmocka_run_group_tests_name("operation", tests, NULL, NULL);
}
