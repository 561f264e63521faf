/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory section "ram" of a savevm stream: words of 64 bits, each an offset in a RAM block and
 * flags, with what follows them. Source: ram.c of QEMU, section version 4.
 *
 * The list of RAM blocks is the one thing in it that depends on capabilities of the migration: the
 * configuration names those that count, and the command POSTCOPY_ADVISE.
 */
#ifndef GW_FORMAT_QEMU_RAM_H
#define GW_FORMAT_QEMU_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "format/qemu/savevm.h"

#define GW_SAVEVM_RAM_VERSION 4u
#define GW_SAVEVM_BLOCKS_MAX  4096u

enum gw_savevm_ram_flag {
	GW_SAVEVM_RAM_FULL = 0x01, /* obsolete */
	GW_SAVEVM_RAM_ZERO = 0x02,
	GW_SAVEVM_RAM_MEM_SIZE = 0x04,
	GW_SAVEVM_RAM_PAGE = 0x08,
	GW_SAVEVM_RAM_EOS = 0x10,
	GW_SAVEVM_RAM_CONTINUE = 0x20,
	GW_SAVEVM_RAM_XBZRLE = 0x40,
	GW_SAVEVM_RAM_HOOK = 0x80,
	GW_SAVEVM_RAM_COMPRESSED = 0x100,
	GW_SAVEVM_RAM_MULTIFD_FLUSH = 0x200,
};

/* A RAM block: memory of the guest, or a ROM. */
struct gw_savevm_block {
	char name[GW_SAVEVM_NAME_MAX + 1]; /* "pc.ram" */
	uint64_t length;		   /* bytes */
	uint64_t page_size;		   /* 0: the target's */
	bool has_address;
	uint64_t address; /* guest-physical, of its memory region */
	/* mapped-ram: its pages are at fixed places in the file, and it has no words for them. */
	bool is_mapped;
	uint64_t mapped_page_size, bitmap_offset, pages_offset; /* offsets from the file's start */
	/* Words seen so far; of a mapped block the pages of its bitmap. */
	uint64_t pages, zeros, deltas, compressed;
};

/* What a step of the reader met. */
enum gw_savevm_ram_kind {
	GW_SAVEVM_ITEM_TOTAL, /* the list of blocks begins */
	GW_SAVEVM_ITEM_BLOCK, /* an entry of the list */
	GW_SAVEVM_ITEM_ZERO,
	GW_SAVEVM_ITEM_PAGE,
	GW_SAVEVM_ITEM_DELTA,	   /* XBZRLE: changes to a page that was sent before */
	GW_SAVEVM_ITEM_COMPRESSED, /* zlib */
	GW_SAVEVM_ITEM_FLUSH,
	GW_SAVEVM_ITEM_END, /* of this section */
};

/* What is wrong with an item. */
enum gw_savevm_ram_fault {
	GW_SAVEVM_RAM_GOOD,
	GW_SAVEVM_RAM_BAD_WORD, /* no word that can be read: what follows is not known */
	GW_SAVEVM_RAM_BAD_LIST,
	GW_SAVEVM_RAM_BAD_BLOCK,  /* a block that is not in the list */
	GW_SAVEVM_RAM_BAD_OFFSET, /* beyond the end of its block */
	GW_SAVEVM_RAM_BAD_FILL,	  /* a page of another byte than 0 */
	GW_SAVEVM_RAM_BAD_DATA,	  /* a delta or compressed page that cannot be one */
	GW_SAVEVM_RAM_BAD_MAP,	  /* a mapped-ram header */
};

struct gw_savevm_ram_item {
	enum gw_savevm_ram_kind kind;
	struct gw_savevm_block *block; /* of pages and list entries; NULL: not known */
	uint64_t offset;	       /* in the block; TOTAL: the sum of all lengths */
	const uint8_t *data;	       /* PAGE: its bytes; DELTA, COMPRESSED: the encoded ones */
	size_t len;
	enum gw_savevm_ram_fault fault;
	char text[300]; /* the fault in words; a second fault is left out */
};

/* Zeroed, then the settings, before each section too. */
struct gw_savevm_ram {
	/* settings */
	uint32_t page_bits;
	bool ignore_shared, mapped_ram;
	uint64_t advised; /* the page sizes of POSTCOPY_ADVISE, or'ed; 0: none */

	/* results */
	struct gw_savevm_block *blocks;
	size_t nr_blocks;
	bool has_list;
	uint64_t total; /* bytes of all blocks */
	uint64_t pages, zeros, deltas, compressed;

	/* private */
	size_t cap_blocks;
	uint16_t *slots; /* numbers of blocks, plus 1, by the hash of their names */
	bool in_list;
	uint64_t list_left;
	struct gw_savevm_block *last; /* the block of the last word */
	uint64_t position;	      /* of the next byte in the file */
};

/* A section's data begins. */
void gw_savevm_ram_begin(struct gw_savevm_ram *ram);
/*
 * The next item of the section's data, of the len bytes at p. position: offset of p in the file.
 * Returns the bytes taken. 0: with *need set that many bytes are needed from p on; without it the
 * item has a fault after which nothing can be read, or there is no memory (-1 is not used: err).
 * The text of a fault is only written for faults.
 */
size_t gw_savevm_ram_next(struct gw_savevm_ram *ram, const uint8_t *p, size_t len,
			  uint64_t position, struct gw_savevm_ram_item *item, size_t *need);
void gw_savevm_ram_free(struct gw_savevm_ram *ram);

/* The bytes of the bitmap of a mapped block. */
uint64_t gw_savevm_bitmap_size(const struct gw_savevm_block *block);

/* Applies a delta (ULEB128 runs of unchanged and new bytes) to a page. False: it is not one. */
bool gw_savevm_delta_apply(const uint8_t *delta, size_t len, uint8_t *page, size_t page_size);

#endif
