/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files by path, opened for reading. A regular file is read with as few calls as its reader's skips
 * allow; whatever else there is at a path is read as any descriptor is (fd.c).
 */
#include "channel/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

/* Twice what stands between the contents of 1024 pages and those of the next 1024. */
#define WINDOW ((size_t)16 << 10)

/*
 * Who passes over bytes again and again reads about as much between two skips as between the two
 * before: the first read behind a skip brings that much at once. Only such a reader is read ahead
 * for. Nobody sees it: the descriptor is ours, and its own position stays where it was.
 */
struct stored {
	struct gw_fd f;	   /* f.at: where the window ends, and the next call begins */
	size_t since_skip; /* bytes delivered */
	size_t ahead;	   /* what the next call brings at least */
	size_t begin, end; /* of what is left in the window */
	uint8_t window[WINDOW];
};

static struct stored *of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct stored, f.ch);
}

static bool is_less(const struct iovec *iov, int n, size_t than)
{
	size_t total = 0;

	for (int i = 0; i < n && total < than; i++)
		total += iov[i].iov_len;
	return total < than;
}

/* The number of bytes that the window has then; 0 at the end of the file; -1. */
static ssize_t fill_window(struct stored *s, struct gw_error *err)
{
	const struct iovec iov = {.iov_base = s->window, .iov_len = s->ahead};
	ssize_t got = gw_fd_read(&s->f.ch, &iov, 1, err);

	s->ahead = 0;
	s->begin = 0;
	s->end = got > 0 ? (size_t)got : 0;
	s->f.at += (int64_t)s->end;
	return got;
}

static size_t take_from_window(struct stored *s, const struct iovec *iov)
{
	size_t n = GW_MIN(iov->iov_len, s->end - s->begin);

	memcpy(iov->iov_base, s->window + s->begin, n);
	s->begin += n;
	return n;
}

static ssize_t stored_read(struct gw_channel *ch, const struct iovec *iov, int n,
			   struct gw_error *err)
{
	struct stored *s = of(ch);
	ssize_t got = 1;

	if (!ch->seekable)
		return gw_fd_read(ch, iov, n, err);
	if (s->begin == s->end && is_less(iov, n, s->ahead))
		got = fill_window(s, err);
	if (s->begin < s->end) {
		got = (ssize_t)take_from_window(s, iov);
	} else if (got > 0) {
		got = gw_fd_read(ch, iov, n, err);
		s->f.at += GW_MAX(got, (ssize_t)0);
	}
	s->since_skip += (size_t)GW_MAX(got, (ssize_t)0);
	return got;
}

/* Seeking beyond the end of a file would succeed, so what there is now bounds it. */
static int64_t stored_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	struct stored *s = of(ch);
	struct stat st;
	uint64_t step;

	if (!ch->seekable)
		return gw_fd_skip(ch, len, err);
	if (s->begin < s->end) {
		step = GW_MIN(len, (uint64_t)(s->end - s->begin));
		s->begin += (size_t)step;
		return (int64_t)step;
	}
	if (fstat(ch->fd, &st) < 0)
		return gw_channel_fail_errno(ch, GW_READING, err);
	if (st.st_size <= s->f.at)
		return 0;
	step = GW_MIN(len, (uint64_t)(st.st_size - s->f.at));
	s->f.at += (int64_t)step;
	s->ahead = GW_MIN(s->since_skip, WINDOW);
	s->since_skip = 0;
	return (int64_t)step;
}

/* Who takes the next bytes from the descriptor passes over them here, as by a skip. */
static struct gw_fd *stored_plain(struct gw_channel *ch)
{
	struct stored *s = of(ch);

	if (s->begin < s->end)
		return NULL;
	if (s->since_skip)
		s->ahead = GW_MIN(s->since_skip, WINDOW);
	s->since_skip = 0;
	return gw_fd_plain(ch);
}

static bool stored_has_buffered(const struct gw_channel *ch)
{
	const struct stored *s = gw_container_of(ch, struct stored, f.ch);

	return s->begin < s->end;
}

static const struct gw_channel_ops stored_ops = {
	.read = stored_read,
	.write = gw_fd_write,
	.skip = stored_skip,
	.drain = gw_channel_drain_nothing,
	.finish = gw_fd_finish,
	.close = gw_fd_close,
	.plain = stored_plain,
	.has_buffered = stored_has_buffered,
};

static struct gw_channel *over(int fd, const char *path, struct gw_error *err)
{
	struct stored *s = calloc(1, sizeof(*s));

	if (!s) {
		gw_fail_errno(err, "a channel for %s", path);
		return NULL;
	}
	if (gw_fd_init(&s->f, &stored_ops, path, err)) {
		free(s);
		return NULL;
	}
	if (gw_fd_attach(&s->f, fd, true, err)) {
		gw_channel_close(&s->f.ch);
		return NULL;
	}
	s->f.wait_first = s->f.is_pipe;
	if (s->f.ch.seekable)
		s->f.at = 0;
	if (s->f.is_file)
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return &s->f.ch;
}

struct gw_channel *gw_channel_open(const char *path, struct gw_error *err)
{
	struct gw_channel *ch;
	int fd;

	if (strcmp(path, "-") == 0)
		return gw_channel_from_fd(STDIN_FILENO, false, "standard input", err);
	/* So that a FIFO without a writer does not hold us up here, where no token reaches. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		gw_fail_errno(err, "opening %s", path);
		return NULL;
	}
	fcntl(fd, F_SETFL, O_RDONLY);
	ch = over(fd, path, err);
	if (!ch)
		close(fd);
	return ch;
}
