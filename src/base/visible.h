/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Text of streams, peers and guests, made safe to show: characters that command a terminal, begin a
 * line or change the direction of writing become visible.
 */
#ifndef GW_BASE_VISIBLE_H
#define GW_BASE_VISIBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* The longest text that stands for one character, with its NUL. */
#define GW_VISIBLE_MAX 8

/*
 * Reads the first character of len (> 0) bytes of UTF-8. Returns the number of its bytes and sets
 * *code; 0 if the bytes are no character.
 */
size_t gw_utf8_decode(const void *text, size_t len, uint32_t *code);

/*
 * True for control characters (U+0000 to U+001F, U+007F to U+009F), the marks, embeddings,
 * overrides and isolates of bidirectional text, the separators of lines and paragraphs, and the
 * byte order mark.
 */
bool gw_is_hidden(uint32_t code);

/*
 * Writes the first character of len (> 0) bytes to shown, NUL-terminated: as it is, or hidden ones
 * as \xNN (below U+0100) or \uNNNN. A byte that begins no UTF-8 character is shown as \xNN, too.
 * Returns the number of bytes it was made of.
 */
size_t gw_visible_next(const void *text, size_t len, char shown[GW_VISIBLE_MAX]);

/* Writes text to the buffer to of size (> 0) bytes; what does not fit is left out, whole characters
 * at a time. Returns to. */
char *gw_visible(char *to, size_t size, const char *text);

/* Appends to buf. 0 or -1. */
int gw_visible_append(struct gw_buffer *buf, const void *text, size_t len, struct gw_error *err);

/*
 * A copy of JSON text in which hidden characters above U+007E are written as \uNNNN, which means
 * the same. They can only be in strings. The caller frees it; NULL without memory.
 */
char *gw_visible_json(const char *json);

#endif
