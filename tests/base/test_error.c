/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Recording failures: the first wins, contexts stack up, nothing overflows.
 */
#include "lib/gwtest.h"

#include <errno.h>

static void first_error_wins(void **state)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_int_equal(gw_fail(&err, GW_INVALID, "first %d", 1), -1);
	gw_fail(&err, GW_SYSTEM, "second");
	errno = ENOENT;
	gw_fail_errno(&err, "third");
	assert_int_equal(err.code, GW_INVALID);
	assert_string_equal(err.text, "first 1");
	gw_fail_in(&err, "record %d", 7);
	assert_string_equal(err.text, "record 7: first 1");
	gw_error_clear(&err);
	assert_int_equal(err.code, GW_OK);
	gw_fail_in(&err, "nothing to put a context to");
	assert_string_equal(err.text, "");
	assert_int_equal(gw_fail(NULL, GW_INVALID, "no one listens"), -1);
}

static void errno_is_kept_and_named(void **state)
{
	struct gw_error err = GW_ERROR_INIT;

	errno = ENOSPC;
	gw_fail_errno(&err, "writing x");
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(err.errnum, ENOSPC);
	assert_string_equal(err.text, "writing x: No space left on device");
}

static void long_texts_are_cut(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	gw_fail(&err, GW_INVALID, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	gw_fail_in(&err, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_error_wins),
		cmocka_unit_test(errno_is_kept_and_named),
		cmocka_unit_test(long_texts_are_cut),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
