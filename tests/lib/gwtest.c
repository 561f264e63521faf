/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The runner of a test program: cmocka's, with the generator restarted for each test. It prints the
 * seed that is needed to repeat a failure.
 */
#include "lib/gwtest.h"

#include <inttypes.h>

#include "lib/random.h"

static struct {
	const struct CMUnitTest *test;	   /* the running test */
	void *group_state;		   /* state set by the program's setup */
	CMFixtureFunction setup, teardown; /* of the program, or NULL */
	bool finished;			   /* the running test's function has returned */
	uint64_t seed;
} run;

/* cmocka passes a group's state to its tests in preference to their own, so the group's state is
 * kept here. */
static int start_group(void **state)
{
	return run.setup ? run.setup(&run.group_state) : 0;
}

static int end_group(void **state)
{
	return run.teardown ? run.teardown(&run.group_state) : 0;
}

/* With a filter set cmocka leaves tests out, so each test has its own entry as its state. */
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

/* cmocka leaves a test that fails or is skipped with a longjmp(). */
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
	/* Flushed, so that the seed is there if the program crashes. */
	fflush(stdout);
	for (size_t i = 0; i < nr; i++)
		wrapped[i] = (struct CMUnitTest){tests[i].name, call_test, start_test, end_test,
						 (void *)(uintptr_t)&tests[i]};
	failed = _cmocka_run_group_tests(name, wrapped, nr, start_group, end_group);
	free(wrapped);
	return failed;
}
