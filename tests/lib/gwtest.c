/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The runner of a test program: cmocka's, with the generator started afresh for each test and the
 * seed printed where it is needed to run a failure again.
 */
#include "lib/gwtest.h"

#include <inttypes.h>

#include "lib/random.h"

static struct {
	const struct CMUnitTest *test;	   /* the one that runs */
	void *group_state;		   /* what the program's setup left */
	CMFixtureFunction setup, teardown; /* the program's own, or NULL */
	bool finished;			   /* the running test's function returned */
	uint64_t seed;
} run;

/* cmocka prefers a group's state to a test's: the group's is kept from it. */
static int start_group(void **state)
{
	return run.setup ? run.setup(&run.group_state) : 0;
}

static int end_group(void **state)
{
	return run.teardown ? run.teardown(&run.group_state) : 0;
}

/* cmocka leaves tests out when a filter is set, so each brings its own entry as its state. */
static int start_test(void **state)
{
	run.test = *state;
	*state = run.group_state ? run.group_state : run.test->initial_state;
	run.finished = false;
	random_start(run.seed, run.test->name);
	return run.test->setup_func ? run.test->setup_func(state) : 0;
}

static void call_test(void **state)
{
	run.test->test_func(state);
	run.finished = true;
}

/* cmocka leaves a test that fails, or is skipped, by a jump. */
static int end_test(void **state)
{
	if (!run.finished)
		print_message("GODWIT_SEED=%" PRIu64 " runs %s again\n", run.seed, run.test->name);
	return run.test->teardown_func ? run.test->teardown_func(state) : 0;
}

int gw_run_tests(const char *name, const struct CMUnitTest *tests, size_t nr,
		 CMFixtureFunction setup, CMFixtureFunction teardown)
{
	struct CMUnitTest *wrapped = calloc(nr, sizeof(*wrapped));
	int failed;

	if (!wrapped)
		return -1;
	run.group_state = NULL;
	run.setup = setup;
	run.teardown = teardown;
	run.seed = random_program_seed();
	print_message("GODWIT_SEED=%" PRIu64 "\n", run.seed);
	/* A program that crashes must have printed it. */
	fflush(stdout);
	for (size_t i = 0; i < nr; i++)
		wrapped[i] = (struct CMUnitTest){tests[i].name, call_test, start_test, end_test,
						 (void *)(uintptr_t)&tests[i]};
	failed = _cmocka_run_group_tests(name, wrapped, nr, start_group, end_group);
	free(wrapped);
	return failed;
}
