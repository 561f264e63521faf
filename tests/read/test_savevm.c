/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the reading of QEMU's savevm streams: real ones, written ones, and damaged ones.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "lib/bytes.h"
#include "lib/random.h"
#include "lib/realdata.h"
#include "lib/savevm_writer.h"
#include "read/savevm.h"

/* The result of a reading, with what its listener heard. */
struct result {
	struct gw_savevm_stream stream;
	int rc;
	unsigned faults[GW_SAVEVM_NR_FAULTS], nr_faults;
	char last[800];
	uint64_t last_offset;
	unsigned sections, commands, blocks, pages;
	uint64_t sum; /* of the first bytes of all pages, each times its page number plus 1 */
};

static bool fault_seen[GW_SAVEVM_NR_FAULTS];

static void on_fault(void *opaque, enum gw_savevm_fault fault, uint64_t offset, const char *text)
{
	struct result *r = opaque;

	r->faults[fault]++;
	r->nr_faults++;
	r->last_offset = offset;
	snprintf(r->last, sizeof(r->last), "%s", text);
	fault_seen[fault] = true;
}

static void on_section(void *opaque, const struct gw_savevm_section *section)
{
	((struct result *)opaque)->sections++;
}

static void on_command(void *opaque, const struct gw_savevm_command_at *command)
{
	((struct result *)opaque)->commands++;
}

static int on_block(void *opaque, const struct gw_savevm_block *block, struct gw_error *err)
{
	((struct result *)opaque)->blocks++;
	return 0;
}

static int on_page(void *opaque, const struct gw_savevm_ram_item *item, struct gw_error *err)
{
	struct result *r = opaque;

	assert_non_null(item->block);
	assert_true(item->offset < item->block->length);
	r->pages++;
	if (item->kind == GW_SAVEVM_ITEM_PAGE) {
		assert_int_equal(item->len, 4096);
		assert_int_equal(item->data[0], item->data[4095]);
		r->sum += item->data[0] * (item->offset / 4096 + 1);
	}
	return 0;
}

static struct result read_with(const void *data, size_t len, bool pages,
			       const struct gw_savevm_description *like)
{
	struct result r = {0};
	const struct gw_savevm_listener listener = {
		.opaque = &r,
		.fault = on_fault,
		.section = on_section,
		.command = on_command,
		.block = on_block,
		.page = pages ? on_page : NULL,
		.like = like,
	};
	struct gw_input in = {.ch = bytes_source("stream", data, len)};
	struct gw_error err = GW_ERROR_INIT;

	r.rc = gw_savevm_read(&in, &listener, &r.stream, &err);
	if (r.rc < 0)
		fail_msg("%s", err.text);
	gw_channel_close(in.ch);
	return r;
}

static struct result read_buffer(const struct gw_buffer *b)
{
	return read_with(b->data, b->len, true, NULL);
}

static void done(struct result *r)
{
	gw_savevm_stream_free(&r->stream);
}

/* Reads it and expects this one fault, with this text. */
static void expect(struct gw_buffer *b, enum gw_savevm_fault fault, const char *text)
{
	struct result r = read_buffer(b);

	if (r.faults[fault] == 0 || r.nr_faults != r.faults[fault] || !strstr(r.last, text))
		fail_msg("fault %d: %u of %u, the last: %s", fault, r.faults[fault], r.nr_faults,
			 r.last);
	done(&r);
	gw_buffer_free(b);
}

#define TIMER                                                                                      \
	"{\"name\": \"timer\", \"instance_id\": 0, \"vmsd_name\": \"timer\", \"version\": 2, "     \
	"\"fields\": [{\"name\": \"ticks\", \"type\": \"int64\", \"size\": 8}]}"
#define DISK_FIELDS                                                                                \
	"\"fields\": [{\"name\": \"regs\", \"array_len\": 2, \"type\": \"struct\", \"struct\": "   \
	"{\"vmsd_name\": \"reg\", \"version\": 1, \"fields\": [{\"name\": \"value\", \"type\": "   \
	"\"uint16\", \"size\": 2}, {\"name\": \"on\", \"type\": \"bool\", \"size\": 1}]}, "        \
	"\"size\": 3}, {\"name\": \"state\", \"index\": 1, \"type\": \"uint8\", \"size\": 1}]"
