/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the memory of QEMU's savevm streams: words, RAM blocks, mapped-ram.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "lib/random.h"
#include "lib/realdata.h"
#include "lib/savevm_writer.h"
#include "savevm_reading.h"

static struct gw_buffer with_memory(void)
{
	struct gw_buffer b = {0};

	sv_begin(&b, "pc");
	sv_head(&b, GW_SAVEVM_START, 2, "ram", 0, 4);
	sv_u64(&b, 0x4000 | GW_SAVEVM_RAM_MEM_SIZE);
	sv_name(&b, "pc.ram");
	sv_u64(&b, 0x4000);
	return b;
}

/* Ends the memory section, and the stream. */
static void finish(struct gw_buffer *b)
{
	sv_u64(b, GW_SAVEVM_RAM_EOS);
	sv_footer(b, 2);
	sv_end(b, "");
}

static void test_memory_faults(void **state)
{
	struct gw_buffer b = with_memory();

	sv_page(&b, 0x4000, "pc.ram", 1);
	finish(&b);
	expect(&b, GW_SAVEVM_FAULT_RAM_OFFSET,
	       "at 0x4000 is beyond the end of RAM block \"pc.ram\"");
	b = with_memory();
	sv_page(&b, 0, "vga", 1);
	finish(&b);
	expect(&b, GW_SAVEVM_FAULT_RAM_BLOCK, "RAM block \"vga\", which is not listed");
	b = with_memory();
	sv_page(&b, 0, NULL, 1);
	finish(&b);
	expect(&b, GW_SAVEVM_FAULT_RAM_BLOCK, "before any was named");
	b = with_memory();
	sv_word(&b, 0, GW_SAVEVM_RAM_ZERO, "pc.ram");
	sv_u8(&b, 0xcc);
	finish(&b);
	expect(&b, GW_SAVEVM_FAULT_RAM_FILL, "filled with 0xcc");
	b = with_memory();
	sv_word(&b, 0, GW_SAVEVM_RAM_XBZRLE, "pc.ram");
	sv_u8(&b, 2);
	sv_u16(&b, 3);
	sv_bytes(&b, "abc", 3);
	finish(&b);
	expect(&b, GW_SAVEVM_FAULT_RAM_DATA, "encoding 2 and 3 bytes");
	b = with_memory();
	sv_word(&b, 0, GW_SAVEVM_RAM_COMPRESSED, "pc.ram");
	sv_u32(&b, 5000);
	finish(&b);
	expect(&b, GW_SAVEVM_FAULT_RAM_WORD, "a compressed page has 5000 bytes");
	b = with_memory();
	sv_u64(&b, 0x1000 | GW_SAVEVM_RAM_PAGE | GW_SAVEVM_RAM_ZERO);
	finish(&b);
	expect(&b, GW_SAVEVM_FAULT_RAM_WORD, "0x000000000000100a is no word");
	b = with_memory();
	sv_u64(&b, 0x1000 | GW_SAVEVM_RAM_MEM_SIZE);
	sv_name(&b, "pc.ram");
	sv_u64(&b, 0x1000);
	finish(&b);
	expect(&b, GW_SAVEVM_FAULT_RAM_LIST, "listed a second time");
	sv_begin(&b, "pc");
	sv_head(&b, GW_SAVEVM_START, 2, "ram", 0, 4);
	sv_u64(&b, 0x4000 | GW_SAVEVM_RAM_MEM_SIZE);
	sv_name(&b, "pc.ram");
	sv_u64(&b, 0x5000);
	finish(&b);
	expect(&b, GW_SAVEVM_FAULT_RAM_LIST, "0x4000 of the sum of all are left");
	sv_begin(&b, "pc");
	sv_head(&b, GW_SAVEVM_START, 2, "ram", 0, 4);
	sv_u64(&b, 0x4000 | GW_SAVEVM_RAM_MEM_SIZE);
	for (int i = 0; i < 2; i++) {
		sv_name(&b, "pc.ram");
		sv_u64(&b, 0x2000);
	}
	finish(&b);
	expect(&b, GW_SAVEVM_FAULT_RAM_LIST, "\"pc.ram\" is listed twice");
	sv_begin(&b, "pc");
	sv_head(&b, GW_SAVEVM_START, 2, "ram", 0, 3);
	finish(&b);
	expect(&b, GW_SAVEVM_FAULT_RAM_VERSION, "its version is 3, expected 4");
}

