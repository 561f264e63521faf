/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the readers of image.h and stream.h share: bodies arrive in pieces, so that memory
 * grows with the bytes that came and never by the word of a length field.
 */
#ifndef GW_FORMAT_RECORD_H
#define GW_FORMAT_RECORD_H

#include "base/buffer.h"
#include "base/util.h"

#define GW_FRAMING_PIECE ((size_t)64 << 10)
#define GW_FRAMING_KEEP	 ((size_t)1 << 20) /* a larger buffer is given back after its record */

/* Empties the buffer for the next thing to read. */
static inline void gw_framing_recycle(struct gw_buffer *buf)
{
	if (buf->cap > GW_FRAMING_KEEP)
		gw_buffer_free(buf);
	else
		gw_buffer_reset(buf);
}

/*
 * Where the next piece of a body of total bytes goes, of which buf->len are in: at most as much
 * again as came so far. *len 0: nothing is missing.
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
