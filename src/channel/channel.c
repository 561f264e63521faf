/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The common part of channels: exact transfers made of short ones, bytes given back, positions, the
 * end of input. The kinds (fd.c, file.c, decompress.c and others) move the bytes.
 */
#include <godwit/channel.h>

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "channel/deadline.h"
#include "channel/kind.h"

/* The part of a caller's buffers that is not transferred yet. */
struct cursor {
	struct iovec *iov;
	int n;
};

/* Removes moved bytes and empty buffers from the front. */
static void advance(struct cursor *cursor, size_t moved)
{
	while (cursor->n > 0 && moved >= cursor->iov->iov_len) {
		moved -= cursor->iov->iov_len;
		cursor->iov++;
		cursor->n--;
	}
	if (moved) {
		cursor->iov->iov_base = (uint8_t *)cursor->iov->iov_base + moved;
		cursor->iov->iov_len -= moved;
	}
}

typedef ssize_t transfer_fn(struct gw_channel *ch, const struct iovec *iov, int n,
			    struct gw_error *err);

/* Calls a kind's read or write once, for at most IOV_MAX buffers and GW_CHANNEL_AT_ONCE bytes. */
static ssize_t transfer(struct gw_channel *ch, enum gw_direction dir, const struct cursor *cursor,
			struct gw_error *err)
{
	transfer_fn *fn = dir == GW_READING ? ch->ops->read : ch->ops->write;
	size_t total = 0;
	int used = 0;

	if (gw_channel_check(ch, dir, err))
		return -1;
	while (used < cursor->n && used < IOV_MAX && total < GW_CHANNEL_AT_ONCE)
		total += cursor->iov[used++].iov_len;

	size_t over = total > GW_CHANNEL_AT_ONCE ? total - GW_CHANNEL_AT_ONCE : 0;

	cursor->iov[used - 1].iov_len -= over;
	ssize_t moved = fn(ch, cursor->iov, used, err);
	cursor->iov[used - 1].iov_len += over;
	assert(moved <= (ssize_t)(total - over));
	return moved;
}

/* Moves up to len bytes that were given back to buf (NULL: drops them). Returns the number. */
static size_t take_unread(struct gw_channel *ch, void *buf, size_t len)
{
	size_t n = GW_MIN(len, (size_t)ch->unread_len);

	if (!n)
		return 0;
	if (buf)
		memcpy(buf, ch->unread, n);
	ch->unread_len -= (uint8_t)n;
	memmove(ch->unread, ch->unread + n, ch->unread_len);
	ch->read_pos += n;
	return n;
}

int gw_channel_readv(struct gw_channel *ch, struct iovec *iov, int n, struct gw_error *err)
{
	struct cursor cursor = {iov, n};
	uint64_t total = 0, left;

	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	left = total;
	advance(&cursor, 0);
	while (cursor.n > 0) {
		size_t moved = take_unread(ch, cursor.iov->iov_base, cursor.iov->iov_len);

		if (!moved) {
			ssize_t got = transfer(ch, GW_READING, &cursor, err);

			if (got < 0)
				return -1;
			if (got == 0)
				return gw_channel_ended(ch, total, left, err);
			moved = (size_t)got;
			ch->read_pos += moved;
		}
		left -= moved;
		advance(&cursor, moved);
	}
	return 1;
}

int gw_channel_read(struct gw_channel *ch, void *buf, size_t len, struct gw_error *err)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};

	return gw_channel_readv(ch, &iov, 1, err);
}

ssize_t gw_channel_read_some(struct gw_channel *ch, void *buf, size_t len, struct gw_error *err)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct cursor cursor = {&iov, 1};
	size_t given_back = take_unread(ch, buf, len);

	if (given_back || !len)
		return (ssize_t)given_back;

	ssize_t got = transfer(ch, GW_READING, &cursor, err);

	if (got > 0)
		ch->read_pos += (size_t)got;
	return got;
}

void gw_channel_unread(struct gw_channel *ch, const void *buf, size_t len)
{
	assert(len <= sizeof(ch->unread) - ch->unread_len && len <= ch->read_pos);
	if (!len)
		return;
	memmove(ch->unread + len, ch->unread, ch->unread_len);
	memcpy(ch->unread, buf, len);
	ch->unread_len += (uint8_t)len;
	ch->read_pos -= len;
}

int gw_channel_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	uint64_t left = len - take_unread(ch, NULL, len);

	while (left) {
		if (gw_channel_check(ch, GW_READING, err))
			return -1;

		int64_t passed = ch->ops->skip(ch, left, err);

		if (passed < 0)
			return -1;
		if (passed == 0)
			return gw_channel_ended(ch, len, left, err);
		assert((uint64_t)passed <= left);
		left -= (uint64_t)passed;
		ch->read_pos += (uint64_t)passed;
	}
	return 1;
}

int gw_channel_writev(struct gw_channel *ch, struct iovec *iov, int n, struct gw_error *err)
{
	struct cursor cursor = {iov, n};

	if (ch->finished)
		return gw_fail(err, GW_USAGE, "writing %s after it was finished", ch->name);
	advance(&cursor, 0);
	while (cursor.n > 0) {
		ssize_t put = transfer(ch, GW_WRITING, &cursor, err);

		if (put < 0)
			return -1;
		if (put == 0)
			return gw_fail(err, GW_SYSTEM,
				       "writing %s at byte %" PRIu64 ": it takes no more bytes",
				       ch->name, ch->write_pos);
		ch->write_pos += (size_t)put;
		advance(&cursor, (size_t)put);
	}
	return 0;
}

int gw_channel_write(struct gw_channel *ch, const void *buf, size_t len, struct gw_error *err)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};

	return gw_channel_writev(ch, &iov, 1, err);
}

int gw_channel_drain(struct gw_channel *ch, struct gw_error *err)
{
	return ch->ops->drain(ch, err);
}

int gw_channel_finish(struct gw_channel *ch, struct gw_error *err)
{
	if (ch->finished)
		return 0;
	if (ch->ops->drain(ch, err) || ch->ops->finish(ch, err))
		return -1;
	ch->finished = true;
	return 0;
}

void gw_channel_close(struct gw_channel *ch)
{
	if (!ch)
		return;
	ch->ops->close(ch);
	free(ch->name);
	ch->name = NULL;
	if (ch->free)
		ch->free(ch);
}

bool gw_channel_has_input(const struct gw_channel *ch)
{
	for (;; ch = ch->below) {
		struct pollfd p = {.fd = ch->fd, .events = POLLIN};

		if (ch->unread_len || (ch->ops->has_buffered && ch->ops->has_buffered(ch)))
			return true;
		if (!ch->below)
			return ch->fd >= 0 && poll(&p, 1, 0) > 0;
	}
}

void gw_channel_set_cancel(struct gw_channel *ch, const struct gw_cancel *cancel)
{
	/* A thread that uses the other direction may look at it at the same time. */
	for (; ch; ch = ch->below)
		__atomic_store_n(&ch->cancel, cancel, __ATOMIC_RELEASE);
}

void gw_channel_watch_input(struct gw_channel *ch,
			    int (*input_came)(void *opaque, struct gw_error *err), void *opaque)
{
	for (; ch; ch = ch->below) {
		ch->input_came = input_came;
		ch->input_opaque = opaque;
	}
}

void gw_channel_set_silence(struct gw_channel *ch, int ms)
{
	for (; ch; ch = ch->below)
		ch->silence_ms = ms;
}

void gw_channel_set_deadline(struct gw_channel *ch, struct gw_deadline *deadline)
{
	for (; ch; ch = ch->below)
		ch->deadline = deadline;
}
