/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the memory sections of a savevm stream.
 */
#include "read/savevm_internal.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/util.h"

int gw_savevm_cut(struct savevm_reading *r, const struct gw_savevm_section *section)
{
	uint64_t end = gw_window_offset(&r->window) + gw_window_len(&r->window);

	gw_savevm_blame(&r->faults, GW_SAVEVM_FAULT_CUT, end,
			"section \"%s\" instance %" PRIu32
			": the input ends before the end of its data",
			section->head.name, section->head.instance);
	return 0;
}

static enum gw_savevm_fault fault_of(enum gw_savevm_ram_fault fault)
{
	static const enum gw_savevm_fault faults[] = {
		[GW_SAVEVM_RAM_BAD_WORD] = GW_SAVEVM_FAULT_RAM_WORD,
		[GW_SAVEVM_RAM_BAD_LIST] = GW_SAVEVM_FAULT_RAM_LIST,
		[GW_SAVEVM_RAM_BAD_BLOCK] = GW_SAVEVM_FAULT_RAM_BLOCK,
		[GW_SAVEVM_RAM_BAD_OFFSET] = GW_SAVEVM_FAULT_RAM_OFFSET,
		[GW_SAVEVM_RAM_BAD_FILL] = GW_SAVEVM_FAULT_RAM_FILL,
		[GW_SAVEVM_RAM_BAD_DATA] = GW_SAVEVM_FAULT_RAM_DATA,
		[GW_SAVEVM_RAM_BAD_MAP] = GW_SAVEVM_FAULT_RAM_MAP,
	};

	return faults[fault];
}

/* Hands an item on. The window's bytes are those after it. */
static int deliver(struct savevm_reading *r, const struct gw_savevm_ram_item *item,
		   struct gw_error *err)
{
	const struct gw_savevm_listener *l = r->listener;

	switch (item->kind) {
	case GW_SAVEVM_ITEM_BLOCK:
		if (l->block && item->block && l->block(l->opaque, item->block, err) < 0)
			return -1;
		/* Where a header is wrong its pages are not known. */
		if (item->block && r->stream->ram.mapped_ram)
			return item->block->is_mapped ? gw_savevm_read_mapped(r, item->block, err)
						      : 0;
		return 1;
	case GW_SAVEVM_ITEM_ZERO:
	case GW_SAVEVM_ITEM_PAGE:
	case GW_SAVEVM_ITEM_DELTA:
	case GW_SAVEVM_ITEM_COMPRESSED:
		if (!l->page || !item->block || item->offset >= item->block->length)
			return 1;
		return l->page(l->opaque, item, err) < 0 ? -1 : 1;
	default:
		return 1;
	}
}

static void blame(struct savevm_reading *r, const struct gw_savevm_section *section,
		  uint64_t offset, const struct gw_savevm_ram_item *item)
{
	gw_savevm_blame(&r->faults, fault_of(item->fault), offset,
			"section \"%s\" instance %" PRIu32 ": %s", section->head.name,
			section->head.instance, item->text);
}

/*
 * The items that are in the window; 1 with *need: the next one needs that many bytes; with
 * *need 0 the section is over. An item's bytes are taken before it is handed on.
 */
static int take_items(struct savevm_reading *r, const struct gw_savevm_section *section,
		      size_t *need, struct gw_error *err)
{
	struct gw_savevm_ram_item item;

	for (;;) {
		uint64_t offset = gw_window_offset(&r->window);
		size_t taken = gw_savevm_ram_next(&r->stream->ram, gw_window_bytes(&r->window),
						  gw_window_len(&r->window), offset, &item, need);
		int rc;

		if (!taken && *need)
			return 1;
		if (item.fault)
			blame(r, section, offset, &item);
		if (!taken)
			return 0;
		gw_window_take(&r->window, taken);
		rc = deliver(r, &item, err);
		if (rc <= 0)
			return rc;
		if (item.kind == GW_SAVEVM_ITEM_END)
			return 1;
	}
}

int gw_savevm_read_ram(struct savevm_reading *r, struct gw_savevm_section *section,
		       struct gw_error *err)
{
	size_t need = 1;

	gw_savevm_ram_begin(&r->stream->ram);
	for (;;) {
		int rc = gw_window_want(&r->window, need, err);

		if (rc < 0)
			return -1;
		if (rc == 0)
			return gw_savevm_cut(r, section);
		rc = take_items(r, section, &need, err);
		if (rc <= 0)
			return rc;
		if (need == 0)
			break;
	}
	section->length = gw_window_offset(&r->window) - section->data;
	section->found = GW_SAVEVM_BY_WORDS;
	return 1;
}

