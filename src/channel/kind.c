/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Services for the kinds of channel.
 */
#include "channel/kind.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "channel/deadline.h"

static void free_struct(struct gw_channel *ch)
{
	free(ch);
}

int gw_channel_init(struct gw_channel *ch, const struct gw_channel_ops *ops, const char *name,
		    struct gw_error *err)
{
	ch->name = strdup(name);
	if (!ch->name)
		return gw_fail_errno(err, "a channel for %s", name);
	ch->ops = ops;
	ch->fd = -1;
	ch->free = free_struct;
	return 0;
}

static const char *doing(enum gw_direction dir)
{
	return dir == GW_READING ? "reading" : "writing";
}

static uint64_t position(const struct gw_channel *ch, enum gw_direction dir)
{
	return dir == GW_READING ? ch->read_pos : ch->write_pos;
}

/* gw_channel_set_cancel() may run in the thread of the other direction. */
static const struct gw_cancel *token(const struct gw_channel *ch)
{
	return __atomic_load_n(&ch->cancel, __ATOMIC_ACQUIRE);
}

int gw_channel_check(const struct gw_channel *ch, enum gw_direction dir, struct gw_error *err)
{
	if (!gw_cancel_is_set(token(ch)))
		return 0;
	return gw_fail(err, GW_CANCELLED, "%s %s at byte %" PRIu64 ": cancelled", doing(dir),
		       ch->name, position(ch, dir));
}

int gw_channel_fail_silent(const struct gw_channel *ch, enum gw_direction dir, struct gw_error *err)
{
	if (dir == GW_READING)
		return gw_fail(err, GW_PEER,
			       "reading %s at byte %" PRIu64
			       ": the other side has been silent for %d ms",
			       ch->name, ch->read_pos, ch->silence_ms);
	return gw_fail(err, GW_PEER,
		       "writing %s at byte %" PRIu64 ": the other side has taken nothing for %d ms",
		       ch->name, ch->write_pos, ch->silence_ms);
}

/* Returns the milliseconds that a transfer may still wait; -1: no limit. */
static int silence_left(const struct gw_channel *ch, uint64_t *since_ms)
{
	uint64_t now, limit = (uint64_t)ch->silence_ms;

	if (!limit)
		return -1;
	now = gw_clock_ms();
	if (!*since_ms)
		*since_ms = now;
	return now - *since_ms < limit ? (int)(limit - (now - *since_ms)) : 0;
}

/* Shortens left (-1: no limit) to the time that is left until the deadline; 0: it has passed. */
static int until_deadline(const struct gw_channel *ch, int left)
{
	uint64_t now = gw_clock_ms(), at = ch->deadline->at_ms;

	if (now >= at)
		return 0;
	return left < 0 || at - now < (uint64_t)left ? (int)GW_MIN(at - now, (uint64_t)INT_MAX)
						     : left;
}

static void renew(const struct gw_channel *ch, struct gw_deadline *d)
{
	if (!d->bytes || ch->read_pos - d->from_pos < d->bytes)
		return;
	d->from_pos = ch->read_pos;
	d->at_ms = gw_clock_ms() + (uint64_t)d->ms;
}

static int fail_late(const struct gw_channel *ch, struct gw_error *err)
{
	return gw_fail(err, GW_PEER,
		       "reading %s at byte %" PRIu64 ": the other side has not sent %s in %d ms",
		       ch->name, ch->read_pos, ch->deadline->what, ch->deadline->ms);
}

/* As gw_cancel_wait() for room to write. Input is handed to the watcher meanwhile. */
static int wait_for_room(const struct gw_channel *ch, int left, uint64_t *since_ms,
			 struct gw_error *err)
{
	int rc = gw_cancel_wait(token(ch), ch->fd, POLLOUT | POLLIN, left, NULL);

	while (rc > 0 && gw_cancel_wait(NULL, ch->fd, POLLOUT, 0, NULL) == 0) {
		if (ch->input_came(ch->input_opaque, err) < 0)
			return -2;
		left = silence_left(ch, since_ms);
		rc = gw_cancel_wait(token(ch), ch->fd, POLLOUT | POLLIN, left, NULL);
	}
	return rc;
}

int gw_channel_wait(const struct gw_channel *ch, enum gw_direction dir, uint64_t *since_ms,
		    struct gw_error *err)
{
	const bool timed = dir == GW_READING && ch->deadline;
	int left = silence_left(ch, since_ms), rc;

	if (timed)
		renew(ch, ch->deadline);
	if (timed && gw_clock_ms() >= ch->deadline->at_ms)
		return gw_channel_check(ch, dir, err) < 0 ? -1 : fail_late(ch, err);
	if (timed)
		left = until_deadline(ch, left);
	if (dir == GW_WRITING && ch->input_came)
		rc = wait_for_room(ch, left, since_ms, err);
	else
		rc = gw_cancel_wait(token(ch), ch->fd, dir == GW_READING ? POLLIN : POLLOUT, left,
				    NULL);
	if (rc == -2)
		return -1;
	if (rc > 0 || (rc == 0 && left > 0))
		return rc;
	if (rc == 0 && timed && gw_clock_ms() >= ch->deadline->at_ms)
		return fail_late(ch, err);
	if (rc == 0)
		return gw_channel_fail_silent(ch, dir, err);
	if (gw_channel_check(ch, dir, err))
		return -1;
	return gw_channel_fail_errno(ch, dir, err);
}

int gw_channel_wait_ready(const struct gw_channel *ch, enum gw_direction dir, struct gw_error *err)
{
	uint64_t since_ms = 0;
	int rc;

	do {
		rc = gw_channel_wait(ch, dir, &since_ms, err);
	} while (rc == 0);
	return rc < 0 ? -1 : 0;
}

int gw_channel_fail_errno(const struct gw_channel *ch, enum gw_direction dir, struct gw_error *err)
{
	char why[128];

	switch (errno) {
	case EPIPE:
	case ECONNRESET:
	case ECONNABORTED:
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENETDOWN:
		return gw_fail(err, GW_PEER,
			       "%s %s at byte %" PRIu64 ": the other side is gone (%s)", doing(dir),
			       ch->name, position(ch, dir), strerror_r(errno, why, sizeof(why)));
	default:
		return gw_fail_errno(err, "%s %s at byte %" PRIu64, doing(dir), ch->name,
				     position(ch, dir));
	}
}

int gw_channel_ended(const struct gw_channel *in, uint64_t total, uint64_t left,
		     struct gw_error *err)
{
	if (left == total)
		return 0;
	return gw_fail(err, GW_TRUNCATED,
		       "%s ends at byte %" PRIu64 ": of %" PRIu64
		       " bytes that belong together %" PRIu64 " are missing",
		       in->name, in->read_pos, total, left);
}

int64_t gw_channel_skip_by_reading(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	uint8_t scratch[65536];
	struct iovec iov = {.iov_base = scratch, .iov_len = GW_MIN(len, sizeof(scratch))};

	return ch->ops->read(ch, &iov, 1, err);
}

int gw_channel_drain_nothing(struct gw_channel *ch, struct gw_error *err)
{
	return 0;
}
