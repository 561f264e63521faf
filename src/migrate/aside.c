/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The channel that keeps bytes in pieces of memory, which are used again for the next checkpoint.
 */
#include "migrate/aside.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "channel/kind.h"

#define PIECE (UINT64_C(1) << 20)

struct aside {
	struct gw_channel ch;
	struct gw_channel *out;
	uint64_t limit;
	uint8_t **pieces; /* each of PIECE bytes */
	size_t nr_pieces;
	uint64_t kept; /* bytes in them */
	bool keeps, over;
};

static struct aside *aside_of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct aside, ch);
}

static int add_piece(struct aside *a, struct gw_error *err)
{
	uint8_t **more = reallocarray(a->pieces, a->nr_pieces + 1, sizeof(*more));

	if (more)
		a->pieces = more;
	if (!more || !(more[a->nr_pieces] = malloc(PIECE)))
		return gw_fail(err, GW_NO_MEMORY, "no memory for the pages of a checkpoint");
	a->nr_pieces++;
	return 0;
}

static int keep(struct aside *a, const uint8_t *from, size_t len, struct gw_error *err)
{
	while (len > 0) {
		size_t at = a->kept % PIECE, step = GW_MIN(len, PIECE - at);

		if (a->kept / PIECE == a->nr_pieces && add_piece(a, err) < 0)
			return -1;
		memcpy(a->pieces[a->kept / PIECE] + at, from, step);
		a->kept += step;
		from += step;
		len -= step;
	}
	return 0;
}

static int send_kept(struct aside *a, struct gw_error *err)
{
	uint64_t kept = a->kept;

	a->kept = 0;
	for (uint64_t at = 0; at < kept; at += PIECE)
		if (gw_channel_write(a->out, a->pieces[at / PIECE], GW_MIN(PIECE, kept - at), err) <
		    0)
			return -1;
	return 0;
}

static uint64_t length_of(const struct iovec *iov, int n)
{
	uint64_t total = 0;

	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	return total;
}

/* In one call, which becomes one frame where out sends frames. */
static ssize_t pass_on(struct aside *a, const struct iovec *iov, int n, struct gw_error *err)
{
	ssize_t written = a->out->ops->write(a->out, iov, n, err);

	if (written > 0)
		a->out->write_pos += (uint64_t)written;
	return written;
}

static ssize_t aside_write(struct gw_channel *ch, const struct iovec *iov, int n,
			   struct gw_error *err)
{
	struct aside *a = aside_of(ch);
	uint64_t total = length_of(iov, n);

	if (a->keeps && total > a->limit - a->kept) {
		a->keeps = false;
		a->over = true;
		if (send_kept(a, err) < 0)
			return -1;
	}
	if (!a->keeps)
		return pass_on(a, iov, n, err);
	for (int i = 0; i < n; i++)
		if (keep(a, iov[i].iov_base, iov[i].iov_len, err) < 0)
			return -1;
	return (ssize_t)total;
}

/* What is kept refers to nobody's memory. */
static int aside_drain(struct gw_channel *ch, struct gw_error *err)
{
	return gw_channel_drain(aside_of(ch)->out, err);
}

static ssize_t aside_read(struct gw_channel *ch, const struct iovec *iov, int n,
			  struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "%s: nothing can be read here", ch->name);
}

static int64_t aside_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "%s: nothing can be read here", ch->name);
}

static void aside_close(struct gw_channel *ch)
{
	struct aside *a = aside_of(ch);

	for (size_t i = 0; i < a->nr_pieces; i++)
		free(a->pieces[i]);
	free(a->pieces);
}

static const struct gw_channel_ops aside_ops = {
	.read = aside_read,
	.write = aside_write,
	.skip = aside_skip,
	.drain = aside_drain,
	.finish = aside_drain,
	.close = aside_close,
};

struct gw_channel *gw_aside_open(struct gw_channel *out, uint64_t limit, struct gw_error *err)
{
	struct aside *a = calloc(1, sizeof(*a));

	if (!a) {
		gw_fail(err, GW_NO_MEMORY, "no memory for a channel of checkpoints");
		return NULL;
	}
	if (gw_channel_init(&a->ch, &aside_ops, out->name, err) < 0) {
		free(a);
		return NULL;
	}
	a->ch.below = out;
	a->ch.cancel = out->cancel;
	a->ch.silence_ms = out->silence_ms;
	a->out = out;
	a->limit = limit;
	return &a->ch;
}

void gw_aside_keep(struct gw_channel *ch)
{
	struct aside *a = aside_of(ch);

	a->keeps = true;
	a->over = false;
}

int gw_aside_send(struct gw_channel *ch, bool *all, struct gw_error *err)
{
	struct aside *a = aside_of(ch);

	*all = !a->over;
	a->keeps = false;
	return send_kept(a, err);
}
