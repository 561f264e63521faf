/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A reading of a QEMU savevm stream: the loop over its parts. Memory passes through a window and is
 * not kept. The devices' sections are kept in memory until the description at the end, which gives
 * their lengths, has come (format/qemu/tail.h).
 *
 * Memory needed: the window, at most 256 MiB of device data (GW_SAVEVM_DEVICES_MAX), the parsed
 * description (GW_SAVEVM_DESCRIPTION_MAX), the lists of the tree, and for mapped-ram one bitmap.
 * Each grows only with bytes that have arrived.
 */
#ifndef GW_READ_SAVEVM_H
#define GW_READ_SAVEVM_H

#include "format/qemu/faults.h"
#include "format/qemu/tree.h"
#include "read/input.h"

/* Any entry may be NULL. Pointers are borrowed for the call. */
struct gw_savevm_listener {
	void *opaque;
	void (*fault)(void *opaque, enum gw_savevm_fault fault, uint64_t offset, const char *text);
	/* A section after its end, a command, in the order of the stream. */
	void (*section)(void *opaque, const struct gw_savevm_section *section);
	void (*command)(void *opaque, const struct gw_savevm_command_at *command);
	/* An entry of the list of RAM blocks. */
	int (*block)(void *opaque, const struct gw_savevm_block *block, struct gw_error *err);
	/*
	 * A page (ZERO, PAGE, DELTA, COMPRESSED) of a block that is listed, inside of its length. A
	 * page of a mapped block comes as PAGE; those that its bitmap leaves out are zero and do
	 * not come. With NULL the pages of mapped blocks are not read. -1 ends the reading.
	 */
	int (*page)(void *opaque, const struct gw_savevm_ram_item *item, struct gw_error *err);
	/* Called now and then. */
	void (*progress)(void *opaque);
	/* The description of another stream of the same machine, for a stream that has none. */
	const struct gw_savevm_description *like;
};

/*
 * Reads a stream from the input's next byte to the input's end, into *stream (zeroed; the caller
 * frees it in any case). 1: it was read to its end, and stream->trailing bytes follow it; 0: what
 * follows a fault could not be read, or the input ended early; -1 with err: failed.
 */
int gw_savevm_read(struct gw_input *in, const struct gw_savevm_listener *listener,
		   struct gw_savevm_stream *stream, struct gw_error *err);

#endif
