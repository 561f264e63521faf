/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests where the sections of devices end in QEMU's savevm streams: with a description, a lying
 * one, and without.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "lib/random.h"
#include "lib/realdata.h"
#include "lib/savevm_writer.h"
#include "savevm_reading.h"

/* A postcopy migration: the devices come before the last of the memory, in a package. */
static void test_package(void **state)
{
	struct gw_buffer inner = {0}, b = {0};
	uint8_t length[4], advise[16];
	struct result r;

	sv_command(&inner, GW_SAVEVM_POSTCOPY_LISTEN, NULL, 0);
	put_timer(&inner, true, 3);
	put_disk(&inner, true);
	sv_command(&inner, GW_SAVEVM_POSTCOPY_RUN, NULL, 0);
	gw_put_be32(length, (uint32_t)inner.len);
	gw_put_be64(advise, 0x201000);
	gw_put_be64(advise + 8, 4096);
	sv_begin(&b, "pc");
	sv_command(&b, GW_SAVEVM_POSTCOPY_ADVISE, advise, 16);
	sv_head(&b, GW_SAVEVM_START, 2, "ram", 0, 4);
	sv_u64(&b, 0x401000 | GW_SAVEVM_RAM_MEM_SIZE);
	sv_name(&b, "pc.ram");
	sv_u64(&b, 0x400000);
	sv_u64(&b, 0x200000); /* its page size */
	sv_name(&b, "pc.bios");
	sv_u64(&b, 0x1000);
	sv_u64(&b, GW_SAVEVM_RAM_EOS);
	sv_footer(&b, 2);
	sv_command(&b, GW_SAVEVM_PACKAGED, length, 4);
	sv_bytes(&b, inner.data, inner.len);
	sv_part(&b, GW_SAVEVM_END, 2);
	sv_page(&b, 0x3ff000, "pc.ram", 1);
	sv_u64(&b, GW_SAVEVM_RAM_EOS);
	sv_footer(&b, 2);
	sv_end(&b, NULL);
	r = read_buffer(&b);
	assert_int_equal(r.nr_faults, 1);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_NO_DESCRIPTION], 1);
	assert_int_equal(r.rc, 1);
	assert_int_equal(r.stream.nr_sections, 4);
	assert_int_equal(r.stream.nr_commands, 4);
	assert_true(r.stream.sections[1].packaged && r.stream.commands[2].packaged);
	assert_int_equal(r.stream.sections[2].found, GW_SAVEVM_BY_FOOTER);
	assert_int_equal(r.stream.sections[2].length, 27);
	assert_int_equal(r.stream.ram.blocks[0].page_size, 0x200000);
	assert_int_equal(r.stream.ram.blocks[1].page_size, 0);
	assert_int_equal(r.pages, 1);
	done(&r);
	/* Cut inside of the package. */
	r = read_with(b.data, b.len - 4096 - 60, false, NULL);
	assert_int_equal(r.rc, 0);
	assert_true(r.faults[GW_SAVEVM_FAULT_CUT] > 0);
	done(&r);
	gw_buffer_free(&b);
	gw_buffer_free(&inner);
}

/* A device that the memory needs has its section before it. */
static void test_early_device(void **state)
{
	struct gw_buffer b = {0};
	struct result r;

	sv_begin(&b, "pc");
	put_timer(&b, true, 8);
	put_memory(&b, true);
	put_disk(&b, true);
	sv_end(&b, TIMER ", " DISK);
	r = read_buffer(&b);
	assert_int_equal(r.rc, 1);
	assert_int_equal(r.pages, 5);
	assert_int_equal(r.stream.nr_sections, 5);
	assert_string_equal(r.stream.sections[0].head.name, "timer");
	assert_int_equal(r.stream.sections[0].length, 8);
	assert_false(r.stream.sections[0].packaged);
	done(&r);
	gw_buffer_free(&b);
}

/* Dirty bitmaps and the like are sent in rounds, too. */
static void test_other_rounds(void **state)
{
	struct gw_buffer b = {0};
	struct result r;

	sv_begin(&b, "pc");
	sv_head(&b, GW_SAVEVM_START, 3, "dirty-bitmap", 0, 1);
	sv_bytes(&b, "abc", 3);
	sv_footer(&b, 3);
	put_memory(&b, true);
	sv_part(&b, GW_SAVEVM_END, 3);
	sv_bytes(&b, "defgh", 5);
	sv_footer(&b, 3);
	put_timer(&b, true, 1);
	sv_end(&b, TIMER);
	r = read_buffer(&b);
	assert_int_equal(r.rc, 1);
	assert_int_equal(r.pages, 5);
	assert_int_equal(r.stream.nr_sections, 6);
	assert_int_equal(r.stream.sections[0].length, 3);
	assert_int_equal(r.stream.sections[4].length, 5);
	assert_string_equal(r.stream.sections[4].head.name, "dirty-bitmap");
	assert_int_equal(r.stream.sections[5].found, GW_SAVEVM_BY_DESCRIPTION);
	done(&r);
	gw_buffer_free(&b);
}