/* Kinds of words that need no more than their own bytes. */
static void test_memory_words(void **state)
{
	struct gw_buffer b = with_memory();
	struct result r;

	sv_word(&b, 0, GW_SAVEVM_RAM_XBZRLE, "pc.ram");
	sv_u8(&b, 1);
	sv_u16(&b, 3);
	sv_bytes(&b, "\x02\x01z", 3);
	sv_word(&b, 0x1000, GW_SAVEVM_RAM_COMPRESSED, NULL);
	sv_u32(&b, 7);
	sv_bytes(&b, NULL, 7);
	sv_u64(&b, GW_SAVEVM_RAM_MULTIFD_FLUSH);
	finish(&b);
	r = read_buffer(&b);
	assert_int_equal(r.nr_faults, 0);
	assert_int_equal(r.rc, 1);
	assert_int_equal(r.stream.ram.deltas, 1);
	assert_int_equal(r.stream.ram.compressed, 1);
	done(&r);
	gw_buffer_free(&b);
}

static void test_delta(void **state)
{
	uint8_t page[4096] = {0};
	static const uint8_t good[] = {2, 1, 'z', 0xfd, 0x1f, 0},
			     over[] = {0xff, 0x1f, 2, 'a', 'b'};
	static const uint8_t ends[] = {0xfd, 0x1f, 1, 'e'};

	assert_true(gw_savevm_delta_apply(good, 3, page, 4096));
	assert_int_equal(page[2], 'z');
	/* A run of nothing, and runs beyond the end. */
	assert_false(gw_savevm_delta_apply(good, 6, page, 4096));
	assert_false(gw_savevm_delta_apply(over, 5, page, 4096));
	assert_true(gw_savevm_delta_apply(ends, 4, page, 4096));
	assert_int_equal(page[4093], 'e');
	assert_false(gw_savevm_delta_apply(good, 2, page, 4096));
	assert_false(gw_savevm_delta_apply(good, 1, page, 4096));
}

static void test_page_size(void **state)
{
	struct gw_buffer b = {0};
	struct result r;

	sv_begin(&b, "arm");
	sv_u8(&b, GW_SAVEVM_SUBSECTION);
	sv_name(&b, "configuration/target-page-bits");
	sv_u32(&b, 1);
	sv_u32(&b, 14);
	sv_head(&b, GW_SAVEVM_START, 2, "ram", 0, 4);
	sv_u64(&b, 0x8000 | GW_SAVEVM_RAM_MEM_SIZE);
	sv_name(&b, "ram0");
	sv_u64(&b, 0x8000);
	sv_word(&b, 0x4000, GW_SAVEVM_RAM_PAGE, "ram0");
	sv_bytes(&b, NULL, 0x4000);
	finish(&b);
	r = read_with(b.data, b.len, false, NULL);
	assert_int_equal(r.stream.ram.pages, 1);
	assert_int_equal(r.nr_faults, 1);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_DESCRIPTION_PAGE], 1);
	done(&r);
	gw_buffer_free(&b);
}

static void test_ignore_shared(void **state)
{
	struct gw_buffer b = {0};
	struct result r;

	sv_begin(&b, "pc");
	sv_u8(&b, GW_SAVEVM_SUBSECTION);
	sv_name(&b, "configuration/capabilities");
	sv_u32(&b, 1);
	sv_u32(&b, 1);
	sv_name(&b, "x-ignore-shared");
	sv_head(&b, GW_SAVEVM_START, 2, "ram", 0, 4);
	sv_u64(&b, 0x1000 | GW_SAVEVM_RAM_MEM_SIZE);
	sv_name(&b, "pc.bios");
	sv_u64(&b, 0x1000);
	sv_u64(&b, 0xfffff000);
	finish(&b);
	r = read_buffer(&b);
	assert_int_equal(r.nr_faults, 0);
	assert_true(r.stream.ram.blocks[0].has_address);
	assert_int_equal(r.stream.ram.blocks[0].address, 0xfffff000);
	assert_string_equal(r.stream.configuration.capabilities, "x-ignore-shared");
	done(&r);
	gw_buffer_free(&b);
}

