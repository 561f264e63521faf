/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the channel with planned faults: each fault happens at its byte, and no other fault does.
 */
#include "tools.h"

#include <errno.h>

#include "channel/fault.h"
#include "channel/memory.h"
#include "lib/random.h"

#define SIZE 10000u

static struct gw_channel *failing(const struct gw_fault_plan *plan, bool filled)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *below = gw_channel_memory("it", &err);
	uint8_t buf[SIZE];

	fill(buf, sizeof(buf), 0);
	if (filled)
		assert_ok(gw_channel_write(below, buf, sizeof(buf), &err), &err);
	struct gw_channel *ch = gw_channel_fault(below, plan, &err);
	assert_non_null(ch);
	return ch;
}

static void nothing(void **state)
{
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
	struct half r = {failing(&plan, true), SIZE, random_seed(), 200, true, false,
			 GW_ERROR_INIT};
	uint8_t byte;

	read_half(&r);
	assert_int_equal(gw_channel_read(r.ch, &byte, 1, &r.err), 0);
	gw_channel_close(r.ch);
}

static void short_transfers(void **state)
{
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
	struct gw_error err = GW_ERROR_INIT;
	uint8_t buf[SIZE];
	int calls = 0;

	plan.seed = random_seed();
	plan.read.most = 7;
	struct gw_channel *ch = failing(&plan, true);
	for (size_t pos = 0; pos < SIZE; calls++) {
		ssize_t got = gw_channel_read_some(ch, buf, sizeof(buf), &err);

		assert_in_range(got, 1, 7);
		check(buf, (size_t)got, pos);
		pos += (size_t)got;
	}
	assert_in_range(calls, SIZE / 5, SIZE / 3);
	gw_channel_close(ch);
}

/* A fault at each byte around the ends of a call's range, for reads and skips. */
static void reading(void **state)
{
	uint8_t buf[SIZE];

	for (uint64_t at = 0; at < 40; at++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
		struct gw_channel *ch;

		plan.read.error_at = at;
		ch = failing(&plan, true);
		assert_fails(at % 2 ? gw_channel_read(ch, buf, SIZE, &err)
				    : gw_channel_skip(ch, SIZE, &err),
			     &err, GW_SYSTEM, "Input/output error");
		assert_int_equal(ch->read_pos, at);
		/* The fault is permanent. */
		assert_fails(gw_channel_read(ch, buf, 1, &err), &err, GW_SYSTEM, "reading it at");
		gw_channel_close(ch);

		plan.read.error_at = GW_FAULT_NEVER;
		plan.read.end_at = at;
		ch = failing(&plan, true);
		assert_int_equal(gw_channel_read(ch, buf, at, &err), 1);
		check(buf, at, 0);
		assert_int_equal(gw_channel_read(ch, buf, 1, &err), 0);
		gw_channel_close(ch);

		plan.read.end_at = GW_FAULT_NEVER;
		plan.read.corrupt_at = at;
		plan.read.corrupt_with = 0x10;
		ch = failing(&plan, true);
		assert_int_equal(gw_channel_read(ch, buf, 3, &err), 1);
		gw_channel_unread(ch, buf, 3);
		assert_int_equal(gw_channel_read(ch, buf, SIZE, &err), 1);
		buf[at] ^= 0x10;
		check(buf, SIZE, 0);
		gw_channel_close(ch);
	}
}

static void writing(void **state)
{
	uint8_t buf[100];

	fill(buf, sizeof(buf), 0);
	for (uint64_t at = 0; at < 40; at++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
		struct gw_channel *ch;

		plan.write.error_at = at;
		plan.write.errnum = ENOSPC;
		ch = failing(&plan, false);
		assert_fails(gw_channel_write(ch, buf, 100, &err), &err, GW_SYSTEM, "No space");
		assert_int_equal(ch->write_pos, at);
		gw_channel_close(ch);

		plan.write.error_at = GW_FAULT_NEVER;
		plan.write.end_at = at;
		ch = failing(&plan, false);
		assert_fails(gw_channel_write(ch, buf, 100, &err), &err, GW_PEER, "is gone");
		assert_int_equal(ch->write_pos, at);
		gw_channel_close(ch);

		plan.write.end_at = GW_FAULT_NEVER;
		plan.write.corrupt_at = at;
		ch = failing(&plan, false);
		assert_ok(gw_channel_write(ch, buf, 100, &err), &err);
		check(buf, 100, 0); /* the caller's bytes are unchanged */
		uint8_t out[100];
		assert_int_equal(gw_channel_read(ch, out, 100, &err), 1);
		out[at] ^= 0xff;
		check(out, 100, 0);
		gw_channel_close(ch);
	}
}

static void stalls(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
	struct gw_cancel *cancel = gw_cancel_new(&err);
	uint64_t before = gw_clock_ms();
	uint8_t buf[100];

	plan.read.stall_at = 50;
	plan.read.stall_ms = 30;
	struct gw_channel *ch = failing(&plan, true);
	gw_channel_set_cancel(ch, cancel);
	assert_int_equal(gw_channel_read(ch, buf, 100, &err), 1);
	assert_true(gw_clock_ms() - before >= 30);
	check(buf, 100, 0);
	gw_channel_close(ch);
	gw_cancel_free(cancel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing), cmocka_unit_test(short_transfers),
		cmocka_unit_test(reading), cmocka_unit_test(writing),
		cmocka_unit_test(stalls),
	};

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
