/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the reading of QEMU's savevm streams: real ones, written ones, and damaged ones.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "lib/random.h"
#include "lib/realdata.h"
#include "lib/savevm_writer.h"
#include "savevm_reading.h"

static void test_plain(void **state)
{
	for (int footers = 0; footers < 2; footers++) {
		struct gw_buffer b = stream_of(footers, TIMER ", " DISK);
		struct result r = read_buffer(&b);
		const struct gw_savevm_section *disk;
		struct gw_savevm_value value;
		bool is_signed;

		assert_int_equal(r.rc, 1);
		assert_int_equal(r.nr_faults, 0);
		assert_string_equal(r.stream.configuration.machine, "pc-test");
		assert_int_equal(r.stream.footers,
				 footers ? GW_SAVEVM_FOOTERS : GW_SAVEVM_NO_FOOTERS);
		assert_int_equal(r.sections, 5);
		assert_int_equal(r.stream.nr_sections, 5);
		assert_int_equal(r.blocks, 2);
		assert_int_equal(r.pages, 5);
		assert_int_equal(r.sum, 5 * 1 + 7 * 4 + 9 * 3 + 11 * 2);
		assert_int_equal(r.stream.ram.blocks[0].pages, 3);
		assert_int_equal(r.stream.ram.blocks[0].zeros, 1);
		assert_int_equal(r.stream.ram.blocks[1].pages, 1);
		assert_int_equal(r.stream.end, b.len);
		assert_int_equal(r.stream.trailing, 0);
		disk = gw_savevm_find_short(&r.stream, "disk", 1);
		assert_non_null(disk);
		assert_int_equal(disk->found, GW_SAVEVM_BY_DESCRIPTION);
		assert_int_equal(disk->length, 7 + 1 + 1 + 10 + 4 + 4);
		assert_int_equal(disk->has_footer, footers);
		assert_memory_equal(b.data + disk->data, disk->bytes, disk->length);
		assert_true(gw_savevm_field_get(disk, "regs[1].value", &value));
		assert_int_equal(value.offset, 3);
		assert_int_equal(gw_savevm_number(&value, &is_signed), 0x5678);
		assert_true(gw_savevm_field_get(disk, "state[1]", &value));
		assert_int_equal(value.data[0], 42);
		assert_true(gw_savevm_field_get(disk, "disk/retry.count", &value));
		assert_int_equal(gw_savevm_number(&value, &is_signed), 99);
		assert_false(gw_savevm_field_get(disk, "disk/retry", &value));
		assert_true(gw_savevm_field_get(gw_savevm_find_section(&r.stream, "timer", 0),
						"ticks", &value));
		assert_int_equal((int64_t)gw_savevm_number(&value, &is_signed), -5);
		assert_true(is_signed);
		done(&r);
		gw_buffer_free(&b);
	}
}

/* A stream that is cut is never taken for a whole one, and only a whole one has devices. */
static void test_cut_everywhere(void **state)
{
	for (int footers = 0; footers < 2; footers++) {
		struct gw_buffer b = stream_of(footers, TIMER ", " DISK);
		struct result whole = read_buffer(&b);

		for (size_t len = 0; len < b.len; len++) {
			struct result r;

			/* Most of it is page contents. */
			if (len > 400 && len < whole.stream.sections[2].offset && len % 97)
				continue;
			r = read_with(b.data, len, false, NULL);
			if (len > whole.stream.eof && footers) {
				assert_int_equal(r.rc, 1);
				assert_int_equal(r.faults[GW_SAVEVM_FAULT_CUT], 0);
				assert_true(r.nr_faults > 0);
			} else if (footers || len <= whole.stream.sections[3].offset) {
				assert_int_equal(r.rc, 0);
				assert_int_equal(r.faults[GW_SAVEVM_FAULT_CUT], 1);
				assert_int_equal(r.last_offset, len);
			}
			done(&r);
		}
		done(&whole);
		gw_buffer_free(&b);
	}
}

/* Any byte may be anything: the reading ends, and what it hands on is as it says. */
static void test_damaged(void **state)
{
	struct gw_buffer b = stream_of(true, TIMER ", " DISK);
	struct result whole = read_buffer(&b);
	size_t devices = (size_t)whole.stream.sections[3].offset;

	for (unsigned i = 0; i < 3000; i++) {
		size_t at = i % 3 ? devices + random64() % (b.len - devices) : random64() % 260;
		uint8_t before = b.data[at];
		struct result r;

		b.data[at] = (uint8_t)random64();
		r = read_with(b.data, b.len, false, NULL);
		for (size_t k = 0; k < r.stream.nr_sections; k++) {
			const struct gw_savevm_section *s = &r.stream.sections[k];

			assert_true(s->data + s->length <= b.len);
			if (s->bytes)
				assert_memory_equal(s->bytes, b.data + s->data, s->length);
		}
		done(&r);
		b.data[at] = before;
	}
	done(&whole);
	gw_buffer_free(&b);
}

