/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A window on an input: the next bytes, as many as a decoder wants to see at once. It reads ahead,
 * so it is for inputs that are read to their end.
 */
#ifndef GW_READ_WINDOW_H
#define GW_READ_WINDOW_H

#include "base/buffer.h"
#include "read/input.h"

/* Most bytes that may be wanted at once. A read takes what is free of it: the caches of a CPU hold
 * this much. */
#define GW_WINDOW_SIZE (192u << 10)

struct gw_window {
	struct gw_input *in;		/* borrowed */
	uint8_t *bytes;			/* GW_WINDOW_SIZE */
	size_t start, end;		/* of those that are there */
	bool ended;			/* the input has */
	void (*refilled)(void *opaque); /* after each read; may be NULL */
	void *opaque;
};

/* -1: no memory. */
int gw_window_open(struct gw_window *w, struct gw_input *in, struct gw_error *err);
void gw_window_close(struct gw_window *w);

static inline const uint8_t *gw_window_bytes(const struct gw_window *w)
{
	return w->bytes + w->start;
}

static inline size_t gw_window_len(const struct gw_window *w)
{
	return w->end - w->start;
}

/* The offset of the first byte, as gw_input_offset(). */
static inline uint64_t gw_window_offset(const struct gw_window *w)
{
	return gw_input_offset(w->in) - gw_window_len(w);
}

static inline void gw_window_take(struct gw_window *w, size_t n)
{
	w->start += n;
}

/* Makes at least n bytes available. 1; 0: the input ends before; -1 with err. */
int gw_window_want(struct gw_window *w, size_t n, struct gw_error *err);
/* Skips n bytes: 1, 0 or -1 likewise. */
int gw_window_skip(struct gw_window *w, uint64_t n, struct gw_error *err);
/* Moves the next n bytes to the end of a buffer: 1, 0 (those that there are) or -1. */
int gw_window_append(struct gw_window *w, struct gw_buffer *to, uint64_t n, struct gw_error *err);

#endif
