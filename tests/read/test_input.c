/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the meaning of a failed read of an input: it ended, it was damaged, it was lost, or the
 * read failed.
 */
#include "lib/gwtest.h"

#include <zlib.h>

#include "base/buffer.h"
#include "channel/fault.h"
#include "lib/bytes.h"
#include "read/input.h"

static const uint8_t bytes[] = "0123456789abcdef";

static struct gw_channel *source(size_t len)
{
	return bytes_source("input", bytes, len);
}

static void test_ended(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_input in = {.ch = source(10), .origin = 1000};
	uint8_t to[16];

	assert_int_equal(gw_input_read(&in, to, 0, &err), GW_READ_OK);
	assert_int_equal(gw_input_peek(&in, to, sizeof(to), &err), 10);
	assert_memory_equal(to, bytes, 10);
	assert_int_equal(gw_input_offset(&in), 1000);
	assert_int_equal(gw_input_read(&in, to, 4, &err), GW_READ_OK);
	assert_int_equal(gw_input_offset(&in), 1004);
	assert_memory_equal(to, bytes, 4);
	assert_int_equal(gw_input_skip(&in, 3, &err), GW_READ_OK);
	/* A read that ends inside the wanted bytes, then one at the end. */
	assert_int_equal(gw_input_read(&in, to, 4, &err), GW_READ_ENDED);
	assert_true(in.cut_inside);
	assert_int_equal(gw_input_read(&in, to, 4, &err), GW_READ_ENDED);
	assert_false(in.cut_inside);
	assert_int_equal(gw_input_skip(&in, 4, &err), GW_READ_ENDED);
	assert_int_equal(err.code, GW_OK);
	gw_channel_close(in.ch);
}

/* An input whose device fails at byte 7. */
static struct gw_channel *failing(struct gw_error *err)
{
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;

	plan.read.error_at = 7;
	return gw_channel_fault(source(16), &plan, err);
}

static void test_lost(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_input in = {.ch = failing(&err)};
	uint8_t to[16];

	assert_fails(gw_input_read(&in, to, 16, &err), &err, GW_SYSTEM, "");
	assert_int_equal(in.lost.code, GW_OK);
	gw_channel_close(in.ch);

	in = (struct gw_input){.ch = failing(&err), .lost_is_end = true};
	assert_int_equal(gw_input_read(&in, to, 16, &err), GW_READ_ENDED);
	assert_true(in.cut_inside);
	assert_int_equal(in.lost.code, GW_SYSTEM);
	assert_int_equal(err.code, GW_OK);
	gw_channel_close(in.ch);
}

static void count(void *owner, const char *text)
{
	assert_true(text[0] != 0);
	++*(unsigned *)owner;
}

/* A gzip stream whose bytes end early: the decompressor detects that. */
static struct gw_channel *cut_gzip(struct gw_buffer *packed, struct gw_error *err)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)bytes, .avail_in = 16};
	void *room = gw_buffer_reserve(packed, 200, err);

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = room;
	z.avail_out = 200;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	packed->len = 200 - z.avail_out;
	deflateEnd(&z);
	return gw_channel_decompress(bytes_source("packed", packed->data, packed->len - 4), err);
}

static void test_damaged(void **state)
{
	struct gw_buffer packed = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_input in = {.ch = cut_gzip(&packed, &err)};
	unsigned calls = 0;
	uint8_t to[32];

	assert_true(gw_input_read(&in, to, 32, &err) == GW_READ_FAILED);
	assert_true(err.code == GW_INVALID || err.code == GW_TRUNCATED);
	gw_error_clear(&err);
	gw_channel_close(in.ch);
	gw_buffer_reset(&packed);

	in = (struct gw_input){.ch = cut_gzip(&packed, &err), .damaged = count, .owner = &calls};
	assert_int_equal(gw_input_read(&in, to, 32, &err), GW_READ_ENDED);
	assert_int_equal(gw_input_read(&in, to, 32, &err), GW_READ_ENDED);
	assert_int_equal(calls, 1);
	assert_true(in.is_damaged);
	assert_int_equal(err.code, GW_OK);
	gw_channel_close(in.ch);
	gw_buffer_free(&packed);
}

static void test_cancelled(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
	struct gw_cancel *cancel = gw_cancel_new(&err);
	struct gw_input in = {.ch = gw_channel_fault(source(16), &plan, &err), .lost_is_end = true};
	uint8_t to[16];

	gw_channel_set_cancel(in.ch, cancel);
	gw_cancel_set(cancel);
	assert_fails(gw_input_read(&in, to, 16, &err), &err, GW_CANCELLED, "");
	gw_channel_close(in.ch);
	gw_cancel_free(cancel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ended),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_cancelled),
	};

	return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}