static void test_header(void **state)
{
	struct gw_buffer b = {0};

	sv_bytes(&b, "QEVN", 4);
	sv_u32(&b, 3);
	expect(&b, GW_SAVEVM_FAULT_MAGIC, "expected \"QEVM\"");
	sv_bytes(&b, "QEVM", 4);
	sv_u32(&b, 2);
	expect(&b, GW_SAVEVM_FAULT_VERSION, "its version is 2, expected 3");
	sv_begin(&b, NULL);
	sv_u8(&b, GW_SAVEVM_CONFIGURATION);
	sv_u32(&b, 300);
	sv_bytes(&b, NULL, 400);
	expect(&b, GW_SAVEVM_FAULT_CONFIGURATION, "name of its machine is too long");
	sv_begin(&b, "pc");
	sv_u8(&b, GW_SAVEVM_SUBSECTION);
	sv_name(&b, "configuration/other");
	sv_u32(&b, 1);
	expect(&b, GW_SAVEVM_FAULT_CONFIGURATION, "subsection that QEMU does not know");
	sv_begin(&b, "pc");
	sv_u8(&b, GW_SAVEVM_SUBSECTION);
	sv_name(&b, "configuration/target-page-bits");
	sv_u32(&b, 1);
	sv_u32(&b, 40);
	expect(&b, GW_SAVEVM_FAULT_CONFIGURATION, "target-page-bits");
	sv_begin(&b, "pc");
	sv_u8(&b, GW_SAVEVM_SUBSECTION);
	sv_name(&b, "configuration/capabilities");
	sv_u32(&b, 1);
	sv_u32(&b, UINT32_MAX);
	expect(&b, GW_SAVEVM_FAULT_CONFIGURATION, "more capabilities than QEMU knows");
	sv_begin(&b, "pc");
	sv_u8(&b, 0x33);
	expect(&b, GW_SAVEVM_FAULT_TYPE, "type 0x33 begins no section");
}

static void test_section_faults(void **state)
{
	struct gw_buffer b = stream_of(true, TIMER ", " DISK);
	struct result r = read_buffer(&b);
	uint64_t timer = r.stream.sections[3].data, end = timer + 8;
	uint64_t memory = r.stream.sections[0].data + r.stream.sections[0].length;

	done(&r);
	b.data[end + 4] ^= 1;
	expect(&b, GW_SAVEVM_FAULT_FOOTER,
	       "section \"timer\" instance 0: its footer names section id 5");
	b = stream_of(true, TIMER ", " DISK);
	b.data[memory + 4] ^= 1;
	expect(&b, GW_SAVEVM_FAULT_FOOTER,
	       "section \"ram\" instance 0: its footer names section id 3");
	/* Without a footer, where others have one. */
	sv_begin(&b, "pc");
	put_timer(&b, true, 1);
	put_disk(&b, false);
	sv_end(&b, TIMER ", " DISK);
	r = read_buffer(&b);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_FOOTER], 1);
	done(&r);
	gw_buffer_free(&b);
	sv_begin(&b, "pc");
	put_memory(&b, true);
	sv_part(&b, GW_SAVEVM_PART, 3);
	sv_u64(&b, 1);
	sv_footer(&b, 3);
	sv_end(&b, "");
	expect(&b, GW_SAVEVM_FAULT_ID, "continues id 3, which no section began");
	sv_begin(&b, "pc");
	put_timer(&b, true, 1);
	put_timer(&b, true, 2);
	sv_end(&b, TIMER ", " TIMER);
	expect(&b, GW_SAVEVM_FAULT_TWICE, "section \"timer\" instance 0: the stream has it twice");
	sv_begin(&b, "pc");
	sv_head(&b, GW_SAVEVM_FULL, 4, "", 0, 2);
	sv_u64(&b, 1);
	sv_footer(&b, 4);
	sv_end(&b, "");
	r = read_buffer(&b);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_NAME], 1);
	done(&r);
	gw_buffer_free(&b);
	/* Not one of those that can follow a section. */
	sv_begin(&b, "pc");
	put_memory(&b, true);
	put_timer(&b, true, 1);
	sv_u8(&b, 0x44);
	sv_end(&b, TIMER);
	r = read_buffer(&b);
	assert_int_equal(r.rc, 0);
	assert_true(r.faults[GW_SAVEVM_FAULT_TYPE] + r.faults[GW_SAVEVM_FAULT_UNREAD] > 0);
	done(&r);
	gw_buffer_free(&b);
}

