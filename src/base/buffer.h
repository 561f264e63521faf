/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A growable byte buffer. It grows only with appended bytes, never with an untrusted length field.
 */
#ifndef GW_BASE_BUFFER_H
#define GW_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

/* A zeroed buffer is empty. Each append may move data. */
struct gw_buffer {
	uint8_t *data;
	size_t len;
	size_t cap;
};

/* Makes room for len more bytes and returns where they go, or NULL with err set. Does not change
 * buf->len. */
void *gw_buffer_reserve(struct gw_buffer *buf, size_t len, struct gw_error *err);

/* Appends; data NULL appends zeros. 0 or -1. */
int gw_buffer_append(struct gw_buffer *buf, const void *data, size_t len, struct gw_error *err);

/* Appends formatted text without its terminator. 0 or -1. */
int gw_buffer_printf(struct gw_buffer *buf, struct gw_error *err, const char *fmt, ...)
	GW_PRINTF(3, 4);

/* Empties the buffer but keeps its memory. */
void gw_buffer_reset(struct gw_buffer *buf);

void gw_buffer_free(struct gw_buffer *buf);

#endif
