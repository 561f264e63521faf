/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the libxl stream and the header of xl.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "format/libxl/stream.h"
#include "format/xl/file.h"
#include "lib/feed.h"

/* Header and LIBXC_CONTEXT, worked out by hand. */
static const uint8_t opening[] = {
	0x4c, 0x69, 0x62, 0x78, 0x6c, 0x46, 0x6d, 0x74, 0, 0, 0, 2,
	0,    0,    0,	  0,	1,    0,    0,	  0,	0, 0, 0, 0,
};
static const uint8_t svm_ready[] = {5, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0};

static int next_event(struct gw_stream_reader *r, struct feed *src, enum gw_stream_event *event,
		      struct gw_error *err)
{
	enum fed fed = feed_stream(src, r, event, err);

	assert_int_not_equal(fed, FED_ENDED);
	return fed == FED_FAILED ? -1 : 0;
}

static void expect_event(struct gw_stream_reader *r, struct feed *src, enum gw_stream_event wanted)
{
	struct gw_error err = GW_ERROR_INIT;
	enum gw_stream_event event;

	assert_ok(next_event(r, src, &event, &err), &err);
	assert_int_equal(event, wanted);
}

static void append(struct gw_buffer *buf, const void *data, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_buffer_append(buf, data, len, &err), &err);
}

static void stops_where_the_image_begins(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer buf = {0};
	struct gw_stream_reader r;
	const struct gw_emulator_data xs = {GW_EMULATOR_UPSTREAM, 0, (const uint8_t *)"a\0b", 4};
	struct gw_emulator_data emu;

	append(&buf, opening, sizeof(opening));
	append(&buf, NULL, 100); /* an image, whose contents do not matter to this layer */
	assert_ok(gw_emulator_data_append(&buf, GW_STREAM_EMULATOR_XENSTORE_DATA, &xs, &err), &err);
	assert_ok(gw_record_append(&buf, GW_STREAM_EMULATOR_CONTEXT, "\2\0\0\0\0\0\0\0QEVM!", 13,
				   &err),
		  &err);
	assert_ok(gw_record_append(&buf, GW_STREAM_END, NULL, 0, &err), &err);

	struct feed src = {buf.data, buf.len, 0};

	gw_stream_reader_init(&r);
	assert_true(gw_stream_reader_at_boundary(&r));
	expect_event(&r, &src, GW_STREAM_HEADER);
	assert_int_equal(r.header.version, 2);
	assert_int_equal(r.header.options, 0);
	expect_event(&r, &src, GW_STREAM_CONTEXT);
	assert_int_equal(src.pos, sizeof(opening));
	src.pos += 100;
	gw_stream_reader_resume(&r, 100);
	expect_event(&r, &src, GW_STREAM_RECORD);
	assert_int_equal(r.rec.type, GW_STREAM_EMULATOR_XENSTORE_DATA);
	assert_int_equal(r.rec.number, 1);
	assert_int_equal(r.rec.offset, 124);
	assert_ok(gw_emulator_data_decode(&r.rec, &emu, &err), &err);
	assert_int_equal(emu.emulator_id, 2);
	assert_int_equal(emu.len, 4);
	assert_memory_equal(emu.data, "a\0b", 4);
	expect_event(&r, &src, GW_STREAM_BODY);
	assert_int_equal(r.rec.length, 13);
	assert_null(r.rec.data);
	assert_memory_equal(r.body_head, "\2\0\0\0\0\0\0\0", 8);
	assert_int_equal(r.body_left, 8);
	assert_false(gw_stream_reader_at_boundary(&r));
	assert_memory_equal(src.data + src.pos, "QEVM!", 5);
	src.pos += r.body_left;
	gw_stream_reader_body_done(&r);
	expect_event(&r, &src, GW_STREAM_RECORD);
	assert_int_equal(r.rec.type, GW_STREAM_END);
	assert_int_equal(r.rec.offset, buf.len - 8);
	expect_event(&r, &src, GW_STREAM_DONE);
	assert_int_equal(src.pos, buf.len);
	assert_int_equal(r.offset, buf.len - 100);
	gw_stream_reader_free(&r);
	gw_buffer_free(&buf);
}

