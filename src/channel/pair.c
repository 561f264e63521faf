/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One channel of two, as standard input and standard output are.
 */
#include "channel/pair.h"

#include <stdlib.h>

#include "base/util.h"
#include "channel/kind.h"

struct pair {
	struct gw_channel ch; /* ch.below is read */
	struct gw_channel *out;
};

static struct pair *of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct pair, ch);
}

static ssize_t pair_read(struct gw_channel *ch, const struct iovec *iov, int n,
			 struct gw_error *err)
{
	return ch->below->ops->read(ch->below, iov, n, err);
}

/* The caller changes the pair's token and limit, also while this thread does not look. */
static struct gw_channel *output(struct gw_channel *ch)
{
	struct gw_channel *out = of(ch)->out;

	gw_channel_set_cancel(out, __atomic_load_n(&ch->cancel, __ATOMIC_ACQUIRE));
	gw_channel_set_silence(out, ch->silence_ms);
	return out;
}

static ssize_t pair_write(struct gw_channel *ch, const struct iovec *iov, int n,
			  struct gw_error *err)
{
	struct gw_channel *out = output(ch);
	ssize_t put = out->ops->write(out, iov, n, err);

	out->write_pos += put > 0 ? (size_t)put : 0;
	return put;
}

static int64_t pair_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	return ch->below->ops->skip(ch->below, len, err);
}

static int pair_drain(struct gw_channel *ch, struct gw_error *err)
{
	return gw_channel_drain(output(ch), err);
}

static int pair_finish(struct gw_channel *ch, struct gw_error *err)
{
	return gw_channel_finish(output(ch), err);
}

static void pair_close(struct gw_channel *ch)
{
	gw_channel_close(ch->below);
	gw_channel_close(of(ch)->out);
}

static const struct gw_channel_ops pair_ops = {
	.read = pair_read,
	.write = pair_write,
	.skip = pair_skip,
	.drain = pair_drain,
	.finish = pair_finish,
	.close = pair_close,
};

struct gw_channel *gw_channel_pair(struct gw_channel *in, struct gw_channel *out, const char *name,
				   struct gw_error *err)
{
	struct pair *p = in && out ? calloc(1, sizeof(*p)) : NULL;

	if (p && gw_channel_init(&p->ch, &pair_ops, name, err) == 0) {
		p->ch.below = in;
		p->out = out;
		return &p->ch;
	}
	if (in && out)
		gw_fail_errno(err, "a channel for %s", name);
	free(p);
	gw_channel_close(in);
	gw_channel_close(out);
	return NULL;
}