/* mapped-ram */

struct mapped {
	struct savevm_reading *r;
	struct gw_savevm_block *block;
	struct gw_buffer bitmap; /* kept only for a listener that wants the pages */
	uint64_t nr_pages;
};

static int cut(struct savevm_reading *r)
{
	const struct gw_savevm_section section = {.head = r->ram_head};

	return gw_savevm_cut(r, &section);
}

/* Skips to an offset in the file that lies ahead. */
static int skip_to(struct savevm_reading *r, uint64_t offset, struct gw_error *err)
{
	uint64_t here = gw_window_offset(&r->window);
	int rc = gw_window_skip(&r->window, offset - here, err);

	return rc == 0 ? cut(r) : rc;
}

/* Counts the pages of 64 of them. The bits are a little-endian word. */
static void count_word(struct mapped *m, uint64_t word, uint64_t first)
{
	uint64_t beyond = first >= m->nr_pages	      ? word
			  : m->nr_pages - first >= 64 ? 0
						      : word >> (m->nr_pages - first);

	if (beyond)
		gw_savevm_blame(
			&m->r->faults, GW_SAVEVM_FAULT_RAM_BITMAP,
			m->block->bitmap_offset + first / 8,
			"section \"ram\" instance 0: the bitmap of RAM block \"%s\" has pages "
			"beyond its end",
			m->block->name);
	m->block->pages += (unsigned)__builtin_popcountll(word);
	m->r->stream->ram.pages += (unsigned)__builtin_popcountll(word);
}

static int read_bitmap(struct mapped *m, struct gw_error *err)
{
	struct gw_window *w = &m->r->window;
	uint64_t size = gw_savevm_bitmap_size(m->block);

	for (uint64_t at = 0; at < size; at += 8) {
		int rc = gw_window_want(w, 8, err);

		if (rc < 0)
			return -1;
		if (rc == 0)
			return cut(m->r);
		if (m->r->listener->page &&
		    gw_buffer_append(&m->bitmap, gw_window_bytes(w), 8, err) < 0)
			return -1;
		count_word(m, gw_get_le64(gw_window_bytes(w)), at * 8);
		gw_window_take(w, 8);
	}
	return 1;
}

static int deliver_page(struct mapped *m, uint64_t page, struct gw_error *err)
{
	const struct gw_savevm_listener *l = m->r->listener;
	size_t size = (size_t)m->block->mapped_page_size;
	struct gw_savevm_ram_item item = {
		.kind = GW_SAVEVM_ITEM_PAGE,
		.block = m->block,
		.offset = page * size,
		.len = size,
	};
	int rc = skip_to(m->r, m->block->pages_offset + item.offset, err);

	if (rc <= 0)
		return rc;
	rc = gw_window_want(&m->r->window, size, err);
	if (rc <= 0)
		return rc < 0 ? -1 : cut(m->r);
	item.data = gw_window_bytes(&m->r->window);
	gw_window_take(&m->r->window, size);
	return l->page(l->opaque, &item, err) < 0 ? -1 : 1;
}

static int read_pages(struct mapped *m, struct gw_error *err)
{
	for (uint64_t page = 0; page < m->nr_pages; page++) {
		uint64_t word = gw_get_le64(m->bitmap.data + page / 64 * 8);
		int rc;

		if (word == 0) {
			page |= 63;
			continue;
		}
		if (!(word >> page % 64 & 1))
			continue;
		rc = deliver_page(m, page, err);
		if (rc <= 0)
			return rc;
	}
	return 1;
}

int gw_savevm_read_mapped(struct savevm_reading *r, struct gw_savevm_block *block,
			  struct gw_error *err)
{
	struct mapped m = {
		.r = r,
		.block = block,
		.nr_pages = block->length / block->mapped_page_size,
	};
	int rc = skip_to(r, block->bitmap_offset, err);

	if (rc > 0)
		rc = read_bitmap(&m, err);
	if (rc > 0 && r->listener->page)
		rc = read_pages(&m, err);
	gw_buffer_free(&m.bitmap);
	if (rc > 0)
		rc = skip_to(r, block->pages_offset + block->length, err);
	return rc;
}
