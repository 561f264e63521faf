/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A channel that reads the output of a conversion. The conversion runs in its own thread and writes
 * to a pipe.
 */
#include "convert/convert.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "channel/kind.h"

struct converting {
	struct gw_channel ch;
	struct gw_channel *from; /* the pipe's end that is read */
	struct gw_convert_args args;
	struct gw_observer observer;
	struct gw_cancel *stop; /* ends the thread; the reader has another token */
	pthread_t thread;
	bool running; /* it was started, and nobody has waited for its end yet */
	struct gw_conversion_result done, *tell;
	/* The thread's result, valid after it was joined. */
	int rc;
	struct gw_error failure;
};

static struct converting *of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct converting, ch);
}

static void *work(void *opaque)
{
	struct converting *c = opaque;

	c->rc = gw_convert(&c->args, &c->done, &c->failure);
	/* Ends the reader's input. The result is set before. */
	gw_channel_close(c->args.out);
	return NULL;
}

static void await(struct converting *c)
{
	if (c->running)
		pthread_join(c->thread, NULL);
	c->running = false;
}

/*
 * The pipe is empty and nobody writes it any more: 0 at the end of the image, -1 if that is not all
 * of it. That the input was cut off is then said already, where and in what; GW_TRUNCATED would
 * make the reader say instead where that leaves the converted image.
 */
static int ended(struct converting *c, struct gw_error *err)
{
	enum gw_code code;

	await(c);
	code = c->failure.code == GW_TRUNCATED ? GW_INVALID : c->failure.code;
	return c->rc < 0 ? gw_fail(err, code, "%s", c->failure.text) : 0;
}

static ssize_t converting_read(struct gw_channel *ch, const struct iovec *iov, int n,
			       struct gw_error *err)
{
	struct converting *c = of(ch);
	ssize_t got;

	c->from->cancel = ch->cancel;
	got = c->from->ops->read(c->from, iov, n, err);
	return got ? got : ended(c, err);
}

static int64_t converting_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	struct converting *c = of(ch);
	int64_t gone;

	c->from->cancel = ch->cancel;
	gone = c->from->ops->skip(c->from, len, err);
	return gone ? gone : ended(c, err);
}

static ssize_t converting_write(struct gw_channel *ch, const struct iovec *iov, int n,
				struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "%s is being converted and cannot be written", ch->name);
}

static int converting_finish(struct gw_channel *ch, struct gw_error *err)
{
	return 0;
}

static void converting_close(struct gw_channel *ch)
{
	struct converting *c = of(ch);

	if (c->stop)
		gw_cancel_set(c->stop);
	gw_channel_close(c->from);
	await(c);
	gw_cancel_free(c->stop);
	gw_channel_close(c->args.in);
	if (c->tell)
		*c->tell = c->done;
}

static const struct gw_channel_ops converting_ops = {
	.read = converting_read,
	.write = converting_write,
	.skip = converting_skip,
	.drain = gw_channel_drain_nothing,
	.finish = converting_finish,
	.close = converting_close,
};

/* One end of the pipe; fd is closed if there is no memory for it. */
static struct gw_channel *end_of_pipe(int fd, const char *name, struct gw_error *err)
{
	struct gw_channel *ch = gw_channel_from_fd(fd, true, name, err);

	if (!ch)
		close(fd);
	return ch;
}

static int start(struct converting *c, struct gw_error *err)
{
	sigset_t all, old;
	int fds[2], rc;

	c->stop = gw_cancel_new(err);
	if (!c->stop)
		return -1;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return gw_fail_errno(err, "a pipe from the conversion of %s", c->ch.name);
	c->from = end_of_pipe(fds[0], c->ch.name, err);
	c->args.out = end_of_pipe(fds[1], "the converted image", err);
	if (!c->from || !c->args.out)
		return -1;
	c->args.cancel = c->stop;
	c->ch.fd = c->from->fd;
	/* Signals belong to the reading thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&c->thread, NULL, work, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		return gw_fail(err, GW_SYSTEM, "no thread for the conversion of %s", c->ch.name);
	c->running = true;
	return 0;
}

struct gw_channel *gw_convert_channel(const struct gw_convert_args *args,
				      struct gw_conversion_result *done, struct gw_error *err)
{
	struct converting *c = calloc(1, sizeof(*c));

	if (!c) {
		gw_fail_errno(err, "a channel for %s", args->in->name);
		return NULL;
	}
	if (gw_channel_init(&c->ch, &converting_ops, args->in->name, err)) {
		free(c);
		return NULL;
	}
	c->args = *args;
	if (args->observer) {
		c->observer = *args->observer;
		c->args.observer = &c->observer;
	}
	c->ch.cancel = args->cancel ? args->cancel : args->in->cancel;
	if (start(c, err) < 0) {
		/* The input stays the caller's. */
		gw_channel_close(c->args.out);
		c->args.in = NULL;
		gw_channel_close(&c->ch);
		return NULL;
	}
	c->tell = done;
	return &c->ch;
}
