/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The byte store: bytes of an image that are read again after the whole image was read. If the
 * input can seek, they stay there; else they are written to an unlinked file. Either way a number,
 * their place, says where they are.
 */
#ifndef GW_EXAMINE_DIFF_BYTE_STORE_H
#define GW_EXAMINE_DIFF_BYTE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/channel.h>

#include "channel/spool.h"

/* Zeroed, then gw_byte_store_begin. */
struct gw_byte_store {
	const struct gw_channel *in; /* borrowed */
	bool in_input;		     /* places are offsets of the input: nothing is put */
	struct gw_spool file;
	uint64_t end;	      /* of the last reserved place */
	struct gw_buffer run; /* not written yet, from run_offset on */
	uint64_t run_offset;
	char what[120]; /* for messages */
};

int gw_byte_store_begin(struct gw_byte_store *store, const struct gw_channel *in,
			struct gw_error *err);
/* What is put from now on goes to a file, even if the input can seek; nothing was put before. */
int gw_byte_store_to_file(struct gw_byte_store *store, struct gw_error *err);
/* Bytes that were put, or zeros, before the writing has ended. */
int gw_byte_store_get(struct gw_byte_store *store, uint64_t place, void *buf, size_t len,
		      struct gw_error *err);
/* The place of len bytes after all others; bytes that are not put there are zeros. */
uint64_t gw_byte_store_reserve(struct gw_byte_store *store, uint64_t len);
/* Writes bytes to a reserved place; the last write counts. */
int gw_byte_store_put(struct gw_byte_store *store, uint64_t place, const void *data, size_t len,
		      struct gw_error *err);
/* Ends the writing; after it bytes can be read. */
int gw_byte_store_finish(struct gw_byte_store *store, struct gw_error *err);
/* GW_CANCELLED if the input's token is set. */
int gw_byte_store_read(const struct gw_byte_store *store, uint64_t place, void *buf, size_t len,
		       struct gw_error *err);
void gw_byte_store_free(struct gw_byte_store *store);

#endif