/* Two blocks at fixed places: pages 0 and 2 of the first, none of the second. */
static struct gw_buffer mapped(uint64_t bits, uint64_t second_page_size)
{
	struct gw_buffer b = {0};
	uint8_t word[8];
	uint8_t page[4096];

	sv_begin(&b, "pc");
	sv_u8(&b, GW_SAVEVM_SUBSECTION);
	sv_name(&b, "configuration/capabilities");
	sv_u32(&b, 1);
	sv_u32(&b, 1);
	sv_name(&b, "mapped-ram");
	sv_head(&b, GW_SAVEVM_START, 2, "ram", 0, 4);
	sv_u64(&b, 0x6000 | GW_SAVEVM_RAM_MEM_SIZE);
	for (int i = 0; i < 2; i++) {
		uint64_t here;

		sv_name(&b, i ? "pc.bios" : "pc.ram");
		sv_u64(&b, i ? 0x2000 : 0x4000);
		sv_u32(&b, 1);
		sv_u64(&b, i ? second_page_size : 4096);
		here = b.len + 16;
		sv_u64(&b, here);
		sv_u64(&b, (here + 8 + 0xfffff) & ~UINT64_C(0xfffff));
		gw_put_le64(word, i ? 0 : bits);
		sv_bytes(&b, word, 8);
		sv_bytes(&b, NULL, (0x100000 - b.len % 0x100000) % 0x100000);
		for (int k = 0; k < (i ? 2 : 4); k++) {
			memset(page, i ? 0 : k + 3, sizeof(page));
			sv_bytes(&b, page, sizeof(page));
		}
	}
	sv_u64(&b, GW_SAVEVM_RAM_EOS);
	sv_footer(&b, 2);
	sv_part(&b, GW_SAVEVM_END, 2);
	sv_u64(&b, GW_SAVEVM_RAM_EOS);
	sv_footer(&b, 2);
	put_timer(&b, true, 1);
	sv_end(&b, TIMER);
	return b;
}

static void test_mapped(void **state)
{
	struct gw_buffer b = mapped(5, 4096);
	struct result r = read_buffer(&b);

	assert_int_equal(r.nr_faults, 0);
	assert_int_equal(r.rc, 1);
	assert_int_equal(r.pages, 2);
	assert_int_equal(r.sum, 3 * 1 + 5 * 3);
	assert_int_equal(r.stream.ram.blocks[0].pages, 2);
	assert_int_equal(r.stream.ram.blocks[1].pages, 0);
	assert_int_equal(r.stream.nr_sections, 3);
	done(&r);
	r = read_with(b.data, b.len, false, NULL);
	assert_int_equal(r.nr_faults, 0);
	assert_int_equal(r.stream.ram.pages, 2);
	done(&r);
	r = read_with(b.data, 0x180000, false, NULL);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_CUT], 1);
	done(&r);
	gw_buffer_free(&b);
	b = mapped(0x15, 4096);
	r = read_buffer(&b);
	assert_int_equal(r.faults[GW_SAVEVM_FAULT_RAM_BITMAP], 1);
	done(&r);
	gw_buffer_free(&b);
	b = mapped(5, 8192);
	expect(&b, GW_SAVEVM_FAULT_RAM_MAP, "its mapped pages have 0x2000 bytes, expected 0x1000");
}

/* The tests above see each of these faults. */
static void test_each_was_seen(void **state)
{
	savevm_all_were_seen(GW_SAVEVM_FAULT_RAM_VERSION, GW_SAVEVM_FAULT_RAM_BITMAP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_faults), cmocka_unit_test(test_memory_words),
		cmocka_unit_test(test_delta),	      cmocka_unit_test(test_page_size),
		cmocka_unit_test(test_ignore_shared), cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_each_was_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
