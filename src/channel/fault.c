/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The channel with planned faults.
 */
#include "channel/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "channel/kind.h"

struct side {
	struct gw_fault_points points;
	uint64_t random; /* state of xorshift64*, never 0; each direction may have its own thread */
};

struct fault {
	struct gw_channel ch;
	struct side read, write;
};

static struct fault *of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct fault, ch);
}

static uint64_t draw(struct side *side)
{
	uint64_t x = side->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	side->random = x;
	return x * 0x2545f4914f6cdd1dull;
}

static int stall(struct fault *f, struct side *side, enum gw_direction dir, struct gw_error *err)
{
	int stall_ms = side->points.stall_ms, limit = f->ch.silence_ms;
	bool silent = limit && (stall_ms < 0 || stall_ms > limit);
	int rc = gw_cancel_wait(f->ch.cancel, -1, 0, silent ? limit : stall_ms, NULL);

	side->points.stall_at = GW_FAULT_NEVER;
	if (rc < 0)
		return gw_channel_check(&f->ch, dir, err);
	return silent ? gw_channel_fail_silent(&f->ch, dir, err) : 0;
}

/*
 * Applies the faults planned at byte pos. Returns 1 with the number of bytes up to the next fault
 * in *room, 0 for the end of input, or -1 for a failure.
 */
static int next_fault(struct fault *f, struct side *side, enum gw_direction dir, uint64_t pos,
		      size_t *room, struct gw_error *err)
{
	struct gw_fault_points *p = &side->points;

	if (pos == p->stall_at && stall(f, side, dir, err))
		return -1;
	if (pos >= p->error_at) {
		errno = p->errnum ? p->errnum : EIO;
		return gw_channel_fail_errno(&f->ch, dir, err);
	}
	if (pos >= p->end_at) {
		if (dir == GW_READING)
			return 0;
		errno = EPIPE;
		return gw_channel_fail_errno(&f->ch, dir, err);
	}

	uint64_t next = GW_MIN(p->error_at, p->end_at);

	if (p->stall_at > pos)
		next = GW_MIN(next, p->stall_at);
	if (p->corrupt_at == pos)
		next = pos + 1; /* alone, so that a write does not change the caller's buffer */
	else if (p->corrupt_at > pos)
		next = GW_MIN(next, p->corrupt_at);
	*room = GW_MIN((uint64_t)SIZE_MAX, next - pos);
	if (p->most)
		*room = GW_MIN(*room, (size_t)(draw(side) % p->most) + 1);
	return 1;
}

/* Copies the first room bytes' worth of buffers to to[0..max-1]. Returns the number of entries. */
static int cut(struct iovec *to, int max, const struct iovec *iov, int n, size_t room)
{
	int count = 0;

	for (int i = 0; i < n && count < max && room; i++) {
		if (!iov[i].iov_len)
			continue;
		to[count] = iov[i];
		to[count].iov_len = GW_MIN(iov[i].iov_len, room);
		room -= to[count++].iov_len;
	}
	return count;
}

static uint8_t corrupted(const struct side *side, uint8_t byte)
{
	return byte ^ (side->points.corrupt_with ? side->points.corrupt_with : 0xff);
}

static ssize_t fault_read(struct gw_channel *ch, const struct iovec *iov, int n,
			  struct gw_error *err)
{
	struct fault *f = of(ch);
	struct iovec some[16];
	size_t room;
	int go = next_fault(f, &f->read, GW_READING, ch->read_pos + ch->unread_len, &room, err);

	if (go <= 0)
		return go;
	n = cut(some, GW_ARRAY_SIZE(some), iov, n, room);

	uint8_t *first = some[0].iov_base;
	uint64_t pos = ch->read_pos + ch->unread_len;
	ssize_t got;

	if (ch->below->unread_len) {
		got = gw_channel_read_some(ch->below, first, some[0].iov_len, err);
	} else {
		got = ch->below->ops->read(ch->below, some, n, err);
		if (got > 0)
			ch->below->read_pos += (size_t)got;
	}
	if (got > 0 && pos == f->read.points.corrupt_at)
		*first = corrupted(&f->read, *first);
	return got;
}

static ssize_t fault_write(struct gw_channel *ch, const struct iovec *iov, int n,
			   struct gw_error *err)
{
	struct fault *f = of(ch);
	struct iovec some[16];
	size_t room;
	uint8_t byte;

	if (next_fault(f, &f->write, GW_WRITING, ch->write_pos, &room, err) < 0)
		return -1;
	n = cut(some, GW_ARRAY_SIZE(some), iov, n, room);
	if (ch->write_pos == f->write.points.corrupt_at) {
		byte = corrupted(&f->write, *(uint8_t *)some[0].iov_base);
		some[0].iov_base = &byte;
	}

	ssize_t put = ch->below->ops->write(ch->below, some, n, err);

	if (put > 0)
		ch->below->write_pos += (size_t)put;
	return put;
}

static int fault_drain(struct gw_channel *ch, struct gw_error *err)
{
	return gw_channel_drain(ch->below, err);
}

static int fault_finish(struct gw_channel *ch, struct gw_error *err)
{
	return gw_channel_finish(ch->below, err);
}

static void fault_close(struct gw_channel *ch)
{
	gw_channel_close(ch->below);
}

/* A skip meets the same faults as a read. */
static const struct gw_channel_ops fault_ops = {
	.read = fault_read,
	.write = fault_write,
	.skip = gw_channel_skip_by_reading,
	.drain = fault_drain,
	.finish = fault_finish,
	.close = fault_close,
};

struct gw_channel *gw_channel_fault(struct gw_channel *below, const struct gw_fault_plan *plan,
				    struct gw_error *err)
{
	struct fault *f = calloc(1, sizeof(*f));

	if (!f) {
		gw_fail_errno(err, "a channel for %s", below->name);
		return NULL;
	}
	if (gw_channel_init(&f->ch, &fault_ops, below->name, err)) {
		free(f);
		return NULL;
	}
	f->ch.below = below;
	f->ch.cancel = below->cancel;
	f->ch.silence_ms = below->silence_ms;
	f->ch.fd = below->fd;
	f->read.points = plan->read;
	f->write.points = plan->write;
	f->read.random = (plan->seed << 1) | 1;
	f->write.random = (plan->seed << 1 ^ 0x9e3779b97f4a7c15ull) | 1;
	return &f->ch;
}
