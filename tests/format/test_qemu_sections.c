/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests finding the sections of savevm streams: in streams made here, with and without footers and
 * description, in pieces of any size; with data that only looks like a section; and in a stream
 * that a real QEMU wrote for Xen.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/qemu/whole.h"
#include "lib/realdata.h"
#include "lib/random.h"

/* A stream being made. */
struct stream {
	struct gw_buffer bytes, description;
	bool footers;
	unsigned nr;
	uint64_t offsets[64], ends[64];
};

static void put(struct gw_buffer *b, const void *data, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_buffer_append(b, data, len, &err), &err);
}

static void put8(struct gw_buffer *b, unsigned value)
{
	uint8_t raw = (uint8_t)value;

	put(b, &raw, 1);
}

static void put32(struct gw_buffer *b, uint32_t value)
{
	uint8_t raw[4];

	gw_put_be32(raw, value);
	put(b, raw, 4);
}

static void text(struct gw_buffer *b, const char *t)
{
	put(b, t, strlen(t));
}

static void begin(struct stream *s, bool footers)
{
	*s = (struct stream){.footers = footers};
	text(&s->bytes, "QEVM");
	put32(&s->bytes, 3);
	text(&s->description, "{\"page_size\": 4096, \"devices\": [");
}

/* A section header as QEMU writes it. */
static void put_header(struct gw_buffer *b, unsigned type, uint32_t id, const char *name,
		       uint32_t instance, uint32_t version)
{
	put8(b, type);
	put32(b, id);
	put8(b, (unsigned)strlen(name));
	text(b, name);
	put32(b, instance);
	put32(b, version);
}

static void put_device(struct stream *s, uint32_t id, const char *name, uint32_t instance,
		       uint32_t version, const void *data, size_t len)
{
	char json[300];

	s->offsets[s->nr] = s->bytes.len;
	put_header(&s->bytes, 4, id, name, instance, version);
	put(&s->bytes, data, len);
	if (s->footers) {
		put8(&s->bytes, 0x7e);
		put32(&s->bytes, id);
	}
	s->ends[s->nr] = s->bytes.len;
	snprintf(
		json, sizeof(json),
		"%s{\"name\": \"%s\", \"instance_id\": %u, \"vmsd_name\": \"x\", \"version\": %u, \"fields\": [{\"name\": \"f\", \"array_len\": %zu, \"type\": \"uint8\", \"size\": 1}]}",
		s->nr++ ? ", " : "", name, instance, version, len);
	text(&s->description, json);
}

static void finish(struct stream *s, bool described)
{
	put8(&s->bytes, 0);
	text(&s->description, "]}");
	if (described) {
		put8(&s->bytes, 6);
		put32(&s->bytes, (uint32_t)s->description.len);
		put(&s->bytes, s->description.data, s->description.len);
	}
}

static void done(struct stream *s)
{
	gw_buffer_free(&s->bytes);
	gw_buffer_free(&s->description);
}

/* Reads the stream in pieces of at most that many bytes. */
static void scan(struct gw_qemu_sections *q, const void *data, size_t len, size_t total,
		 size_t piece)
{
	struct gw_error err = GW_ERROR_INIT;
	const uint8_t *from = data;

	gw_qemu_sections_begin(q, total);
	while (len) {
		size_t n = GW_MIN(len, piece > 1 ? 1 + random64() % piece : 1);

		assert_ok(gw_qemu_sections_add(q, from, n, &err), &err);
		from += n;
		len -= n;
	}
	assert_ok(gw_qemu_sections_end(q, &err), &err);
	assert_ok(gw_qemu_sections_end(q, &err), &err);
}

static const struct {
	uint32_t id;
	const char *name;
	uint32_t instance, version;
	size_t len;
} devices[] = {
	{0, "timer", 0, 2, 24},
	{7, "cpu_common", 0, 1, 8},
	{3, "cpu_common", 1, 1, 8}, /* not in the order of ids */
	{9, "0000:00:01.2/1/usb-ptr", 0, 1, 5000},
	{300, "vmmouse", 0, 0, 0},
	{11, "0000:00:02.0/virtio-net", 65535, 255, 300000},
	{12, "parallel", 0, 3, 1},
};

