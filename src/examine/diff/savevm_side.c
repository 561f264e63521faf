/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory of a stream of QEMU that is compared: its RAM blocks one after another in the byte
 * store.
 */
#include "examine/diff/internal.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <godwit/guest.h>

#include "base/util.h"
#include "format/qemu/machine.h"

/* Bytes of all RAM blocks; no machine has so many. */
#define MEMORY_MAX (UINT64_C(1) << 46)

static size_t number_of(const struct gw_diff_side *side, const struct gw_savevm_block *block)
{
	return (size_t)(block - side->savevm.ram.blocks);
}

/* With the first page the list of blocks is complete. */
static int reserve(struct gw_diff_side *side, struct gw_error *err)
{
	const struct gw_savevm_ram *ram = &side->savevm.ram;

	if (side->block_places)
		return 0;
	if (ram->total > MEMORY_MAX || ram->page_bits != GW_PAGE_SHIFT)
		return gw_fail(err, GW_UNSUPPORTED,
			       "memory of 0x%llx bytes in pages of %u cannot be compared",
			       (unsigned long long)ram->total, 1u << ram->page_bits);
	if (gw_byte_store_to_file(&side->store, err) < 0)
		return -1;
	side->block_places = calloc(ram->nr_blocks, sizeof(*side->block_places));
	if (!side->block_places)
		return gw_fail_errno(err, "the RAM blocks of a QEMU stream");
	for (size_t i = 0; i < ram->nr_blocks; i++)
		side->block_places[i] = gw_byte_store_reserve(
			&side->store, GW_ROUND_UP(ram->blocks[i].length, GW_PAGE_SIZE));
	return 0;
}

/* What the words say of a page. contents: its bytes, or room for them. */
static int decode(struct gw_diff_side *side, const struct gw_savevm_ram_item *item, uint64_t place,
		  uint8_t *page, struct gw_error *err)
{
	uLongf len = GW_PAGE_SIZE;

	switch (item->kind) {
	case GW_SAVEVM_ITEM_PAGE:
		memcpy(page, item->data, GW_PAGE_SIZE);
		return 0;
	case GW_SAVEVM_ITEM_ZERO:
		memset(page, 0, GW_PAGE_SIZE);
		return 0;
	case GW_SAVEVM_ITEM_DELTA:
		if (gw_byte_store_get(&side->store, place, page, GW_PAGE_SIZE, err) < 0)
			return -1;
		if (gw_savevm_delta_apply(item->data, item->len, page, GW_PAGE_SIZE))
			return 0;
		break;
	default:
		if (uncompress(page, &len, item->data, item->len) == Z_OK && len == GW_PAGE_SIZE)
			return 0;
		break;
	}
	return gw_fail(err, GW_INVALID,
		       "RAM block \"%s\", page at 0x%llx: its contents cannot be decoded",
		       item->block->name, (unsigned long long)item->offset);
}

int gw_diff_savevm_page(struct gw_diff_side *side, const struct gw_savevm_ram_item *item,
			struct gw_error *err)
{
	uint8_t page[GW_PAGE_SIZE];
	uint64_t place, number;

	if (reserve(side, err) < 0)
		return -1;
	place = side->block_places[number_of(side, item->block)] + item->offset;
	number = place >> GW_PAGE_SHIFT;
	/* What never had contents is a hole, which is zeros. */
	if (item->kind == GW_SAVEVM_ITEM_ZERO && gw_memory_map_type(&side->written, number) < 0)
		return 0;
	if (decode(side, item, place, page, err) < 0 ||
	    gw_byte_store_put(&side->store, place, page, GW_PAGE_SIZE, err) < 0)
		return -1;
	return gw_memory_map_add(&side->written, number, GW_PAGE_NOTAB, err);
}

/* Every page of the block came, or a bitmap said which of them are zero. */
static bool is_whole(const struct gw_savevm_block *b)
{
	return b->is_mapped ||
	       b->pages + b->zeros + b->deltas + b->compressed >= b->length >> GW_PAGE_SHIFT;
}

int gw_diff_savevm_finish(struct gw_diff_side *side, struct gw_error *err)
{
	const struct gw_savevm_block *memory = gw_pc_memory(&side->savevm.ram);
	uint64_t below, pfn, place;

	if (!memory || !side->block_places)
		return 0;
	if (!gw_pc_below_4g(side->savevm.configuration.machine, memory->length, &below))
		below = memory->length;
	place = side->block_places[number_of(side, memory)];
	for (uint64_t at = 0; is_whole(memory) && at < memory->length; at += GW_PAGE_SIZE) {
		bool written =
			gw_memory_map_type(&side->written, (place + at) >> GW_PAGE_SHIFT) >= 0;

		pfn = (at < below ? at : at - below + (UINT64_C(4) << 30)) >> GW_PAGE_SHIFT;
		if (written ? gw_memory_map_add_at(&side->pages, pfn, GW_PAGE_NOTAB, place + at,
						   err)
			    : gw_memory_map_add(&side->pages, pfn, GW_PAGE_XALLOC, err))
			return -1;
	}
	return 0;
}
