/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The channel that borrows another one.
 */
#include "channel/borrow.h"

#include <stdlib.h>

#include "base/util.h"
#include "channel/kind.h"

struct borrowed {
	struct gw_channel ch;
	struct gw_channel *from;
};

static ssize_t borrowed_read(struct gw_channel *ch, const struct iovec *iov, int n,
			     struct gw_error *err)
{
	struct borrowed *b = gw_container_of(ch, struct borrowed, ch);

	while (n > 1 && !iov->iov_len) {
		iov++;
		n--;
	}
	return gw_channel_read_some(b->from, iov->iov_base, iov->iov_len, err);
}

static ssize_t borrowed_write(struct gw_channel *ch, const struct iovec *iov, int n,
			      struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "%s is only borrowed for reading", ch->name);
}

static int borrowed_finish(struct gw_channel *ch, struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "%s is only borrowed for reading", ch->name);
}

static void borrowed_close(struct gw_channel *ch)
{
}

static const struct gw_channel_ops borrowed_ops = {
	.read = borrowed_read,
	.write = borrowed_write,
	.skip = gw_channel_skip_by_reading,
	.drain = gw_channel_drain_nothing,
	.finish = borrowed_finish,
	.close = borrowed_close,
};

struct gw_channel *gw_channel_borrow(struct gw_channel *ch, struct gw_error *err)
{
	struct borrowed *b = calloc(1, sizeof(*b));

	if (!b) {
		gw_fail_errno(err, "reading %s", ch->name);
		return NULL;
	}
	if (gw_channel_init(&b->ch, &borrowed_ops, ch->name, err)) {
		free(b);
		return NULL;
	}
	b->from = ch;
	b->ch.cancel = ch->cancel;
	return &b->ch;
}