/* Neither the description nor a footer gives its end. */
static void test_no_end(void **state)
{
	struct gw_buffer b = {0};
	struct result r;

	sv_begin(&b, "pc");
	put_timer(&b, true, 1);
	sv_head(&b, GW_SAVEVM_FULL, 9, "0000:00:01.1/disk", 1, 3);
	sv_bytes(&b, "abc", 3);
	sv_end(&b, TIMER ", {\"name\": \"0000:00:01.1/disk\", \"instance_id\": 1, \"fields\": "
			 "[{\"name\": \"x\", \"size\": 100000}]}");
	r = read_buffer(&b);
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_UNREAD], 1);
	assert_int_equal(r.stream.sections[1].found, GW_SAVEVM_NOT_FOUND);
	done(&r);
	gw_buffer_free(&b);
}

static void test_commands(void **state)
{
	struct gw_buffer b = {0};
	struct result r;

	sv_begin(&b, "pc");
	sv_command(&b, GW_SAVEVM_OPEN_RETURN_PATH, NULL, 0);
	sv_command(&b, GW_SAVEVM_PING, "\0\0\0\1", 4);
	put_memory(&b, true);
	put_timer(&b, true, 1);
	sv_command(&b, GW_SAVEVM_SWITCHOVER_START, NULL, 0);
	sv_end(&b, TIMER);
	r = read_buffer(&b);
	assert_int_equal(r.nr_faults, 0);
	assert_int_equal(r.commands, 3);
	assert_int_equal(r.stream.nr_commands, 3);
	assert_int_equal(r.stream.commands[1].number, GW_SAVEVM_PING);
	done(&r);
	gw_buffer_free(&b);
	sv_begin(&b, "pc");
	sv_command(&b, GW_SAVEVM_PING, "\0\0\0\1\0", 5);
	sv_end(&b, "");
	expect(&b, GW_SAVEVM_FAULT_COMMAND, "command PING has 5 bytes");
	sv_begin(&b, "pc");
	sv_command(&b, 77, NULL, 0);
	sv_end(&b, "");
	expect(&b, GW_SAVEVM_FAULT_COMMAND, "command 77 is not one that QEMU knows");
	sv_begin(&b, "pc");
	sv_command(&b, GW_SAVEVM_PACKAGED, "\xff\xff\xff\xff", 4);
	expect(&b, GW_SAVEVM_FAULT_PACKAGE, "its 4294967295 bytes are more");
}

static void test_trailing(void **state)
{
	struct gw_buffer b = stream_of(true, TIMER ", " DISK);
	struct result r;

	sv_bytes(&b, "more", 4);
	r = read_buffer(&b);
	assert_int_equal(r.rc, 1);
	assert_int_equal(r.stream.trailing, 4);
	assert_int_equal(r.stream.end, b.len - 4);
	done(&r);
	gw_buffer_free(&b);
}

/* What QEMU itself wrote has no faults. */
static void test_real(void **state)
{
	static const struct {
		const char *name;
		size_t sections;
		uint64_t pages;
		bool described;
	} real[] = {
		{"qemu/plain.xz", 33, 5, true},	      {"qemu/vcpus.xz", 36, 5, true},
		{"qemu/nofooter.xz", 33, 5, true},    {"qemu/q35.xz", 33, 7, true},
		{"qemu/return-path.xz", 33, 5, true}, {"qemu/ignore-shared.xz", 33, 5, true},
		{"qemu/nodesc.xz", 33, 5, false},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(real); i++) {
		struct gw_buffer b = realdata_load(realdata_path(real[i].name));
		struct result r = read_with(b.data, b.len, false, NULL);

		assert_int_equal(r.rc, 1);
		assert_int_equal(r.nr_faults, real[i].described ? 0 : 1);
		assert_int_equal(r.stream.nr_sections, real[i].sections);
		assert_int_equal(r.stream.ram.pages, real[i].pages);
		assert_int_equal(r.stream.end, b.len);
		for (size_t k = 0; k < r.stream.nr_sections; k++)
			assert_true(!real[i].described || !r.stream.sections[k].bytes ||
				    r.stream.sections[k].layout);
		done(&r);
		gw_buffer_free(&b);
	}
}

/* The tests above see each of these faults. */
static void test_each_was_seen(void **state)
{
	savevm_all_were_seen(GW_SAVEVM_FAULT_MAGIC, GW_SAVEVM_FAULT_PACKAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	       cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_damaged),	       cmocka_unit_test(test_header),
		cmocka_unit_test(test_section_faults), cmocka_unit_test(test_no_end),
		cmocka_unit_test(test_commands),       cmocka_unit_test(test_trailing),
		cmocka_unit_test(test_real),	       cmocka_unit_test(test_each_was_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
