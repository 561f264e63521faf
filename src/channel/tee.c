/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Copies of moved data. tee() shares the pages of the input pipe with a private pipe; the data is
 * then moved to the output, and spliced from the private pipe into the file.
 */
#include "channel/tee.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "channel/offset_io.h"
#include "channel/fd.h"

#define BUFFER_SIZE ((size_t)256 << 10)
#define WHAT	    "the file of copies"

void gw_tee_close(struct gw_tee *t)
{
	if (t->open) {
		close(t->pipe[0]);
		close(t->pipe[1]);
	}
	t->open = false;
	free(t->buffer);
	t->buffer = NULL;
}

static int open_pipe(struct gw_tee *t)
{
	if (t->open)
		return 0;
	if (pipe2(t->pipe, O_CLOEXEC) < 0)
		return -1;
	t->open = true;
	fcntl(t->pipe[1], F_SETPIPE_SZ, GW_FD_PIPE_SIZE);
	return 0;
}

/* Shares up to len bytes of in, which stay unread, with the private pipe. Returns the number, 0 if
 * a buffer has to be used, or -1. */
static ssize_t share(struct gw_channel *in, struct gw_tee *t, uint64_t len, struct gw_error *err)
{
	struct gw_fd *from = in->ops->splice_fd && !in->unread_len ? in->ops->splice_fd(in) : NULL;
	uint64_t since_ms;

	if (!from || !from->is_pipe || from->wait_first || open_pipe(t) < 0)
		return 0;
	gw_fd_widen(from, len);
	since_ms = 0;
	for (;;) {
		ssize_t n;

		if (gw_channel_check(in, GW_READING, err))
			return -1;
		n = tee(in->fd, t->pipe[1], (size_t)GW_MIN(len, (uint64_t)GW_CHANNEL_AT_ONCE),
			SPLICE_F_NONBLOCK);
		if (n >= 0)
			return n;
		if (errno == EAGAIN) {
			if (gw_channel_wait(in, GW_READING, &since_ms, err) < 0)
				return -1;
		} else if (errno != EINTR) {
			return 0;
		}
	}
}

/* Moves len bytes of the private pipe to the file. */
static void store(struct gw_tee *t, size_t len, uint64_t offset)
{
	off_t to = (off_t)offset;

	while (len) {
		ssize_t n = splice(t->pipe[0], NULL, t->fd, &to, len, 0);

		if (n > 0) {
			len -= (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			gw_fail_errno(&t->why, "writing %s at offset 0x%llx", WHAT,
				      (unsigned long long)to);
			gw_tee_close(t);
			return;
		}
	}
}

static ssize_t by_buffer(struct gw_channel *in, struct gw_channel *out, uint64_t len,
			 struct gw_tee *t, uint64_t offset, struct gw_error *err)
{
	ssize_t n;

	if (!t->buffer && !(t->buffer = malloc(BUFFER_SIZE)))
		return gw_fail_errno(err, "a buffer between %s and %s", in->name, out->name);
	n = gw_channel_read_some(in, t->buffer, (size_t)GW_MIN(len, (uint64_t)BUFFER_SIZE), err);
	if (n <= 0)
		return n;
	if (gw_channel_write(out, t->buffer, (size_t)n, err))
		return -1;
	gw_pwrite_all(t->fd, offset, t->buffer, (size_t)n, WHAT, &t->why);
	return n;
}

static ssize_t some(struct gw_channel *in, struct gw_channel *out, uint64_t len, struct gw_tee *t,
		    uint64_t offset, struct gw_error *err)
{
	ssize_t shared = share(in, t, len, err);

	if (shared < 0)
		return -1;
	if (shared == 0)
		return by_buffer(in, out, len, t, offset, err);
	/* Moved first, so that both ends can work while the copy is written. */
	if (gw_channel_move(in, out, (uint64_t)shared, err) != 1)
		return -1;
	store(t, (size_t)shared, offset);
	return shared;
}

int gw_channel_tee(struct gw_channel *in, struct gw_channel *out, uint64_t len, struct gw_tee *t,
		   uint64_t offset, struct gw_error *err)
{
	uint64_t left = len;

	while (left && !t->why.code) {
		ssize_t n = some(in, out, left, t, offset + (len - left), err);

		if (n < 0)
			return -1;
		if (n == 0)
			return gw_channel_ended(in, len, left, err);
		left -= (uint64_t)n;
	}
	if (!left)
		return 1;
	switch (gw_channel_move(in, out, left, err)) {
	case 1:
		return 1;
	case 0:
		return gw_channel_ended(in, len, left, err);
	default:
		return -1;
	}
}
