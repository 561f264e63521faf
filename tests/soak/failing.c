/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The failing channel. A call moves all that it is asked for, so that the number of calls does not
 * depend on how the kernel cuts a stream.
 */
#include "failing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/util.h"
#include "channel/kind.h"
#include "points.h"

enum kind { NONE, SILENT, ENDED };

struct failing {
	struct gw_channel ch;
	bool connection;
	enum kind now; /* of a connection that has failed */
	int errnum;    /* ENDED: of its writes */
};

static struct failing *of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct failing, ch);
}

/* Returns 0, or -1 if the call fails; 1 if a read finds the end. */
static int fails_now(struct failing *f, enum gw_direction dir, struct gw_error *err)
{
	if (f->now == NONE)
		return 0;
	if (f->now == SILENT)
		return gw_channel_fail_silent(&f->ch, dir, err);
	if (dir == GW_READING && f->errnum == EPIPE)
		return 1;
	errno = f->errnum;
	return gw_channel_fail_errno(&f->ch, dir, err);
}

static void draw_connection(struct failing *f, const char *call)
{
	static const struct {
		const char *name;
		enum kind kind;
		int errnum;
	} kinds[] = {{"the peer is gone", ENDED, EPIPE},
		     {"the connection is reset", ENDED, ECONNRESET},
		     {"the peer is silent", SILENT, 0}};
	char text[80];

	for (size_t i = 0; i < GW_ARRAY_SIZE(kinds) && f->now == NONE; i++) {
		snprintf(text, sizeof(text), "%s: %s", call, kinds[i].name);
		if (!point(text))
			continue;
		f->now = kinds[i].kind;
		f->errnum = kinds[i].errnum;
		/* The peer sees the end as well. */
		if (f->now == ENDED)
			shutdown(f->ch.fd, SHUT_RDWR);
	}
}

static int draw_file(struct failing *f, enum gw_direction dir, struct gw_error *err)
{
	static const struct {
		const char *name;
		int errnum;
		bool writing;
	} kinds[] = {{"the disk is full", ENOSPC, true},
		     {"the quota is used up", EDQUOT, true},
		     {"the file may grow no more", EFBIG, true},
		     {"the disk fails", EIO, false}};

	for (size_t i = 0; i < GW_ARRAY_SIZE(kinds); i++) {
		if ((kinds[i].writing && dir == GW_READING) || !point(kinds[i].name))
			continue;
		errno = kinds[i].errnum;
		return gw_channel_fail_errno(&f->ch, dir, err);
	}
	return 0;
}

static int before(struct failing *f, enum gw_direction dir, struct gw_error *err)
{
	if (!f->connection)
		return draw_file(f, dir, err);
	if (f->now == NONE)
		draw_connection(f, dir == GW_READING ? "a read" : "a write");
	return fails_now(f, dir, err);
}

static ssize_t read_all(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err)
{
	struct failing *f = of(ch);
	int rc = before(f, GW_READING, err);
	size_t done = 0;

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	while (done < iov[0].iov_len) {
		ssize_t got = gw_channel_read_some(ch->below, (char *)iov[0].iov_base + done,
						   iov[0].iov_len - done, err);

		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

static ssize_t write_all(struct gw_channel *ch, const struct iovec *iov, int n,
			 struct gw_error *err)
{
	struct failing *f = of(ch);
	size_t done = 0;

	if (before(f, GW_WRITING, err) != 0)
		return -1;
	for (int i = 0; i < n; i++) {
		if (gw_channel_write(ch->below, iov[i].iov_base, iov[i].iov_len, err) < 0)
			return -1;
		done += iov[i].iov_len;
	}
	return (ssize_t)done;
}

static int drain(struct gw_channel *ch, struct gw_error *err)
{
	if (point("draining"))
		return gw_fail(err, GW_SYSTEM, "the drain of %s fails", ch->name);
	return gw_channel_drain(ch->below, err);
}

static int finish(struct gw_channel *ch, struct gw_error *err)
{
	return before(of(ch), GW_WRITING, err) != 0 ? -1 : gw_channel_finish(ch->below, err);
}

static void close_it(struct gw_channel *ch)
{
	gw_channel_close(ch->below);
}

static const struct gw_channel_ops ops = {
	.read = read_all,
	.write = write_all,
	.skip = gw_channel_skip_by_reading,
	.drain = drain,
	.finish = finish,
	.close = close_it,
};

struct gw_channel *failing_channel(struct gw_channel *below, bool connection)
{
	bool watched = points_watch(false);
	struct failing *f = calloc(1, sizeof(*f));

	if (!f || gw_channel_init(&f->ch, &ops, below->name, NULL))
		abort();
	f->ch.below = below;
	f->ch.fd = connection ? below->fd : -1;
	f->connection = connection;
	points_watch(watched);
	return &f->ch;
}