/* Data of random bytes that cannot be taken for a header. */
static void make(struct stream *s, bool footers, bool described, const char *machine)
{
	static uint8_t data[300000];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(random64() % 250 + 8);
	begin(s, footers);
	if (machine) {
		put8(&s->bytes, 7);
		put32(&s->bytes, (uint32_t)strlen(machine));
		text(&s->bytes, machine);
	}
	for (size_t i = 0; i < GW_ARRAY_SIZE(devices); i++)
		put_device(s, devices[i].id, devices[i].name, devices[i].instance,
			   devices[i].version, data, devices[i].len);
	finish(s, described);
}

static void check_all(const struct gw_qemu_sections *q, const struct stream *s,
		      enum gw_qemu_found_by found_by)
{
	assert_true(q->is_qemu);
	assert_int_equal(q->version, 3);
	assert_int_equal(q->found_by, found_by);
	assert_int_equal(q->nr, GW_ARRAY_SIZE(devices));
	assert_int_equal(q->left_out, 0);
	for (size_t i = 0; i < q->nr; i++) {
		assert_string_equal(q->list[i].name, devices[i].name);
		assert_int_equal(q->list[i].instance, devices[i].instance);
		assert_int_equal(q->list[i].version, devices[i].version);
		assert_true(q->list[i].placed);
		assert_int_equal(q->list[i].id, devices[i].id);
		assert_int_equal(q->list[i].offset, s->offsets[i]);
		assert_int_equal(q->list[i].size, s->ends[i] - s->offsets[i]);
	}
}

static void finds_all(void **unused)
{
	static const size_t pieces[] = {1, 7, 300, 5000, 1000000};
	struct gw_qemu_sections q = {0};

	for (unsigned kind = 0; kind < 4; kind++) {
		bool footers = kind & 1, described = kind & 2;
		struct stream s;

		make(&s, footers, described, kind == 3 ? "pc-i440fx-7.2" : NULL);
		for (size_t i = 0; i < GW_ARRAY_SIZE(pieces); i++) {
			scan(&q, s.bytes.data, s.bytes.len, s.bytes.len, pieces[i]);
			check_all(&q, &s,
				  described ? GW_QEMU_DESCRIPTION
				  : footers ? GW_QEMU_FOOTERS
					    : GW_QEMU_PATTERN);
			assert_string_equal(q.machine, kind == 3 ? "pc-i440fx-7.2" : "");
		}
		done(&s);
	}
	gw_qemu_sections_free(&q);
}

/* A device whose data contains a fake section, and a fake footer with a section after it. */
static void make_lying(struct stream *s, bool footers, bool described)
{
	struct gw_buffer data = {0};

	begin(s, footers);
	put(&data, "some bytes", 10);
	put_header(&data, 4, 77, "not-there", 0, 1);
	put(&data, "more bytes", 10);
	put8(&data, 0x7e);
	put32(&data, 5);
	put_header(&data, 4, 78, "neither", 0, 1);
	put(&data, "and more", 8);
	put_device(s, 5, "liar", 0, 1, data.data, data.len);
	put_device(s, 6, "honest", 0, 1, "!", 1);
	finish(s, described);
	gw_buffer_free(&data);
}

static void is_not_lied_to(void **unused)
{
	struct gw_qemu_sections q = {0};
	struct stream s;

	/* Where the description gives sizes, the data makes no difference. */
	for (unsigned footers = 0; footers < 2; footers++) {
		make_lying(&s, footers, true);
		scan(&q, s.bytes.data, s.bytes.len, s.bytes.len, 50);
		assert_int_equal(q.found_by, GW_QEMU_DESCRIPTION);
		assert_int_equal(q.nr, 2);
		assert_string_equal(q.list[1].name, "honest");
		assert_int_equal(q.list[1].offset, s.offsets[1]);
		done(&s);
	}
	/* A fake footer in the data leads away from the real ones: the result is reported as a
	 * guess. */
	make_lying(&s, true, false);
	scan(&q, s.bytes.data, s.bytes.len, s.bytes.len, 50);
	assert_int_equal(q.found_by, GW_QEMU_PATTERN);
	assert_int_equal(q.nr, 4);
	done(&s);
	/* A name with its instance occurs once, and so does the id of a section. */
	begin(&s, false);
	put_device(&s, 1, "first", 0, 1, "\4\0\0\0\2\5first\0\0\0\0\0\0\0\1", 19);
	put_device(&s, 1, "second", 0, 1, "", 0);
	put_device(&s, 2, "first", 1, 1, "", 0);
	finish(&s, false);
	scan(&q, s.bytes.data, s.bytes.len, s.bytes.len, 50);
	assert_int_equal(q.nr, 2);
	assert_int_equal(q.list[1].offset, s.offsets[2]);
	done(&s);
	gw_qemu_sections_free(&q);
}

