/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The channel that copies what it reads.
 */
#include "channel/copy.h"

#include <stdlib.h>

#include "base/util.h"
#include "channel/kind.h"

struct copy {
	struct gw_channel ch;
	struct gw_channel *below;
	struct gw_spool *spool;
};

static struct copy *copy_of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct copy, ch);
}

static ssize_t copy_read(struct gw_channel *ch, const struct iovec *iov, int n,
			 struct gw_error *err)
{
	struct copy *c = copy_of(ch);
	ssize_t got = gw_channel_read_some(c->below, iov[0].iov_base, iov[0].iov_len, err);

	(void)n;
	if (got > 0 && gw_spool_put(c->spool, iov[0].iov_base, (size_t)got, err) < 0)
		return gw_fail_in(err, "keeping %s for its restore", ch->name);
	return got;
}

static ssize_t copy_write(struct gw_channel *ch, const struct iovec *iov, int n,
			  struct gw_error *err)
{
	(void)iov;
	(void)n;
	return gw_fail(err, GW_USAGE, "%s is only read", ch->name);
}

static int copy_finish(struct gw_channel *ch, struct gw_error *err)
{
	(void)ch;
	(void)err;
	return 0;
}

static void copy_close(struct gw_channel *ch)
{
	gw_channel_close(copy_of(ch)->below);
}

static const struct gw_channel_ops copy_ops = {
	.read = copy_read,
	.write = copy_write,
	.skip = gw_channel_skip_by_reading,
	.drain = gw_channel_drain_nothing,
	.finish = copy_finish,
	.close = copy_close,
};

struct gw_channel *gw_channel_copy(struct gw_channel *below, struct gw_spool *spool,
				   struct gw_error *err)
{
	struct copy *c = calloc(1, sizeof(*c));

	if (!c)
		gw_fail_errno(err, "memory for a channel");
	if (!c || gw_spool_begin(spool, err) < 0 ||
	    gw_channel_init(&c->ch, &copy_ops, below->name, err) < 0) {
		free(c);
		gw_channel_close(below);
		return NULL;
	}
	c->below = below;
	c->spool = spool;
	return &c->ch;
}