static void short_and_long_bodies(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer buf = {0};
	struct gw_stream_reader r;
	enum gw_stream_event event;
	uint8_t raw[8];

	append(&buf, opening, 16);
	assert_ok(gw_record_append(&buf, GW_STREAM_EMULATOR_CONTEXT, NULL, 0, &err), &err);
	assert_ok(gw_record_append(&buf, GW_STREAM_EMULATOR_CONTEXT, "abc", 3, &err), &err);
	gw_record_header_encode(raw, 77, UINT32_MAX);
	append(&buf, raw, 8);
	append(&buf, "01234567", 8);

	struct feed src = {buf.data, buf.len, 0};

	gw_stream_reader_init(&r);
	expect_event(&r, &src, GW_STREAM_HEADER);
	expect_event(&r, &src, GW_STREAM_BODY);
	assert_int_equal(r.body_left, 0);
	gw_stream_reader_body_done(&r);
	expect_event(&r, &src, GW_STREAM_BODY);
	assert_memory_equal(r.body_head, "abc\0\0\0\0\0", 8);
	assert_int_equal(r.body_left, 5);
	src.pos += 5;
	gw_stream_reader_body_done(&r);
	expect_event(&r, &src, GW_STREAM_BODY); /* no memory is allocated for 4 GiB */
	assert_int_equal(r.rec.length, UINT32_MAX);
	assert_true(r.body_left == (UINT64_C(1) << 32) - 8);
	gw_stream_reader_free(&r);

	gw_buffer_reset(&buf);
	append(&buf, opening, 16);
	gw_record_header_encode(raw, GW_STREAM_LIBXC_CONTEXT, GW_STREAM_BODY_MAX + 1);
	append(&buf, raw, 8);
	src = (struct feed){buf.data, buf.len, 0};
	gw_stream_reader_init(&r);
	expect_event(&r, &src, GW_STREAM_HEADER);
	assert_fails(next_event(&r, &src, &event, &err), &err, GW_INVALID, "LIBXC_CONTEXT");
	gw_stream_reader_free(&r);
	gw_buffer_free(&buf);
}

static void xenstore_strings(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_emulator_data emu = {.data = (const uint8_t *)"k1\0v1\0k2\0", .len = 10};
	const char *key, *value;
	size_t pos = 0;

	assert_int_equal(gw_xenstore_pair(&emu, &pos, &key, &value, &err), 1);
	assert_string_equal(key, "k1");
	assert_string_equal(value, "v1");
	assert_int_equal(gw_xenstore_pair(&emu, &pos, &key, &value, &err), 1);
	assert_string_equal(key, "k2");
	assert_string_equal(value, "");
	assert_int_equal(gw_xenstore_pair(&emu, &pos, &key, &value, &err), 0);

	emu.len = 9;
	pos = 6;
	assert_fails(gw_xenstore_pair(&emu, &pos, &key, &value, &err), &err, GW_INVALID,
		     "\"k2\" has no value");
	emu.len = 8;
	pos = 6;
	assert_fails(gw_xenstore_pair(&emu, &pos, &key, &value, &err), &err, GW_INVALID,
		     "key at byte 6");
	emu.len = 5;
	pos = 0;
	assert_fails(gw_xenstore_pair(&emu, &pos, &key, &value, &err), &err, GW_INVALID,
		     "\"k1\" has no NUL");
}

