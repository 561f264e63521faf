/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Copies the console to a descriptor, through the filter if that is a terminal.
 */
#include "vmm/console_copy.h"

#include <errno.h>
#include <unistd.h>

#include "base/util.h"

#define CHUNK 4096

void gw_console_copy_begin(struct gw_console_copy *copy, int fd, bool raw)
{
	*copy = (struct gw_console_copy){.fd = fd, .filtered = fd >= 0 && !raw && isatty(fd)};
}

static bool has_output(const struct gw_console_copy *copy)
{
	return copy->out_pos < copy->out.len;
}

bool gw_console_copy_pending(const struct gw_console_copy *copy, struct gw_console *console)
{
	return copy->fd >= 0 && (has_output(copy) || copy->pos < gw_console_newest(console));
}

static void take(struct gw_console_copy *copy, struct gw_console *console)
{
	uint8_t chunk[CHUNK];
	size_t n = gw_console_peek(console, &copy->pos, chunk, sizeof(chunk));

	gw_buffer_reset(&copy->out);
	copy->out_pos = 0;
	copy->pos += n;
	/* Without memory the piece is lost here; the ring has it. */
	if (copy->filtered)
		gw_terminal_filter(&copy->terminal, chunk, n, &copy->out, NULL);
	else
		gw_buffer_append(&copy->out, chunk, n, NULL);
}

void gw_console_copy_step(struct gw_console_copy *copy, struct gw_console *console)
{
	ssize_t n;

	if (!has_output(copy))
		take(copy, console);
	if (!has_output(copy))
		return;
	n = write(copy->fd, copy->out.data + copy->out_pos,
		  GW_MIN(copy->out.len - copy->out_pos, (size_t)CHUNK));
	if (n > 0)
		copy->out_pos += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		copy->fd = -1; /* the reader is gone; the ring has the rest */
}

void gw_console_copy_end(struct gw_console_copy *copy)
{
	gw_buffer_reset(&copy->out);
	if (copy->fd >= 0 && copy->filtered &&
	    gw_terminal_end(&copy->terminal, &copy->out, NULL) == 0 && copy->out.len) {
		ssize_t n = write(copy->fd, copy->out.data, copy->out.len);

		(void)n;
	}
	gw_buffer_free(&copy->out);
	copy->fd = -1;
}
