/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the fingerprint: it is the same everywhere, so known values of FNV-1a have to come out.
 */
#include "lib/gwtest.h"

#include "base/hash.h"

static void test_known(void **state)
{
	assert_true(gw_fingerprint(GW_FINGERPRINT, "", 0) == UINT64_C(0xcbf29ce484222325));
	assert_true(gw_fingerprint(GW_FINGERPRINT, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(gw_fingerprint(GW_FINGERPRINT, "foobar", 6) == UINT64_C(0x85944171f73967e8));
}

/* In pieces it is that of the whole. */
static void test_pieces(void **state)
{
	uint64_t print = gw_fingerprint(GW_FINGERPRINT, "foo", 3);

	assert_true(gw_fingerprint(print, "bar", 3) == UINT64_C(0x85944171f73967e8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
