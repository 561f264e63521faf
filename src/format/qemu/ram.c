/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the words of a memory section.
 */
#include "format/qemu/ram.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/util.h"

#define MAPPED_HEADER_SIZE 28u
#define MAPPED_VERSION	   1u
/* QEMU aligns the pages of a block so; see docs/devel/migration/mapped-ram.rst there. */
#define MAPPED_ALIGNMENT (UINT64_C(1) << 20)

/* Where the reader is in the bytes that it got. */
struct words {
	const uint8_t *p;
	size_t len, pos, need;
};

static const uint8_t *take(struct words *w, size_t n)
{
	const uint8_t *p = w->p + w->pos;

	if (w->need || w->len - w->pos < n) {
		w->need = GW_MAX(w->need, w->pos + n);
		return NULL;
	}
	w->pos += n;
	return p;
}

/* The first fault of an item counts. */
static void GW_PRINTF(3, 4)
	blame(struct gw_savevm_ram_item *item, enum gw_savevm_ram_fault fault, const char *fmt, ...)
{
	va_list ap;

	if (item->fault)
		return;
	item->fault = fault;
	va_start(ap, fmt);
	vsnprintf(item->text, sizeof(item->text), fmt, ap);
	va_end(ap);
}

/* A page may name any of thousands of blocks, and a hostile stream has millions of pages: so a
 * block is not looked for one by one. */
#define SLOTS (4 * GW_SAVEVM_BLOCKS_MAX)

