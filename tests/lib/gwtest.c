/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The runner of a test program: cmocka's, with the generator started afresh for each test and the
 * seed printed where it is needed to run a failure again.
 */
#include "lib/gwtest.h"

#include <inttypes.h>

#include "lib/random.h"

static struct {
	const struct CMUnitTest *tests;
	size_t next;   /* index of the test that starts next */
	bool finished; /* the running test's function returned */
	uint64_t seed;
} run;

static const struct CMUnitTest *running(void)
{
	return &run.tests[run.next - 1];
}

static int start_test(void **state)
{
	const struct CMUnitTest *test = &run.tests[run.next++];

	run.finished = false;
	random_start(run.seed, test->name);
	return test->setup_func ? test->setup_func(state) : 0;
}

static void call_test(void **state)
{
	running()->test_func(state);
	run.finished = true;
}

/* cmocka leaves a test that fails, or is skipped, by a jump. */
static int end_test(void **state)
{
	if (!run.finished)
		print_message("GODWIT_SEED=%" PRIu64 " runs %s again\n", run.seed, running()->name);
	return running()->teardown_func ? running()->teardown_func(state) : 0;
}

int gw_run_tests(const char *name, const struct CMUnitTest *tests, size_t nr,
		 CMFixtureFunction setup, CMFixtureFunction teardown)
{
	struct CMUnitTest *wrapped = calloc(nr, sizeof(*wrapped));
	int failed;

	if (!wrapped)
		return -1;
	run.tests = tests;
	run.next = 0;
	run.seed = random_program_seed();
	print_message("GODWIT_SEED=%" PRIu64 "\n", run.seed);
	/* A program that crashes must have printed it. */
	fflush(stdout);
	for (size_t i = 0; i < nr; i++)
		wrapped[i] = (struct CMUnitTest){tests[i].name, call_test, start_test, end_test,
						 tests[i].initial_state};
	failed = _cmocka_run_group_tests(name, wrapped, nr, setup, teardown);
	free(wrapped);
	return failed;
}
