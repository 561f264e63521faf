/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the toolstack record of a legacy image and the xenstore keys that it becomes.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/legacy/map.h"
#include "format/libxl/stream.h"

static struct gw_buffer record_of(uint32_t version, uint32_t count)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer record = {0};
	uint8_t raw[8];

	gw_put_le32(raw, version);
	gw_put_le32(raw + 4, count);
	assert_ok(gw_buffer_append(&record, raw, sizeof(raw), &err), &err);
	return record;
}

/* An entry as tools of that width write it: the padding of the struct comes after the name. */
static void add(struct gw_buffer *record, unsigned width, uint64_t phys, uint64_t start,
		uint64_t size, const char *name, uint32_t namelen)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t raw[28];

	gw_put_le64(raw, phys);
	gw_put_le64(raw + 8, start);
	gw_put_le64(raw + 16, size);
	gw_put_le32(raw + 24, namelen);
	assert_ok(gw_buffer_append(record, raw, sizeof(raw), &err), &err);
	assert_ok(gw_buffer_append(record, name, namelen, &err), &err);
	assert_ok(gw_buffer_append(record, "\x99\x88\x77\x66", width == 8 ? 4 : 0, &err), &err);
}

static void assert_keys(const struct gw_buffer *record, unsigned width, const char *expected,
			size_t len, uint32_t count)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer out = {0};
	uint32_t entries = 99;

	/* The keys are appended: the ids of the record are already in the buffer. */
	assert_ok(gw_buffer_append(&out, "12345678", 8, &err), &err);
	assert_ok(gw_legacy_map_xenstore(record->data, record->len, width, &out, &entries, &err),
		  &err);
	assert_int_equal(entries, count);
	assert_int_equal(out.len, 8 + len);
	assert_memory_equal(out.data, "12345678", 8);
	assert_memory_equal(out.data + 8, expected, len);
	gw_buffer_free(&out);
}

static void keys_of_both_widths(void **state)
{
	static const char keys[] = "physmap/a0000/start_addr\0f0000000\0"
				   "physmap/a0000/size\000800000\0"
				   "physmap/a0000/name\0vga.vram\0"
				   "physmap/fedcba9876543210/start_addr\000123456789abcdef\0"
				   "physmap/fedcba9876543210/size\0000\0"
				   "physmap/fedcba9876543210/name\0x";

	for (unsigned width = 4; width <= 8; width += 4) {
		struct gw_buffer record = record_of(1, 2);

		add(&record, width, 0xa0000, 0xf0000000, 0x800000, "vga.vram", 9);
		add(&record, width, UINT64_C(0xfedcba9876543210), UINT64_C(0x0123456789abcdef), 0,
		    "x", 2);
		assert_keys(&record, width, keys, sizeof(keys), 2);
		gw_buffer_free(&record);
	}
}

/* libxl 4.5 accepts such an entry, and later versions need a value for each of the three keys. */
static void an_entry_without_a_name(void **state)
{
	static const char keys[] =
		"physmap/1/start_addr\0002\0physmap/1/size\0003\0physmap/1/name\0";

	for (unsigned width = 4; width <= 8; width += 4) {
		struct gw_buffer record = record_of(1, 1);
		struct gw_emulator_data emu = {.data = (const uint8_t *)keys, .len = sizeof(keys)};
		struct gw_error err = GW_ERROR_INIT;
		const char *key, *value;
		size_t pos = 0;

		add(&record, width, 1, 2, 3, "", 0);
		assert_keys(&record, width, keys, sizeof(keys), 1);
		gw_buffer_free(&record);
		for (int i = 0; i < 3; i++)
			assert_int_equal(gw_xenstore_pair(&emu, &pos, &key, &value, &err), 1);
		assert_string_equal(key, "physmap/1/name");
		assert_string_equal(value, "");
		assert_int_equal(gw_xenstore_pair(&emu, &pos, &key, &value, &err), 0);
	}
}

