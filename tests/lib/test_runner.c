/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the runner of test programs with a filter: each named test runs with the group's state, the
 * others do not run.
 */
#include "lib/gwtest.h"

static int group_state = 5;
static bool ran[3];

static int set_up(void **state)
{
	*state = &group_state;
	return 0;
}

static void first(void **state)
{
	assert_ptr_equal(*state, &group_state);
	ran[0] = true;
}

static void left_out(void **state)
{
	ran[1] = true;
}

static void last(void **state)
{
	assert_ptr_equal(*state, &group_state);
	ran[2] = true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first),
		cmocka_unit_test(left_out),
		cmocka_unit_test(last),
	};

	cmocka_set_skip_filter("left_*");

	int failed = cmocka_run_group_tests_name("runner", tests, set_up, NULL);

	if (failed || !ran[0] || ran[1] || !ran[2]) {
		print_error("a filtered program ran the wrong tests\n");
		return 1;
	}
	return 0;
}
