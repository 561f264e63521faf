/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the channel that keeps bytes and sends them later: order, limit, copies.
 */
#include "lib/gwtest.h"

#include "lib/bytes.h"
#include "migrate/aside.h"

#define LIMIT (UINT64_C(3) << 20)

struct aside {
	struct gw_buffer sent;
	struct gw_channel *out, *ch;
};

static int open_it(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct aside *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->out = bytes_sink("network", &a->sent);
	a->ch = gw_aside_open(a->out, LIMIT, &err);
	assert_non_null(a->ch);
	*state = a;
	return 0;
}

static int close_it(void **state)
{
	struct aside *a = *state;

	gw_channel_close(a->ch);
	gw_channel_close(a->out);
	gw_buffer_free(&a->sent);
	free(a);
	return 0;
}

/* Bytes that say where in the whole they stand. */
static void fill(uint8_t *bytes, size_t len, size_t from)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)((from + i) * 31 % 251);
}

static void put(struct aside *a, size_t len, size_t from)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t *bytes = malloc(len);
	struct iovec iov[2] = {{bytes, len / 3}, {bytes + len / 3, len - len / 3}};

	assert_non_null(bytes);
	fill(bytes, len, from);
	assert_ok(gw_channel_writev(a->ch, iov, 2, &err), &err);
	/* What was written is not the caller's any more. */
	memset(bytes, 0xff, len);
	free(bytes);
}

static void assert_sent(const struct aside *a, size_t len)
{
	assert_int_equal(a->sent.len, len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(a->sent.data[i], i * 31 % 251);
}

static void test_passes_on(void **state)
{
	struct aside *a = *state;

	put(a, 1000, 0);
	put(a, 5 << 20, 1000);
	assert_sent(a, (5 << 20) + 1000);
}

static void test_keeps(void **state)
{
	struct aside *a = *state;
	struct gw_error err = GW_ERROR_INIT;
	size_t at = 0;
	bool all;

	for (int turn = 0; turn < 3; turn++) {
		size_t before = at;

		gw_aside_keep(a->ch);
		for (; at < before + 2500000; at += 777777)
			put(a, 777777, at);
		assert_int_equal(gw_channel_drain(a->ch, &err), 0);
		assert_int_equal(a->sent.len, before);
		assert_ok(gw_aside_send(a->ch, &all, &err), &err);
		assert_true(all);
		assert_sent(a, at);
		put(a, 10, at);
		at += 10;
		assert_sent(a, at);
	}
}

static void test_limit(void **state)
{
	struct aside *a = *state;
	struct gw_error err = GW_ERROR_INIT;
	bool all;

	gw_aside_keep(a->ch);
	put(a, LIMIT, 0);
	assert_int_equal(a->sent.len, 0);
	put(a, 1, LIMIT);
	assert_sent(a, LIMIT + 1);
	put(a, 100, LIMIT + 1);
	assert_sent(a, LIMIT + 101);
	assert_ok(gw_aside_send(a->ch, &all, &err), &err);
	assert_false(all);
	assert_sent(a, LIMIT + 101);
	gw_aside_keep(a->ch);
	put(a, 50, LIMIT + 101);
	assert_int_equal(a->sent.len, LIMIT + 101);
	assert_ok(gw_aside_send(a->ch, &all, &err), &err);
	assert_true(all);
	assert_sent(a, LIMIT + 151);
}

static void test_is_not_read(void **state)
{
	struct aside *a = *state;
	struct gw_error err = GW_ERROR_INIT;
	char byte;

	assert_int_equal(gw_channel_read_some(a->ch, &byte, 1, &err), -1);
	assert_int_equal(err.code, GW_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_passes_on, open_it, close_it),
		cmocka_unit_test_setup_teardown(test_keeps, open_it, close_it),
		cmocka_unit_test_setup_teardown(test_limit, open_it, close_it),
		cmocka_unit_test_setup_teardown(test_is_not_read, open_it, close_it),
	};

	return cmocka_run_group_tests_name("aside", tests, NULL, NULL);
}
