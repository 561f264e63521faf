/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests struct gw_error: the first failure is kept, contexts are added in front, long texts do not
 * overflow.
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

static void reasons_are_kept_beside_the_sentence(void **state)
{
	struct gw_error err = GW_ERROR_INIT, copy = GW_ERROR_INIT;

	gw_fail_reason(&err, "a reason for nothing");
	assert_int_equal(err.nr_reasons, 0);
	gw_fail(&err, GW_REFUSED, "it cannot be taken");
	err.rule = "some-rule";
	gw_fail_reason(&err, "no %s", "room");
	gw_fail_reason(&err, "no name");
	gw_fail_in(&err, "domain %d", 7);
	gw_fail_more(&err, "; it runs on");
	gw_fail_as(&copy, &err);
	assert_string_equal(copy.text, "domain 7: it cannot be taken; it runs on");
	assert_int_equal(copy.nr_reasons, 2);
	assert_string_equal(gw_error_reason(&copy, 0), "no room");
	assert_string_equal(gw_error_reason(&copy, 1), "no name");
	assert_string_equal(copy.rule, "some-rule");
	gw_error_clear(&err);
	assert_int_equal(err.nr_reasons, 0);
	assert_null(err.rule);
}

/* What has no room is counted; a sentence that grows leaves reasons out from the end. */
static void reasons_without_room_are_counted(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	char text[300];

	memset(text, 'r', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	gw_fail(&err, GW_REFUSED, "short");
	for (int i = 0; i < 5; i++)
		gw_fail_reason(&err, "%s", text);
	gw_fail_reason(&err, "fits, but comes after some that did not");
	assert_int_equal(err.nr_reasons, 3);
	assert_int_equal(err.reasons_left_out, 3);
	gw_fail_in(&err, "%s", text);
	assert_int_equal(err.nr_reasons, 2);
	assert_int_equal(err.reasons_left_out, 4);
	assert_string_equal(gw_error_reason(&err, 1), text);
	for (int i = 0; i < 5; i++)
		gw_fail_more(&err, "%s", text);
	assert_int_equal(err.nr_reasons, 0);
	assert_int_equal(err.reasons_left_out, 6);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_error_wins),
		cmocka_unit_test(errno_is_kept_and_named),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(reasons_are_kept_beside_the_sentence),
		cmocka_unit_test(reasons_without_room_are_counted),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
