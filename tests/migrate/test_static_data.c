/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The static data that a restore keeps: every record in order, and no more than 4 MiB of them.
 */
#include "lib/gwtest.h"

#include "migrate/restore_static.h"

#define MIB ((size_t)1 << 20)

static uint8_t body[MIB];

static struct gw_record record(uint32_t type, uint32_t length, uint64_t number)
{
	return (struct gw_record){
		.type = type,
		.length = length,
		.data = body,
		.offset = 24 + 100 * number,
		.number = number,
	};
}

static void test_kept_in_order(void **state)
{
	struct gw_static_data s = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_record rec;
	size_t pos = 0;

	for (size_t i = 0; i < 5; i++) {
		rec = record(GW_REC_X86_PV_INFO, (uint32_t)(i * 3), i);
		memset(body, 'a' + (int)i, sizeof(body));
		assert_ok(gw_static_data_keep(&s, &rec, 0, &err), &err);
	}
	/* An optional record that nobody knows says nothing. */
	rec = record(GW_RECORD_OPTIONAL | 0x777, 8, 5);
	assert_ok(gw_static_data_keep(&s, &rec, 0, &err), &err);
	for (size_t i = 0; i < 5; i++) {
		assert_true(gw_static_data_next(&s, &pos, &rec));
		assert_int_equal(rec.type, GW_REC_X86_PV_INFO);
		assert_int_equal(rec.length, i * 3);
		assert_int_equal(rec.number, i);
		assert_int_equal(rec.offset, 24 + 100 * i);
		for (size_t k = 0; k < rec.length; k++)
			assert_int_equal(((const uint8_t *)rec.data)[k], 'a' + i);
	}
	assert_false(gw_static_data_next(&s, &pos, &rec));
	gw_static_data_free(&s);
}

/* The sender says how long a record is, and how many there are: the limit is on all together. */
static void test_limit(void **state)
{
	struct gw_static_data s = {0};
	struct gw_error err = GW_ERROR_INIT;
	size_t kept;
	struct gw_record rec;

	for (uint64_t i = 0; i < 3; i++) {
		rec = record(GW_REC_X86_PV_INFO, MIB, i);
		assert_ok(gw_static_data_keep(&s, &rec, 0x1000, &err), &err);
	}
	kept = s.records.len;
	rec = record(GW_REC_X86_PV_INFO, MIB, 3);
	assert_fails(gw_static_data_keep(&s, &rec, 0x1000, &err), &err, GW_INVALID,
		     "image record 3 at offset 0x1144: more than 4194304 bytes of static data");
	assert_int_equal(s.records.len, kept);
	/* The last byte that fits: the header of a record counts as well. */
	rec.length = (uint32_t)(4 * MIB - kept - kept / 3 + MIB);
	assert_ok(gw_static_data_keep(&s, &rec, 0x1000, &err), &err);
	assert_int_equal(s.records.len, 4 * MIB);
	rec = record(GW_REC_X86_PV_INFO, 0, 4);
	assert_fails(gw_static_data_keep(&s, &rec, 0, &err), &err, GW_INVALID, "static data");
	gw_static_data_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_in_order),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests_name("static data", tests, NULL, NULL);
}
