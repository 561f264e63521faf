/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The services of the common part to the kinds of channel.
 */
#include "channel/kind.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

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

int gw_channel_check(const struct gw_channel *ch, enum gw_direction dir, struct gw_error *err)
{
	if (!gw_cancel_is_set(ch->cancel))
		return 0;
	return gw_fail(err, GW_CANCELLED, "%s %s at byte %" PRIu64 ": cancelled", doing(dir),
		       ch->name, position(ch, dir));
}

int gw_channel_wait(const struct gw_channel *ch, enum gw_direction dir, struct gw_error *err)
{
	bool reading = dir == GW_READING;
	int patience = reading && ch->patience_ms ? ch->patience_ms : -1;
	int rc = gw_cancel_wait(ch->cancel, ch->fd, reading ? POLLIN : POLLOUT, patience, NULL);

	if (rc > 0)
		return 0;
	if (rc == 0)
		return gw_fail(err, GW_PEER,
			       "reading %s at byte %" PRIu64 ": nothing has come for %d ms",
			       ch->name, ch->read_pos, patience);
	if (gw_channel_check(ch, dir, err))
		return -1;
	return gw_channel_fail_errno(ch, dir, err);
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
