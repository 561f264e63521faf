/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Included first by every unit test: cmocka and its headers in the right order, its runner with a
 * seeded generator (random.h), checks of calls that fill a gw_error, and growing lists.
 */
#ifndef GW_TESTS_GWTEST_H
#define GW_TESTS_GWTEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <godwit/error.h>

/* Runs the tests in order, each with the generator restarted. Returns the number of failures. */
int gw_run_tests(const char *name, const struct CMUnitTest *tests, size_t nr,
		 CMFixtureFunction setup, CMFixtureFunction teardown);

/* Replaces cmocka's own names, so that every test program uses the runner above. */
#undef cmocka_run_group_tests
#undef cmocka_run_group_tests_name
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
	cmocka_run_group_tests_name(#tests, tests, setup, teardown)
#define cmocka_run_group_tests_name(name, tests, setup, teardown)                                  \
	gw_run_tests(name, tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

/* Asserts that the call succeeded; shows the error's text if not. */
#define assert_ok(call, err)                                                                       \
	do {                                                                                       \
		if ((call) < 0)                                                                    \
			fail_msg("%s: %s", #call, (err)->text);                                    \
	} while (0)

/* Asserts that the call failed with this code, and that the text contains this part. */
#define assert_fails(call, err, wanted, part)                                                      \
	do {                                                                                       \
		assert_true((call) < 0);                                                           \
		assert_int_equal((err)->code, (wanted));                                           \
		if (!strstr((err)->text, (part)))                                                  \
			fail_msg("\"%s\" does not contain \"%s\"", (err)->text, (part));           \
		gw_error_clear(err);                                                               \
	} while (0)

/* Grows a list by one: returns it with room for another element after its n. It only reallocates
 * when n doubles, because under ASan every realloc() is a copy. */
static inline void *room_for_one(void *list, size_t n, size_t size)
{
	if (n & (n - 1))
		return list;
	list = reallocarray(list, n ? 2 * n : 1, size);
	assert_non_null(list);
	return list;
}

#endif