/* The guest's memory comes before the devices and may hold anything. */
static void is_not_lied_to_by_memory(void **unused)
{
	struct gw_qemu_sections q = {0};
	struct stream s;

	begin(&s, true);
	put_header(&s.bytes, 1, 2, "ram", 0, 4);
	text(&s.bytes, "a page");
	put_header(&s.bytes, 4, 5, "one", 0, 1);
	put_header(&s.bytes, 4, 6, "two", 0, 1);
	put8(&s.bytes, 0x7e);
	put32(&s.bytes, 2);
	put_device(&s, 5, "one", 0, 1, "12345678", 8);
	put_device(&s, 6, "two", 0, 1, "123456", 6);
	finish(&s, true);
	scan(&q, s.bytes.data, s.bytes.len, s.bytes.len, 50);
	assert_int_equal(q.found_by, GW_QEMU_DESCRIPTION);
	assert_int_equal(q.nr, 2);
	assert_int_equal(q.list[0].offset, s.offsets[0]);
	assert_int_equal(q.list[1].offset, s.offsets[1]);
	done(&s);
	gw_qemu_sections_free(&q);
}

/* Old QEMUs describe wrong sizes for an array with null pointers. */
static void wrong_sizes_in_the_description(void **unused)
{
	struct gw_qemu_sections q = {0};
	struct stream s;

	begin(&s, true);
	put_device(&s, 5, "one", 0, 1, "12345678", 8);
	put_device(&s, 6, "two", 0, 9, "123456", 6);
	s.description.len -= 4; /* "size": 1}]} */
	text(&s.description, "3}]}");
	put_device(&s, 7, "three", 0, 1, "1", 1);
	finish(&s, true);
	scan(&q, s.bytes.data, s.bytes.len, s.bytes.len, 50);
	assert_int_equal(q.found_by, GW_QEMU_DESCRIPTION);
	assert_int_equal(q.nr, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(q.list[i].placed);
		assert_int_equal(q.list[i].offset, s.offsets[i]);
		assert_int_equal(q.list[i].size, s.ends[i] - s.offsets[i]);
	}
	/* A section that is not in the stream is reported, without an offset. */
	done(&s);
	begin(&s, false);
	put_device(&s, 5, "one", 0, 1, "12345678", 8);
	text(&s.description, ", {\"name\": \"gone\", \"instance_id\": 4, \"fields\": []}");
	finish(&s, true);
	scan(&q, s.bytes.data, s.bytes.len, s.bytes.len, 50);
	assert_int_equal(q.nr, 2);
	assert_string_equal(q.list[1].name, "gone");
	assert_int_equal(q.list[1].instance, 4);
	assert_false(q.list[1].placed);
	assert_int_equal(q.list[0].size, 0);
	done(&s);
	gw_qemu_sections_free(&q);
}

static void bad_descriptions(void **unused)
{
	static const char *const bad[] = {
		"",
		"{",
		"{}",
		"{\"devices\": 3}",
		"{\"devices\": []}",
		"{\"devices\": [3]}",
		"{\"devices\": [{\"name\": 5}]}",
		"[]",
	};
	struct gw_qemu_sections q = {0};

	for (size_t i = 0; i < GW_ARRAY_SIZE(bad); i++) {
		struct stream s;

		make(&s, true, false, NULL);
		put8(&s.bytes, 6);
		put32(&s.bytes, (uint32_t)strlen(bad[i]));
		text(&s.bytes, bad[i]);
		scan(&q, s.bytes.data, s.bytes.len, s.bytes.len, 5000);
		if (bad[i][0] == '{')
			check_all(&q, &s, GW_QEMU_FOOTERS);
		assert_int_equal(q.nr, GW_ARRAY_SIZE(devices));
		done(&s);
	}
	gw_qemu_sections_free(&q);
}

