/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fills and moves a window on an input.
 */
#include "read/window.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

int gw_window_open(struct gw_window *w, struct gw_input *in, struct gw_error *err)
{
	*w = (struct gw_window){.in = in, .bytes = malloc(GW_WINDOW_SIZE)};
	return w->bytes ? 0 : gw_fail_errno(err, "a window on %s", in->ch->name);
}

void gw_window_close(struct gw_window *w)
{
	free(w->bytes);
	*w = (struct gw_window){0};
}

/* One read. */
static int fill(struct gw_window *w, struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	uint64_t before = w->in->ch->read_pos;
	ssize_t n = gw_channel_read_some(w->in->ch, w->bytes + w->end, GW_WINDOW_SIZE - w->end,
					 &failure);
	int rc = n < 0 ? -1 : n > 0;

	if (gw_input_took(w->in, before, rc, &failure, err) == GW_READ_FAILED)
		return -1;
	if (n > 0)
		w->end += (size_t)n;
	w->ended = n <= 0;
	if (w->refilled)
		w->refilled(w->opaque);
	return 0;
}

int gw_window_want(struct gw_window *w, size_t n, struct gw_error *err)
{
	size_t len = gw_window_len(w);

	if (len >= n)
		return 1;
	memmove(w->bytes, w->bytes + w->start, len);
	w->start = 0;
	w->end = len;
	while (w->end < n && !w->ended)
		if (fill(w, err) < 0)
			return -1;
	return w->end >= n;
}

int gw_window_skip(struct gw_window *w, uint64_t n, struct gw_error *err)
{
	size_t here = (size_t)GW_MIN(n, (uint64_t)gw_window_len(w));
	int rc;

	gw_window_take(w, here);
	if (n == here)
		return 1;
	rc = w->ended ? 0 : gw_input_skip(w->in, n - here, err);
	w->ended |= rc == 0;
	return rc;
}

int gw_window_append(struct gw_window *w, struct gw_buffer *to, uint64_t n, struct gw_error *err)
{
	while (n) {
		int rc = gw_window_want(w, 1, err);
		size_t here = (size_t)GW_MIN(n, (uint64_t)gw_window_len(w));

		if (rc <= 0)
			return rc;
		if (gw_buffer_append(to, gw_window_bytes(w), here, err) < 0)
			return -1;
		gw_window_take(w, here);
		n -= here;
	}
	return 1;
}
