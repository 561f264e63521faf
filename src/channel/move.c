/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Transfers from one channel to another. Data that is only copied is spliced in the kernel when
 * both ends are pipes or files; otherwise it passes through a buffer.
 *
 * A splice clears FMODE_NOWAIT in the open file description of a pipe for good (pipe_clear_nowait()
 * in fs/splice.c). fd.c notices at its next transfer.
 */
#include "channel/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "channel/sigpipe.h"

#define BUFFER_SIZE ((size_t)256 << 10)

struct move {
	struct gw_channel *in, *out;
	struct gw_fd *from, *to;	    /* both set: data can be spliced */
	uint64_t in_since_ms, out_since_ms; /* for gw_channel_wait() */
	uint8_t *buffer;		    /* NULL until it is needed */
};

static struct gw_fd *splice_fd(struct gw_channel *ch)
{
	return ch->ops->splice_fd ? ch->ops->splice_fd(ch) : NULL;
}

/* Returns true if the next bytes can be spliced. */
static bool can_splice(struct move *m, uint64_t len)
{
	if (m->in->unread_len)
		return false;
	m->from = splice_fd(m->in);
	m->to = splice_fd(m->out);
	if (!m->from || !m->to || !(m->from->is_pipe || m->from->is_file) ||
	    !(m->to->is_pipe || m->to->is_file))
		return false;
	gw_fd_widen(m->from, len);
	gw_fd_widen(m->to, len);
	return true;
}

/* Waits until both ends are ready or in an error state. */
static int wait_for_both(struct move *m, struct gw_error *err)
{
	if (m->from->is_pipe && gw_channel_wait(m->in, GW_READING, &m->in_since_ms, err) < 0)
		return -1;
	if (m->to->is_pipe && gw_channel_wait(m->out, GW_WRITING, &m->out_since_ms, err) < 0)
		return -1;
	return 0;
}

static ssize_t splice_some(struct move *m, size_t len)
{
	off_t offset = m->from->read_offset, *from = offset < 0 ? NULL : &offset;
	struct gw_sigpipe hold;
	ssize_t n;

	if (!m->from->is_pipe && !m->to->is_pipe)
		return copy_file_range(m->in->fd, from, m->out->fd, NULL, len, 0);
	if (!m->to->is_pipe)
		return splice(m->in->fd, from, m->out->fd, NULL, len, SPLICE_F_NONBLOCK);
	gw_sigpipe_hold(&hold);
	n = splice(m->in->fd, from, m->out->fd, NULL, len, SPLICE_F_NONBLOCK);
	gw_sigpipe_release(&hold, n < 0 && errno == EPIPE);
	return n;
}

/*
 * Splices some bytes. Returns the number, or -1, or 0 if the caller has to use a buffer. A buffered
 * transfer also finds the end of input, and which of the two ends has failed.
 */
static ssize_t by_kernel(struct move *m, uint64_t len, struct gw_error *err)
{
	if (m->from->wait_first && gw_channel_wait_ready(m->in, GW_READING, err))
		return -1;
	m->from->wait_first = false;
	m->in_since_ms = m->out_since_ms = 0;
	for (;;) {
		ssize_t n;

		if (gw_channel_check(m->in, GW_READING, err) ||
		    gw_channel_check(m->out, GW_WRITING, err))
			return -1;
		n = splice_some(m, (size_t)GW_MIN(len, (uint64_t)GW_CHANNEL_AT_ONCE));
		if (n > 0 && m->from->read_offset >= 0)
			m->from->read_offset += n;
		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return 0;
		if (wait_for_both(m, err))
			return -1;
	}
}

static ssize_t by_buffer(struct move *m, uint64_t len, struct gw_error *err)
{
	ssize_t n;

	if (!m->buffer) {
		m->buffer = malloc(GW_MIN(len, (uint64_t)BUFFER_SIZE));
		if (!m->buffer)
			return gw_fail_errno(err, "a buffer between %s and %s", m->in->name,
					     m->out->name);
	}
	n = gw_channel_read_some(m->in, m->buffer, (size_t)GW_MIN(len, (uint64_t)BUFFER_SIZE), err);
	if (n > 0 && gw_channel_write(m->out, m->buffer, (size_t)n, err))
		return -1;
	return n;
}

int gw_channel_move(struct gw_channel *in, struct gw_channel *out, uint64_t len,
		    struct gw_error *err)
{
	struct move m = {.in = in, .out = out};
	uint64_t left = len;
	ssize_t n = 1;

	if (out->finished)
		return gw_fail(err, GW_USAGE, "writing %s after it was finished", out->name);
	while (left && n > 0) {
		n = can_splice(&m, left) ? by_kernel(&m, left, err) : 0;
		if (n > 0) {
			in->read_pos += (uint64_t)n;
			out->write_pos += (uint64_t)n;
		} else if (n == 0) {
			n = by_buffer(&m, left, err);
		}
		left -= n > 0 ? (uint64_t)n : 0;
	}
	free(m.buffer);
	if (n < 0)
		return -1;
	return left ? gw_channel_ended(in, len, left, err) : 1;
}