static void test_without_description(void **state)
{
	struct gw_buffer b = devices_only(true, NULL);
	struct result r = read_buffer(&b);

	assert_int_equal(r.rc, 1);
	assert_int_equal(r.nr_faults, 1);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_NO_DESCRIPTION], 1);
	assert_int_equal(r.stream.sections[0].found, GW_SAVEVM_BY_FOOTER);
	assert_int_equal(r.stream.sections[1].length, 27);
	assert_null(r.stream.sections[1].layout);
	done(&r);
	gw_buffer_free(&b);
	b = devices_only(false, NULL);
	r = read_buffer(&b);
	assert_int_equal(r.rc, 1);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_GUESSED], 1);
	assert_int_equal(r.stream.sections[0].found, GW_SAVEVM_BY_LOOK);
	assert_int_equal(r.stream.sections[0].length, 8);
	assert_int_equal(r.stream.sections[1].length, 27);
	done(&r);
	gw_buffer_free(&b);
}

/* By the description of another stream, whose subsections may differ. */
static void test_like(void **state)
{
	struct gw_buffer with = stream_of(true, TIMER ", " DISK), b = {0};
	struct result like = read_buffer(&with), r;
	const struct gw_savevm_description *d = &like.stream.description;
	struct gw_savevm_value value;

	for (int footers = 0; footers < 2; footers++) {
		b = devices_only(footers, NULL);
		r = read_with(b.data, b.len, false, d);
		assert_int_equal(r.nr_faults, 1);
		assert_int_equal(r.faults[GW_SAVEVM_FAULT_NO_DESCRIPTION], 1);
		assert_int_equal(r.stream.sections[1].found, GW_SAVEVM_BY_LIKE);
		assert_true(gw_savevm_field_get(&r.stream.sections[1], "disk/retry.count", &value));
		done(&r);
		gw_buffer_free(&b);
	}
	/* Without its subsection. */
	sv_begin(&b, NULL);
	sv_head(&b, GW_SAVEVM_FULL, 9, "0000:00:01.1/disk", 1, 3);
	sv_bytes(&b, "\1\2\0\3\4\1\5", 7);
	sv_end(&b, NULL);
	r = read_with(b.data, b.len, false, d);
	assert_int_equal(r.stream.sections[0].found, GW_SAVEVM_BY_LIKE);
	assert_int_equal(r.stream.sections[0].length, 7);
	done(&r);
	gw_buffer_free(&b);
	/* With one that the other stream did not have. */
	sv_begin(&b, NULL);
	sv_head(&b, GW_SAVEVM_FULL, 9, "0000:00:01.1/disk", 1, 3);
	sv_bytes(&b, "\1\2\0\3\4\1\5", 7);
	sv_u8(&b, GW_SAVEVM_SUBSECTION);
	sv_name(&b, "disk/new");
	sv_u32(&b, 1);
	sv_footer(&b, 9);
	sv_end(&b, NULL);
	r = read_with(b.data, b.len, false, d);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_LIKE], 1);
	assert_int_equal(r.stream.sections[0].found, GW_SAVEVM_BY_FOOTER);
	done(&r);
	gw_buffer_free(&b);
	done(&like);
	gw_buffer_free(&with);
}

/* A description with this list of devices for the stream of two devices. */
static struct result described(const char *devices)
{
	struct gw_buffer b = stream_of(true, devices);
	struct result r = read_buffer(&b);

	gw_buffer_free(&b);
	return r;
}

