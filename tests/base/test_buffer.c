/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the growable buffer.
 */
#include "lib/gwtest.h"

#include "base/buffer.h"
#include "base/bytes.h"

static void appends_and_formats(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer buf = {0};

	assert_non_null(gw_buffer_reserve(&buf, 0, &err));
	assert_int_equal(buf.len, 0);
	assert_ok(gw_buffer_append(&buf, NULL, 3, &err), &err);
	for (int i = 0; i < 1000; i++)
		assert_ok(gw_buffer_append(&buf, "abcdefg", 7, &err), &err);
	assert_ok(gw_buffer_printf(&buf, &err, "%d!", 42), &err);
	assert_int_equal(buf.len, 3 + 7000 + 3);
	assert_memory_equal(buf.data, "\0\0\0abc", 6);
	assert_memory_equal(buf.data + 7003, "42!", 3);
	gw_buffer_reset(&buf);
	assert_int_equal(buf.len, 0);
	gw_buffer_free(&buf);
	assert_null(buf.data);
}

static void refuses_what_cannot_be(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer buf = {0};

	assert_ok(gw_buffer_append(&buf, "x", 1, &err), &err);
	assert_null(gw_buffer_reserve(&buf, SIZE_MAX, &err));
	assert_int_equal(err.code, GW_NO_MEMORY);
	assert_int_equal(buf.len, 1);
	gw_buffer_free(&buf);
}

static void bytes_in_both_orders(void **state)
{
	uint8_t raw[9] = {0xee};

	gw_put_le32(raw + 1, 0x01020304);
	assert_memory_equal(raw, "\xee\x04\x03\x02\x01", 5);
	gw_put_be64(raw + 1, UINT64_C(0x0102030405060708));
	assert_memory_equal(raw + 1, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	assert_int_equal(gw_get_be16(raw + 2), 0x0203);
	assert_int_equal(gw_get_le16(raw + 2), 0x0302);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_and_formats),
		cmocka_unit_test(refuses_what_cannot_be),
		cmocka_unit_test(bytes_in_both_orders),
	};

	return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