static void checkpoint_states(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer buf = {0};
	struct gw_record rec = {.length = 4, .data = svm_ready + 8};
	uint32_t id;

	assert_ok(gw_checkpoint_state_decode(&rec, &id, &err), &err);
	assert_string_equal(gw_checkpoint_state_name(id), "SVM_READY");
	assert_ok(gw_checkpoint_state_append(&buf, id, &err), &err);
	assert_int_equal(buf.len, sizeof(svm_ready));
	assert_memory_equal(buf.data, svm_ready, sizeof(svm_ready));
	gw_buffer_free(&buf);
	rec.length = 3;
	assert_fails(gw_checkpoint_state_decode(&rec, &id, &err), &err, GW_INVALID, "expected 4");
	assert_null(gw_checkpoint_state_name(4));
}

static void header_of_the_stream(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_stream_header h = {2, GW_STREAM_CONVERTED};
	uint8_t raw[16];

	gw_stream_header_encode(&h, raw);
	assert_memory_equal(raw, "LibxlFmt\0\0\0\2\0\0\0\2", 16);
	h = (struct gw_stream_header){0};
	assert_ok(gw_stream_header_decode(raw, &h, &err), &err);
	assert_int_equal(h.version, 2);
	assert_int_equal(h.options, GW_STREAM_CONVERTED);
	raw[0] = 'l';
	assert_fails(gw_stream_header_decode(raw, &h, &err), &err, GW_INVALID, "LibxlFmt");
}

static void header_of_xl(void **state)
{
	static const char text[] = "{\"c_info\":{}}";
	struct gw_error err = GW_ERROR_INIT;
	struct gw_xlfile xl = {0};
	struct gw_buffer buf = {0};
	const char *config;
	uint8_t raw[48];
	size_t len;

	assert_memory_equal(gw_xlfile_magic, "Xen saved domain, xl format\n \0 \r", 32);
	assert_ok(gw_xlfile_append(&buf, 3, text, strlen(text), &err), &err);
	assert_int_equal(buf.len, 48 + 4 + sizeof(text));
	assert_memory_equal(buf.data + 32, "\4\3\2\1\3\0\0\0\0\0\0\0\x12\0\0\0\x0e\0\0\0{", 21);
	assert_int_equal(buf.data[buf.len - 1], 0);
	assert_true(gw_xlfile_is_magic(buf.data, 8));
	assert_true(gw_xlfile_is_magic(buf.data, buf.len));
	assert_false(gw_xlfile_is_magic(buf.data, 7));

	assert_ok(gw_xlfile_header_decode(buf.data, &xl, &err), &err);
	assert_int_equal(xl.byteorder, GW_XLFILE_BYTEORDER);
	assert_int_equal(xl.mandatory_flags, 3);
	assert_int_equal(xl.optional_len, 18);
	assert_null(gw_xlfile_config(&xl, &len)); /* the config is not complete yet */
	append(&xl.optional, buf.data + 48, xl.optional_len);
	config = gw_xlfile_config(&xl, &len);
	assert_non_null(config);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(config, text, len);
	gw_xlfile_header_encode(&xl, raw);
	assert_memory_equal(raw, buf.data, sizeof(raw));

	xl.optional.data[0] = 0xff; /* the config is longer than the data */
	assert_null(gw_xlfile_config(&xl, &len));
	xl.optional.data[0] = 13; /* no NUL inside */
	assert_non_null(gw_xlfile_config(&xl, &len));
	assert_int_equal(len, 13);

	buf.data[31] = '\n';
	assert_fails(gw_xlfile_header_decode(buf.data, &xl, &err), &err, GW_INVALID, "32 bytes");
	gw_xlfile_free(&xl);
	gw_buffer_reset(&buf);
	assert_ok(gw_xlfile_append(&buf, 3, NULL, 0, &err), &err);
	assert_int_equal(buf.len, 48);
	assert_fails(gw_xlfile_append(&buf, 3, "", GW_XLFILE_CONFIG_MAX, &err), &err, GW_INVALID,
		     "config of");
	gw_buffer_free(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stops_where_the_image_begins),
		cmocka_unit_test(short_and_long_bodies),
		cmocka_unit_test(xenstore_strings),
		cmocka_unit_test(checkpoint_states),
		cmocka_unit_test(header_of_the_stream),
		cmocka_unit_test(header_of_xl),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
