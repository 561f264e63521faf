/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A filter between the output of a guest and a terminal: what would command the terminal is shown
 * instead.
 */
#ifndef GW_BASE_TERMINAL_H
#define GW_BASE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Longest escape sequence that can pass. */
#define GW_TERMINAL_HOLD 40

/* Zeroed is ready for use. */
struct gw_terminal {
	uint8_t hold[GW_TERMINAL_HOLD]; /* the beginning of a sequence or of a character */
	size_t held;
	bool coloured; /* a colour or attribute is in effect */
};

/*
 * Appends to out what may be shown of len more bytes. Text in UTF-8, newlines, carriage returns,
 * tabs and backspaces pass, and so do colours and attributes (ESC [ ... m), which end with their
 * line. All other control characters, also those of more than one byte and those that change the
 * direction of writing, are shown as in visible.h. The end of bytes may be held back until more
 * come. Returns 0 or -1.
 */
int gw_terminal_filter(struct gw_terminal *t, const void *bytes, size_t len, struct gw_buffer *out,
		       struct gw_error *err);
/* Appends what is held back, and ends the colours. 0 or -1. */
int gw_terminal_end(struct gw_terminal *t, struct gw_buffer *out, struct gw_error *err);

#endif
