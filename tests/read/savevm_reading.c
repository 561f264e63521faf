/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads a written stream for the tests of the reading of savevm streams.
 */
#include "lib/gwtest.h"

#include "lib/bytes.h"
#include "lib/savevm_writer.h"
#include "savevm_reading.h"

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

struct result read_with(const void *data, size_t len, bool pages,
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

struct result read_buffer(const struct gw_buffer *b)
{
	return read_with(b->data, b->len, true, NULL);
}

void done(struct result *r)
{
	gw_savevm_stream_free(&r->stream);
}

void expect(struct gw_buffer *b, enum gw_savevm_fault fault, const char *text)
{
	struct result r = read_buffer(b);

	if (r.faults[fault] == 0 || r.nr_faults != r.faults[fault] || !strstr(r.last, text))
		fail_msg("fault %d: %u of %u, the last: %s", fault, r.faults[fault], r.nr_faults,
			 r.last);
	done(&r);
	gw_buffer_free(b);
}

static void footer(struct gw_buffer *b, bool footers, uint32_t id)
{
	if (footers)
		sv_footer(b, id);
}

void put_memory(struct gw_buffer *b, bool footers)
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

void put_timer(struct gw_buffer *b, bool footers, uint64_t ticks)
{
	sv_head(b, GW_SAVEVM_FULL, 4, "timer", 0, 2);
	sv_u64(b, ticks);
	footer(b, footers, 4);
}

void put_disk(struct gw_buffer *b, bool footers)
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

struct gw_buffer stream_of(bool footers, const char *devices)
{
	struct gw_buffer b = {0};

	sv_begin(&b, "pc-test");
	put_memory(&b, footers);
	put_timer(&b, footers, (uint64_t)-5);
	put_disk(&b, footers);
	sv_end(&b, devices);
	return b;
}

struct gw_buffer devices_only(bool footers, const char *devices)
{
	struct gw_buffer b = {0};

	sv_begin(&b, NULL);
	put_timer(&b, footers, 77);
	put_disk(&b, footers);
	sv_end(&b, devices);
	return b;
}

void savevm_all_were_seen(enum gw_savevm_fault first, enum gw_savevm_fault last)
{
	for (unsigned i = first; i <= last; i++)
		if (!fault_seen[i])
			fail_msg("no test has fault %u", i);
}