static void no_entries_no_keys(void **state)
{
	struct gw_buffer record = record_of(1, 0);

	assert_keys(&record, 8, "", 0, 0);
	assert_keys(&record, 4, "", 0, 0);
	gw_buffer_free(&record);
}

/* The call fails and appends nothing. */
static void assert_refused(struct gw_buffer *record, unsigned width, enum gw_code code,
			   const char *text)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer out = {0};
	uint32_t entries = 99;

	assert_ok(gw_buffer_append(&out, "1234", 4, &err), &err);
	assert_fails(gw_legacy_map_xenstore(record->data, record->len, width, &out, &entries, &err),
		     &err, code, text);
	assert_int_equal(out.len, 4);
	assert_int_equal(entries, 0);
	gw_buffer_free(&out);
	gw_buffer_free(record);
}

static void the_other_width_is_recognised(void **state)
{
	struct gw_buffer narrow = record_of(1, 2), wide = record_of(1, 2);

	for (int i = 0; i < 2; i++) {
		add(&narrow, 4, 1, 2, 3, "vga.vram", 9);
		add(&wide, 8, 1, 2, 3, "vga.vram", 9);
	}
	assert_refused(
		&narrow, 8, GW_INVALID,
		"toolstack record, which fits 32-bit tools but not 64-bit tools: entry 1 of 2");
	assert_refused(&wide, 4, GW_INVALID,
		       "toolstack record, which fits 64-bit tools but not 32-bit tools: ");
}

static void what_no_libxl_wrote(void **state)
{
	struct gw_buffer r = {0};

	assert_refused(&r, 8, GW_INVALID, "it has 0 bytes, at least 8");
	r = record_of(1, 0);
	r.len = 7;
	assert_refused(&r, 8, GW_INVALID, "it has 7 bytes, at least 8");
	r = record_of(2, 0);
	assert_refused(&r, 8, GW_UNSUPPORTED, "version 2, only 1 is known");
	r = record_of(1, 0xffffffff);
	assert_refused(&r, 8, GW_INVALID, "entry 0 of 4294967295: 32 bytes are needed, 0 are left");
	r = record_of(1, 1);
	add(&r, 8, 1, 2, 3, "vga.vram", 9);
	gw_put_le32(r.data + 8 + 24, 0xffffffff);
	assert_refused(&r, 8, GW_INVALID, "a name of 4294967295 bytes needs 4294967327 bytes, 41");
	r = record_of(1, 1);
	add(&r, 4, 1, 2, 3, "vga.vram", 8);
	assert_refused(&r, 4, GW_INVALID, "its name of 8 bytes does not end with its only NUL");
	r = record_of(1, 1);
	add(&r, 4, 1, 2, 3, "vga\0ram", 8);
	assert_refused(&r, 4, GW_INVALID, "its name of 8 bytes does not end with its only NUL");
	r = record_of(1, 1);
	add(&r, 8, 1, 2, 3, "vga.vram", 9);
	add(&r, 8, 1, 2, 3, "vga.vram", 9);
	assert_refused(&r, 8, GW_INVALID, "toolstack record: 41 bytes after its 1 entries");
}

/* A few bytes of each entry become many: a result larger than a record of the stream is refused. */
static void more_than_a_record_holds(void **state)
{
	struct gw_buffer r = record_of(1, 20000);

	for (int i = 0; i < 20000; i++)
		add(&r, 4, 1, 2, 3, "x", 2);
	assert_refused(&r, 4, GW_UNSUPPORTED, "20000 entries exceed the limit for xenstore");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_of_both_widths),
		cmocka_unit_test(an_entry_without_a_name),
		cmocka_unit_test(no_entries_no_keys),
		cmocka_unit_test(the_other_width_is_recognised),
		cmocka_unit_test(what_no_libxl_wrote),
		cmocka_unit_test(more_than_a_record_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