#define DISK                                                                                       \
	"{\"name\": \"0000:00:01.1/disk\", \"instance_id\": 1, \"vmsd_name\": \"disk\", "          \
	"\"version\": 3, " DISK_FIELDS ", \"subsections\": [{\"vmsd_name\": \"disk/retry\", "      \
	"\"version\": 1, \"fields\": [{\"name\": \"count\", \"type\": \"uint32\", \"size\": 4}]}]}"

static void footer(struct gw_buffer *b, bool footers, uint32_t id)
{
	if (footers)
		sv_footer(b, id);
}

static void put_memory(struct gw_buffer *b, bool footers)
{
	sv_head(b, GW_SAVEVM_START, 2, "ram", 0, 4);
	sv_u64(b, 0x6000 | GW_SAVEVM_RAM_MEM_SIZE);
	sv_name(b, "pc.ram");
	sv_u64(b, 0x4000);
	sv_name(b, "pc.bios");
	sv_u64(b, 0x2000);
	sv_u64(b, GW_SAVEVM_RAM_EOS);
	footer(b, footers, 2);
	sv_part(b, GW_SAVEVM_PART, 2);
	sv_page(b, 0x0000, "pc.ram", 5);
	sv_word(b, 0x1000, GW_SAVEVM_RAM_ZERO, NULL);
	sv_u8(b, 0);
	sv_page(b, 0x3000, NULL, 7);
	sv_u64(b, GW_SAVEVM_RAM_EOS);
	footer(b, footers, 2);
	sv_part(b, GW_SAVEVM_END, 2);
	/* It continues the block of the section before. */
	sv_page(b, 0x2000, NULL, 9);
	sv_page(b, 0x1000, "pc.bios", 11);
	sv_u64(b, GW_SAVEVM_RAM_EOS);
	footer(b, footers, 2);
}

static void put_timer(struct gw_buffer *b, bool footers, uint64_t ticks)
{
	sv_head(b, GW_SAVEVM_FULL, 4, "timer", 0, 2);
	sv_u64(b, ticks);
	footer(b, footers, 4);
}

static void put_disk(struct gw_buffer *b, bool footers)
{
	sv_head(b, GW_SAVEVM_FULL, 9, "0000:00:01.1/disk", 1, 3);
	sv_u16(b, 0x1234);
	sv_u8(b, 1);
	sv_u16(b, 0x5678);
	sv_u8(b, 0);
	sv_u8(b, 42);
	sv_u8(b, GW_SAVEVM_SUBSECTION);
	sv_name(b, "disk/retry");
	sv_u32(b, 1);
	sv_u32(b, 99);
	footer(b, footers, 9);
}

static struct gw_buffer stream_of(bool footers, const char *devices)
{
	struct gw_buffer b = {0};

	sv_begin(&b, "pc-test");
	put_memory(&b, footers);
	put_timer(&b, footers, (uint64_t)-5);
	put_disk(&b, footers);
	sv_end(&b, devices);
	return b;
}

/* Removes what begins a stream with memory, up to the devices. */
static struct gw_buffer devices_only(bool footers, const char *devices)
{
	struct gw_buffer b = {0};

	sv_begin(&b, NULL);
	put_timer(&b, footers, 77);
	put_disk(&b, footers);
	sv_end(&b, devices);
	return b;
}

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

/* The tests above break each rule. What a schema says is judged by others. */
static void test_each_was_seen(void **state)
{
	for (unsigned i = 0; i < GW_SAVEVM_FAULT_SCHEMA_DEVICE; i++)
		if (!fault_seen[i])
			fail_msg("no test has fault %u", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	      cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_damaged),	      cmocka_unit_test(test_header),
		cmocka_unit_test(test_memory_faults), cmocka_unit_test(test_memory_words),
		cmocka_unit_test(test_delta),	      cmocka_unit_test(test_section_faults),
		cmocka_unit_test(test_commands),      cmocka_unit_test(test_package),
		cmocka_unit_test(test_early_device),  cmocka_unit_test(test_without_description),
		cmocka_unit_test(test_like),	      cmocka_unit_test(test_lies),
		cmocka_unit_test(test_page_size),     cmocka_unit_test(test_ignore_shared),
		cmocka_unit_test(test_mapped),	      cmocka_unit_test(test_trailing),
		cmocka_unit_test(test_real),	      cmocka_unit_test(test_real_xen),
		cmocka_unit_test(test_each_was_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