static void test_lies(void **state)
{
	static const char *const contradict[] = {
		/* too short, too long, too often, too large for any number */
		"{\"name\": \"timer\", \"instance_id\": 0, \"fields\": [{\"name\": \"x\", \"size\": 7}]}",
		"{\"name\": \"timer\", \"instance_id\": 0, \"fields\": [{\"name\": \"x\", \"size\": 9}]}",
		"{\"name\": \"timer\", \"instance_id\": 0, \"fields\": [{\"name\": \"x\", \"size\": 8, "
		"\"array_len\": 4000000000}]}",
		"{\"name\": \"timer\", \"instance_id\": 0, \"fields\": [{\"name\": \"x\", \"size\": "
		"99999999999999}]}",
		"{\"name\": \"timer\", \"instance_id\": 0, \"fields\": [{\"name\": \"x\", \"size\": 8}], "
		"\"subsections\": [{\"vmsd_name\": \"timer/none\", \"version\": 1, \"fields\": []}]}",
	};
	char devices[2000], deep[3000] = "", *p = deep;
	struct result r;

	for (size_t i = 0; i < GW_ARRAY_SIZE(contradict); i++) {
		snprintf(devices, sizeof(devices), "%s, %s", contradict[i], DISK);
		r = described(devices);
		assert_int_equal(r.nr_faults, 1);
		assert_int_equal(r.faults[GW_SAVEVM_FAULT_DESCRIPTION_SIZE], 1);
		assert_int_equal(r.rc, 1);
		assert_int_equal(r.stream.sections[3].length, 8);
		assert_int_equal(r.stream.sections[3].found, GW_SAVEVM_BY_FOOTER);
		assert_int_equal(r.stream.sections[4].found, GW_SAVEVM_BY_DESCRIPTION);
		done(&r);
	}
	/* Sizes of nothing a billion times end. */
	r = described(
		"{\"name\": \"timer\", \"instance_id\": 0, \"fields\": [{\"name\": \"x\", \"size\": 0, "
		"\"array_len\": 4294967295, \"type\": \"struct\", \"struct\": {\"fields\": [{\"name\": "
		"\"y\", \"size\": 0, \"array_len\": 4294967295}]}}, {\"name\": \"z\", \"size\": 8}]}, " DISK);
	assert_int_equal(r.nr_faults, 0);
	done(&r);
	r = described(DISK ", " TIMER);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_DESCRIPTION_DEVICE], r.nr_faults);
	assert_true(r.nr_faults > 0);
	assert_int_equal(r.stream.sections[4].length, 27);
	done(&r);
	r = described(DISK);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_DESCRIPTION_DEVICE], 1);
	assert_non_null(
		strstr(r.last, "section \"timer\" instance 0: the description does not list it"));
	done(&r);
	r = described(TIMER ", " DISK ", {\"name\": \"more\", \"instance_id\": 7, \"fields\": []}");
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_DESCRIPTION_DEVICE], 1);
	assert_non_null(
		strstr(r.last, "lists \"more\" instance 7, of which the stream has no section"));
	done(&r);
	/* Not JSON, and nested too deeply. */
	r = described("nonsense");
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_DESCRIPTION], 1);
	assert_int_equal(r.stream.sections[4].found, GW_SAVEVM_BY_FOOTER);
	done(&r);
	p += sprintf(p, "{\"name\": \"timer\", \"instance_id\": 0, \"fields\": [");
	for (int i = 0; i < 40; i++)
		p += sprintf(p, "{\"size\": 8, \"struct\": {\"fields\": [");
	for (int i = 0; i < 40; i++)
		p += sprintf(p, "]}}");
	sprintf(p, "]}");
	r = described(deep);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_DESCRIPTION], 1);
	done(&r);
}

/* As libxl asks for it: neither memory nor footers nor a description. */
static void test_real_xen(void **state)
{
	struct gw_buffer plain = realdata_load(realdata_path("qemu/plain.xz"));
	struct gw_buffer xen = realdata_load(realdata_path("qemu/xen.xz"));
	struct result like = read_with(plain.data, plain.len, false, NULL), r;

	r = read_with(xen.data, xen.len, false, NULL);
	assert_int_equal(r.rc, 1);
	/* globalstate is left out */
	assert_int_equal(r.stream.nr_sections, 29);
	for (size_t i = 0; i < r.stream.nr_sections; i++)
		assert_non_null(gw_savevm_find_section(&like.stream, r.stream.sections[i].head.name,
						       r.stream.sections[i].head.instance));
	done(&r);
	r = read_with(xen.data, xen.len, false, &like.stream.description);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_GUESSED], 0);
	assert_int_equal(r.stream.nr_sections, 29);
	done(&r);
	done(&like);
	gw_buffer_free(&plain);
	gw_buffer_free(&xen);
}

/* The tests above see each of these faults. */
static void test_each_was_seen(void **state)
{
	savevm_all_were_seen(GW_SAVEVM_FAULT_NO_DESCRIPTION, GW_SAVEVM_FAULT_DESCRIPTION_DEVICE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_package),	     cmocka_unit_test(test_early_device),
		cmocka_unit_test(test_other_rounds), cmocka_unit_test(test_without_description),
		cmocka_unit_test(test_like),	     cmocka_unit_test(test_lies),
		cmocka_unit_test(test_real_xen),     cmocka_unit_test(test_each_was_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