/* Input that is not a stream, has only its beginning, or ends too early. */
static void what_cannot_be_told(void **unused)
{
	struct gw_qemu_sections q = {0};
	struct stream s;
	uint8_t noise[3000];

	scan(&q, "", 0, 0, 1);
	assert_false(q.is_qemu);
	scan(&q, "QEVM\0\0\0", 7, 7, 1);
	assert_false(q.is_qemu);
	scan(&q, "QemuDeviceModelRecord", 21, 21, 5);
	assert_false(q.is_qemu);
	scan(&q, "QEVM\0\0\0\3", 8, 8, 5);
	assert_true(q.is_qemu);
	assert_int_equal(q.found_by, GW_QEMU_NOTHING);
	/* As in the recorded images: a header, then bytes that count up. */
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(13 * i);
	memcpy(noise, "QEVM\0\0\0\3", 8);
	scan(&q, noise, sizeof(noise), sizeof(noise), 100);
	assert_int_equal(q.found_by, GW_QEMU_NOTHING);
	assert_int_equal(q.nr, 0);

	make(&s, true, true, NULL);
	for (size_t len = 8; len < 1000; len += 1 + random64() % 20) {
		scan(&q, s.bytes.data, len, s.bytes.len, 100);
		for (size_t i = 0; i < q.nr; i++) {
			assert_string_equal(q.list[i].name, devices[i].name);
			assert_int_equal(q.list[i].offset, s.offsets[i]);
		}
		assert_true(q.nr == 0 || q.list[q.nr - 1].size == 0);
		assert_true(q.nr == 0 || q.found_by == GW_QEMU_PATTERN);
	}
	done(&s);
	gw_qemu_sections_free(&q);
}

static void lists_are_bounded(void **unused)
{
	struct gw_qemu_sections q = {0};
	struct stream s;
	char name[20];

	begin(&s, false);
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "device-%u", i);
		put_header(&s.bytes, 4, i, name, 0, 1);
	}
	finish(&s, false);
	scan(&q, s.bytes.data, s.bytes.len, s.bytes.len, 5000);
	assert_int_equal(q.nr, GW_QEMU_SECTIONS_MAX);
	assert_int_equal(q.nr + q.left_out, 20000);
	done(&s);
	gw_qemu_sections_free(&q);
}

/* Any damage: no crash, no read beyond the input, and the list stays in order. */
static void survives_random_damage(void **unused)
{
	struct gw_qemu_sections q = {0};

	for (unsigned i = 0; i < 300; i++) {
		struct stream s;

		make_lying(&s, i & 1, i & 2);
		for (unsigned k = 1 + random64() % 6; k; k--)
			s.bytes.data[random64() % s.bytes.len] =
				random64() % 2 ? (uint8_t)random64() : (uint8_t)(random64() % 8);
		scan(&q, s.bytes.data, s.bytes.len - random64() % 2 * (random64() % 40),
		     s.bytes.len, 60);
		for (size_t k = 1; k < q.nr; k++)
			assert_true(!q.list[k].placed || !q.list[k - 1].placed ||
				    q.list[k].offset > q.list[k - 1].offset);
		done(&s);
	}
	gw_qemu_sections_free(&q);
}

/*
 * Written by the QEMU that Debian's Xen 4.17 starts, for a guest with one vCPU. Some sizes are
 * known from QEMU's source: "timer" has three 64-bit numbers, "cpu_common" two of 32 bits, "port92"
 * and "i2c_bus" a byte.
 */
static void real_state(void **unused)
{
	static const struct {
		const char *name;
		size_t data;
	} sizes[] = {{"timer", 24}, {"cpu_common", 8}, {"port92", 1}, {"i2c_bus", 1}};
	struct gw_buffer file = realdata_load(realdata_path("xen417/tiny-hvm.save.xz"));
	const uint8_t *at = memmem(file.data, file.len, "QEVM", 4);
	struct gw_qemu_sections q = {0};
	size_t len, found = 0;

	assert_non_null(at);
	len = gw_get_le32(at - 12) - 8; /* after the record's length and two ids */
	scan(&q, at, len, len, 4000);
	assert_int_equal(q.found_by, GW_QEMU_PATTERN);
	assert_int_equal(q.nr, 21);
	assert_int_equal(q.list[0].offset, 8);
	for (size_t i = 0; i < q.nr; i++) {
		assert_int_equal(q.list[i].offset + q.list[i].size,
				 i + 1 < q.nr ? q.list[i + 1].offset : len - 1);
		for (size_t k = 0; k < GW_ARRAY_SIZE(sizes); k++) {
			if (strcmp(q.list[i].name, sizes[k].name) != 0)
				continue;
			found++;
			assert_int_equal(q.list[i].size,
					 14 + strlen(sizes[k].name) + sizes[k].data);
		}
	}
	assert_int_equal(found, GW_ARRAY_SIZE(sizes));
	gw_qemu_sections_free(&q);
	gw_buffer_free(&file);
}

