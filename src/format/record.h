/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Records, the framing that the libxc image and the libxl stream share (section "Records" of Xen's
 * docs/specs/libxc-migration-stream.pandoc and libxl-migration-stream.pandoc): a type, a length, a
 * body, padding to 8 bytes.
 */
#ifndef GW_FORMAT_RECORD_H
#define GW_FORMAT_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "base/buffer.h"
#include "base/util.h"

#define GW_RECORD_HEADER_SIZE 8
#define GW_RECORD_MAX	      UINT32_C(0x08000000) /* 128 MiB, the longest body */
#define GW_RECORD_OPTIONAL    UINT32_C(0x80000000) /* bit of a type: a reader may skip the record */

/* A record that was read or is to be written. data is the body and is borrowed. */
struct gw_record {
	uint32_t type;
	uint32_t length; /* of the body, without padding */
	const uint8_t *data;
	uint64_t offset;    /* of the record's header, from the layer's first byte */
	uint64_t number;    /* 0 for the layer's first record */
	uint8_t padding[8]; /* the padding bytes as read; gw_record_padding(length) of them */
};

static inline uint32_t gw_record_padding(uint32_t length)
{
	return -length & 7u;
}

/* The header of a record of this type and body length. */
void gw_record_header_encode(uint8_t raw[GW_RECORD_HEADER_SIZE], uint32_t type, uint32_t length);
void gw_record_header_decode(const uint8_t raw[GW_RECORD_HEADER_SIZE], uint32_t *type,
			     uint32_t *length);
/* Appends header, body and padding: all or nothing. Fails (GW_INVALID) if length exceeds
 * GW_RECORD_MAX. */
int gw_record_append(struct gw_buffer *buf, uint32_t type, const void *body, size_t length,
		     struct gw_error *err);

/*
 * Shared by the two readers: bodies are read in pieces, so that memory grows with the bytes that
 * arrive and not with a claimed length.
 */
#define GW_FRAMING_PIECE ((size_t)64 << 10)
#define GW_FRAMING_KEEP	 ((size_t)1 << 20) /* a larger buffer is given back after its record */

/* Empties the buffer for the next item. */
static inline void gw_framing_recycle(struct gw_buffer *buf)
{
	if (buf->cap > GW_FRAMING_KEEP)
		gw_buffer_free(buf);
	else
		gw_buffer_reset(buf);
}

/*
 * Returns where the next piece of a body of total bytes goes; buf->len bytes have arrived. A piece
 * is at most as long as the part that came so far. *len 0: the body is complete.
 */
static inline int gw_framing_want(struct gw_buffer *buf, uint64_t total, void **to, size_t *len,
				  struct gw_error *err)
{
	*to = NULL;
	*len = 0;
	if (total <= buf->len)
		return 0;

	uint64_t piece = GW_MIN(total - buf->len, (uint64_t)GW_MAX(GW_FRAMING_PIECE, buf->len));

	*to = gw_buffer_reserve(buf, (size_t)piece, err);
	if (!*to)
		return -1;
	*len = (size_t)piece;
	return 0;
}

#endif