static uint16_t *find_slot(const struct gw_savevm_ram *ram, const char *name)
{
	uint32_t hash = (uint32_t)gw_hash_seed();

	for (const char *p = name; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	/* At most a quarter of them is taken. */
	for (uint32_t i = hash % SLOTS;; i = (i + 1) % SLOTS)
		if (!ram->slots[i] || !strcmp(ram->blocks[ram->slots[i] - 1].name, name))
			return &ram->slots[i];
}

static struct gw_savevm_block *find(struct gw_savevm_ram *ram, const char *name)
{
	uint16_t *slot = ram->slots ? find_slot(ram, name) : NULL;

	return slot && *slot ? &ram->blocks[*slot - 1] : NULL;
}

/* A name with its length before it. */
static bool take_name(struct words *w, char name[GW_SAVEVM_NAME_MAX + 1])
{
	const uint8_t *n = take(w, 1), *text = n ? take(w, *n) : NULL;

	if (!text)
		return false;
	memcpy(name, text, *n);
	name[*n] = 0;
	for (unsigned i = 0; i < *n; i++)
		if (!name[i])
			name[i] = '?';
	return true;
}

uint64_t gw_savevm_bitmap_size(const struct gw_savevm_block *block)
{
	uint64_t pages = block->length / GW_MAX(block->mapped_page_size, UINT64_C(1));

	return (pages + 63) / 64 * 8;
}

static void take_mapped(struct gw_savevm_ram *ram, struct words *w, struct gw_savevm_block *block,
			struct gw_savevm_ram_item *item)
{
	const uint8_t *p = take(w, MAPPED_HEADER_SIZE);
	uint64_t here, bitmap;

	if (!p)
		return;
	here = ram->position + w->pos;
	block->mapped_page_size = gw_get_be64(p + 4);
	block->bitmap_offset = gw_get_be64(p + 12);
	block->pages_offset = gw_get_be64(p + 20);
	bitmap = gw_savevm_bitmap_size(block);
	if (gw_get_be32(p) != MAPPED_VERSION)
		blame(item, GW_SAVEVM_RAM_BAD_MAP,
		      "its mapped-ram header has version %" PRIu32 ", expected %u", gw_get_be32(p),
		      MAPPED_VERSION);
	else if (block->mapped_page_size != UINT64_C(1) << ram->page_bits)
		blame(item, GW_SAVEVM_RAM_BAD_MAP,
		      "its mapped pages have 0x%" PRIx64 " bytes, expected 0x%x",
		      block->mapped_page_size, 1u << ram->page_bits);
	else if (block->bitmap_offset < here || block->bitmap_offset > here + MAPPED_ALIGNMENT)
		blame(item, GW_SAVEVM_RAM_BAD_MAP,
		      "its bitmap is at 0x%" PRIx64 ", expected after its header at 0x%" PRIx64,
		      block->bitmap_offset, here);
	else if (block->pages_offset < block->bitmap_offset + bitmap ||
		 block->pages_offset - block->bitmap_offset - bitmap > MAPPED_ALIGNMENT ||
		 block->pages_offset > INT64_MAX || block->length > INT64_MAX)
		blame(item, GW_SAVEVM_RAM_BAD_MAP,
		      "its pages are at 0x%" PRIx64 ", expected after its bitmap of %" PRIu64
		      " bytes at 0x%" PRIx64,
		      block->pages_offset, bitmap, block->bitmap_offset);
	else
		block->is_mapped = true;
}

/* The page size that a block has in the list of a postcopy migration, if it is not the host's. No
 * name begins with its first byte, which is 0; nor is the word after the list a page size. */
static void take_page_size(struct gw_savevm_ram *ram, struct words *w,
			   struct gw_savevm_block *block)
{
	const uint8_t *p;
	uint64_t size;

	if (!ram->advised || (ram->advised & (ram->advised - 1)) == 0)
		return;
	p = take(w, 8);
	if (!p)
		return;
	size = gw_get_be64(p);
	if (size >= 4096 && (size & (size - 1)) == 0 && (size & ram->advised))
		block->page_size = size;
	else
		w->pos -= 8;
}

static bool make_room(struct gw_savevm_ram *ram)
{
	size_t cap = ram->cap_blocks ? 2 * ram->cap_blocks : 16;
	size_t last = ram->last ? (size_t)(ram->last - ram->blocks) : 0;
	struct gw_savevm_block *more;

	if (!ram->slots)
		ram->slots = calloc(SLOTS, sizeof(*ram->slots));
	if (!ram->slots)
		return false;
	if (ram->nr_blocks < ram->cap_blocks)
		return true;
	more = reallocarray(ram->blocks, cap, sizeof(*more));
	if (!more)
		return false;
	ram->last = ram->last ? more + last : NULL;
	ram->blocks = more;
	ram->cap_blocks = cap;
	return true;
}

/* An entry of the list of blocks. */
static void take_entry(struct gw_savevm_ram *ram, struct words *w, struct gw_savevm_ram_item *item)
{
	struct gw_savevm_block block = {0};
	const uint8_t *p;

	item->kind = GW_SAVEVM_ITEM_BLOCK;
	if (!take_name(w, block.name) || !(p = take(w, 8)))
		return;
	block.length = gw_get_be64(p);
	if (find(ram, block.name))
		blame(item, GW_SAVEVM_RAM_BAD_LIST, "RAM block \"%s\" is listed twice", block.name);
	if (block.length > ram->list_left || block.length == 0)
		blame(item, GW_SAVEVM_RAM_BAD_LIST,
		      "RAM block \"%s\" has 0x%" PRIx64 " bytes, 0x%" PRIx64
		      " of the sum of all are left",
		      block.name, block.length, ram->list_left);
	take_page_size(ram, w, &block);
	if (ram->ignore_shared && (p = take(w, 8))) {
		block.has_address = true;
		block.address = gw_get_be64(p);
	}
	if (ram->mapped_ram)
		take_mapped(ram, w, &block, item);
	if (w->need)
		return;
	if (ram->nr_blocks == GW_SAVEVM_BLOCKS_MAX || !make_room(ram)) {
		blame(item, GW_SAVEVM_RAM_BAD_WORD, "it has more than %u RAM blocks",
		      GW_SAVEVM_BLOCKS_MAX);
		w->pos = 0;
		return;
	}
	/* A wrong length: where the list ends is not known any more. */
	if (item->fault == GW_SAVEVM_RAM_BAD_LIST && block.length > ram->list_left) {
		w->pos = 0;
		return;
	}
	item->block = &ram->blocks[ram->nr_blocks];
	*item->block = block;
	if (!find(ram, block.name))
		*find_slot(ram, block.name) = (uint16_t)++ram->nr_blocks;
	else
		ram->nr_blocks++;
	ram->list_left -= block.length;
	ram->in_list = ram->list_left > 0;
}

/* The block that a page belongs to. */
static void take_block(struct gw_savevm_ram *ram, struct words *w, uint64_t word,
		       struct gw_savevm_ram_item *item)
{
	char name[GW_SAVEVM_NAME_MAX + 1];

	if (word & GW_SAVEVM_RAM_CONTINUE) {
		item->block = ram->last;
		if (!ram->last)
			blame(item, GW_SAVEVM_RAM_BAD_BLOCK,
			      "a page continues a RAM block before any was named");
		return;
	}
	if (!take_name(w, name))
		return;
	item->block = find(ram, name);
	if (!item->block)
		blame(item, GW_SAVEVM_RAM_BAD_BLOCK,
		      "a page is for RAM block \"%s\", which is not listed", name);
}

static void take_delta(struct gw_savevm_ram *ram, struct words *w, struct gw_savevm_ram_item *item)
{
	const uint8_t *p = take(w, 3);
	uint32_t size = 1u << ram->page_bits;

	item->kind = GW_SAVEVM_ITEM_DELTA;
	if (!p)
		return;
	item->len = gw_get_be16(p + 1);
	if (p[0] != 1 || item->len > size)
		blame(item, GW_SAVEVM_RAM_BAD_DATA,
		      "a delta has encoding %u and %zu bytes, expected encoding 1 and at most %u",
		      p[0], item->len, size);
	item->data = take(w, item->len);
}

static void take_compressed(struct gw_savevm_ram *ram, struct words *w,
			    struct gw_savevm_ram_item *item)
{
	const uint8_t *p = take(w, 4);
	uint32_t size = 1u << ram->page_bits;
	/* compressBound() of zlib, as QEMU has it. */
	uint32_t most = size + (size >> 12) + (size >> 14) + (size >> 25) + 13;

	item->kind = GW_SAVEVM_ITEM_COMPRESSED;
	if (!p)
		return;
	item->len = gw_get_be32(p);
	if (item->len > most) {
		blame(item, GW_SAVEVM_RAM_BAD_WORD,
		      "a compressed page has %zu bytes, expected at most %u", item->len, most);
		return;
	}
	item->data = take(w, item->len);
}

/* The contents after a word for a page. */
static void take_contents(struct gw_savevm_ram *ram, struct words *w, uint64_t flags,
			  struct gw_savevm_ram_item *item)
{
	const uint8_t *p;

	switch (flags) {
	case GW_SAVEVM_RAM_PAGE:
		item->kind = GW_SAVEVM_ITEM_PAGE;
		item->len = (size_t)1 << ram->page_bits;
		item->data = take(w, item->len);
		break;
	case GW_SAVEVM_RAM_ZERO:
		item->kind = GW_SAVEVM_ITEM_ZERO;
		p = take(w, 1);
		if (p && *p)
			blame(item, GW_SAVEVM_RAM_BAD_FILL,
			      "a page is filled with 0x%02x, expected 0", *p);
		break;
	case GW_SAVEVM_RAM_XBZRLE:
		take_delta(ram, w, item);
		break;
	default:
		take_compressed(ram, w, item);
	}
}

static void count(struct gw_savevm_ram *ram, struct gw_savevm_ram_item *item)
{
	struct gw_savevm_block none = {0}, *b = item->block ? item->block : &none;

	switch (item->kind) {
	case GW_SAVEVM_ITEM_PAGE:
		ram->pages++;
		b->pages++;
		break;
	case GW_SAVEVM_ITEM_ZERO:
		ram->zeros++;
		b->zeros++;
		break;
	case GW_SAVEVM_ITEM_DELTA:
		ram->deltas++;
		b->deltas++;
		break;
	default:
		ram->compressed++;
		b->compressed++;
	}
}

static void take_page(struct gw_savevm_ram *ram, struct words *w, uint64_t word, uint64_t flags,
		      struct gw_savevm_ram_item *item)
{
	take_block(ram, w, word, item);
	take_contents(ram, w, flags, item);
	if (w->need || item->fault == GW_SAVEVM_RAM_BAD_WORD)
		return;
	if (item->block && item->offset >= item->block->length)
		blame(item, GW_SAVEVM_RAM_BAD_OFFSET,
		      "a page at 0x%" PRIx64
		      " is beyond the end of RAM block \"%s\", which has 0x%" PRIx64 " bytes",
		      item->offset, item->block->name, item->block->length);
	ram->last = item->block;
	count(ram, item);
}

static void take_total(struct gw_savevm_ram *ram, struct gw_savevm_ram_item *item)
{
	item->kind = GW_SAVEVM_ITEM_TOTAL;
	if (ram->has_list)
		blame(item, GW_SAVEVM_RAM_BAD_LIST, "the RAM blocks are listed a second time");
	ram->has_list = true;
	ram->total = item->offset;
	ram->list_left = item->offset;
	ram->in_list = item->offset > 0;
	ram->nr_blocks = 0;
	ram->last = NULL;
	if (ram->slots)
		memset(ram->slots, 0, SLOTS * sizeof(*ram->slots));
}

static void take_word(struct gw_savevm_ram *ram, struct words *w, struct gw_savevm_ram_item *item)
{
	const uint8_t *p = take(w, 8);
	uint64_t mask = (UINT64_C(1) << ram->page_bits) - 1, word, flags;

	if (!p)
		return;
	word = gw_get_be64(p);
	flags = word & mask & ~(uint64_t)GW_SAVEVM_RAM_CONTINUE;
	item->offset = word & ~mask;
	switch (flags) {
	case GW_SAVEVM_RAM_PAGE:
	case GW_SAVEVM_RAM_ZERO:
	case GW_SAVEVM_RAM_XBZRLE:
	case GW_SAVEVM_RAM_COMPRESSED:
		take_page(ram, w, word, flags, item);
		break;
	case GW_SAVEVM_RAM_MEM_SIZE:
		take_total(ram, item);
		break;
	case GW_SAVEVM_RAM_EOS:
		item->kind = GW_SAVEVM_ITEM_END;
		break;
	case GW_SAVEVM_RAM_MULTIFD_FLUSH:
		item->kind = GW_SAVEVM_ITEM_FLUSH;
		break;
	default:
		blame(item, GW_SAVEVM_RAM_BAD_WORD, "0x%016" PRIx64 " is no word that QEMU knows",
		      word);
	}
}

void gw_savevm_ram_begin(struct gw_savevm_ram *ram)
{
	/* The first page of a section may continue the block of the section before. */
	ram->in_list = false;
}

size_t gw_savevm_ram_next(struct gw_savevm_ram *ram, const uint8_t *p, size_t len,
			  uint64_t position, struct gw_savevm_ram_item *item, size_t *need)
{
	struct words w = {.p = p, .len = len};

	item->kind = GW_SAVEVM_ITEM_END;
	item->block = NULL;
	item->offset = 0;
	item->data = NULL;
	item->len = 0;
	item->fault = GW_SAVEVM_RAM_GOOD;
	ram->position = position;
	if (ram->in_list)
		take_entry(ram, &w, item);
	else
		take_word(ram, &w, item);
	*need = 0;
	if (item->fault == GW_SAVEVM_RAM_BAD_WORD)
		return 0;
	*need = w.need;
	return w.need ? 0 : w.pos;
}

void gw_savevm_ram_free(struct gw_savevm_ram *ram)
{
	free(ram->blocks);
	free(ram->slots);
	*ram = (struct gw_savevm_ram){0};
}

/* A number of at most 14 bits in one or two bytes. */
static bool take_run(const uint8_t **p, const uint8_t *end, size_t *run)
{
	if (*p == end)
		return false;
	*run = *(*p)++;
	if (!(*run & 0x80))
		return true;
	if (*p == end || (**p & 0x80))
		return false;
	*run = (*run & 0x7f) | (size_t) * (*p)++ << 7;
	return true;
}

bool gw_savevm_delta_apply(const uint8_t *delta, size_t len, uint8_t *page, size_t page_size)
{
	const uint8_t *end = delta + len;
	size_t at = 0, run;

	while (delta < end) {
		if (!take_run(&delta, end, &run) || run > page_size - at)
			return false;
		at += run;
		if (delta == end)
			return false;
		if (!take_run(&delta, end, &run) || run == 0 || run > page_size - at ||
		    run > (size_t)(end - delta))
			return false;
		memcpy(page + at, delta, run);
		delta += run;
		at += run;
	}
	return true;
}