static enum gw_qemu_fault judged(const void *state, size_t len, const char *text)
{
	struct gw_qemu_sections q = {0};
	enum gw_qemu_fault fault;
	char said[400] = "";

	scan(&q, state, len, len, 500);
	fault = gw_qemu_judge(&q, said, sizeof(said));
	if (text && !strstr(said, text))
		fail_msg("\"%s\" is not in \"%s\"", text, said);
	gw_qemu_sections_free(&q);
	return fault;
}

/* A state that is cut anywhere is found, but in the fields that only some devices have. */
static void cuts_of_a_real_state(void **unused)
{
	struct gw_buffer file = realdata_load(realdata_path("xen417/tiny-hvm.save.xz"));
	const uint8_t *at = memmem(file.data, file.len, "QEVM", 4);
	size_t len = gw_get_le32(at - 12) - 8, missed = 0;

	assert_int_equal(judged(at, len, NULL), GW_QEMU_WHOLE);
	assert_int_equal(judged(at, len - 1, "inside of section \"piix4_pm/memhp\""), GW_QEMU_CUT);
	assert_int_equal(judged(at, len - 3, "inside of section \"piix4_pm/memhp\""), GW_QEMU_CUT);
	assert_int_equal(judged(at, 141 - 8, "inside of section \"cpu\""), GW_QEMU_CUT);
	assert_int_equal(judged(at, 74, "inside of a section's header"), GW_QEMU_CUT);
	assert_int_equal(judged(at, 9, NULL), GW_QEMU_NO_SECTION);
	for (size_t i = 0; i < len; i++)
		missed += judged(at, i, NULL) == GW_QEMU_WHOLE;
	print_message("%zu of %zu cuts are not found\n", missed, len);
	assert_in_range(missed, 0, len / 10);
	gw_buffer_free(&file);
}

static void states_that_qemu_refuses(void **unused)
{
	struct stream s;

	assert_int_equal(judged("", 0, "does not begin with \"QEVM\""), GW_QEMU_NO_MAGIC);
	assert_int_equal(judged("QEWM\0\0\0\3", 9, NULL), GW_QEMU_NO_MAGIC);
	assert_int_equal(judged("QEVM\0\0\0\2", 9, "version is 2, expected 3"),
			 GW_QEMU_BAD_VERSION);
	assert_int_equal(judged("QEVM\0\0\0\3", 8, "at byte 8 of 8"), GW_QEMU_NO_SECTION);
	assert_int_equal(judged("QEVM\0\0\0\3\3", 10, NULL), GW_QEMU_NO_SECTION);
	assert_int_equal(judged("QEVM\0\0\0\3", 9, NULL), GW_QEMU_WHOLE);
	for (unsigned kind = 0; kind < 4; kind++) {
		make(&s, kind & 1, kind & 2, kind == 3 ? "pc" : NULL);
		assert_int_equal(judged(s.bytes.data, s.bytes.len, NULL), GW_QEMU_WHOLE);
		if (!(kind & 2))
			assert_int_equal(judged(s.bytes.data, s.bytes.len - 1, "without the mark"),
					 GW_QEMU_CUT);
		done(&s);
	}
}

static void least_sizes(void **unused)
{
	assert_int_equal(gw_qemu_least_size("timer", 2, 0), 24);
	assert_int_equal(gw_qemu_least_size("timer", 3, 0), 0);
	assert_int_equal(gw_qemu_least_size("0000:00:01.3/piix4_pm", 3, 0), 312);
	assert_int_equal(gw_qemu_least_size("piix4_pm/memhp", 1, 0), 4);
	assert_int_equal(gw_qemu_least_size("PCIBUS", 1, 128), 516);
	assert_int_equal(gw_qemu_least_size("xtimer", 2, 0), 0);
	assert_int_equal(gw_qemu_least_size("r", 2, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_all),
		cmocka_unit_test(is_not_lied_to),
		cmocka_unit_test(is_not_lied_to_by_memory),
		cmocka_unit_test(wrong_sizes_in_the_description),
		cmocka_unit_test(bad_descriptions),
		cmocka_unit_test(what_cannot_be_told),
		cmocka_unit_test(lists_are_bounded),
		cmocka_unit_test(survives_random_damage),
		cmocka_unit_test(real_state),
		cmocka_unit_test(cuts_of_a_real_state),
		cmocka_unit_test(states_that_qemu_refuses),
		cmocka_unit_test(least_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
