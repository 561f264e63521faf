/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the console's ring: readers at their own pace, and the bytes that a slow one loses.
 */
#include "lib/gwtest.h"

#include <poll.h>

#include "vmm/console.h"

static uint8_t byte_at(uint64_t pos)
{
	return (uint8_t)(pos * 131 + (pos >> 8));
}

static void put_more(struct gw_console *c, size_t len)
{
	uint8_t *bytes = malloc(len ? len : 1);
	uint64_t pos = gw_console_newest(c);

	for (size_t i = 0; i < len; i++)
		bytes[i] = byte_at(pos + i);
	gw_console_put(c, bytes, len);
	free(bytes);
}

static bool is_ready(struct gw_console *c)
{
	struct pollfd p = {.fd = gw_console_fd(c), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void test_ring(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_console *c = gw_console_new(&err);
	uint64_t follower = 0, slow = 0;
	uint8_t buf[5000];

	assert_non_null(c);
	assert_false(is_ready(c));
	for (unsigned i = 0; i < 300; i++) {
		size_t n;

		put_more(c, i * 7 % 1500);
		while ((n = gw_console_peek(c, &follower, buf, sizeof(buf)))) {
			for (size_t j = 0; j < n; j++)
				assert_int_equal(buf[j], byte_at(follower + j));
			follower += n;
		}
		assert_int_equal(follower, gw_console_newest(c));
	}
	assert_true(is_ready(c));
	gw_console_quiet(c);
	assert_false(is_ready(c));

	/* The slow reader gets exactly the last 64 KiB. */
	assert_int_equal(gw_console_newest(c) - gw_console_oldest(c), GW_CONSOLE_SIZE);
	assert_int_equal(gw_console_peek(c, &slow, buf, sizeof(buf)), sizeof(buf));
	assert_int_equal(slow, gw_console_oldest(c));
	for (size_t j = 0; j < sizeof(buf); j++)
		assert_int_equal(buf[j], byte_at(slow + j));

	/* More at once than the ring holds. */
	put_more(c, 3 * GW_CONSOLE_SIZE + 17);
	slow = 0;
	assert_int_equal(gw_console_peek(c, &slow, buf, 100), 100);
	assert_int_equal(slow, gw_console_newest(c) - GW_CONSOLE_SIZE);
	for (size_t j = 0; j < 100; j++)
		assert_int_equal(buf[j], byte_at(slow + j));
	gw_console_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ring)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
