/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files opened by path for reading. A regular file is read ahead where that saves system calls; any
 * other file is read as a descriptor (fd.c).
 */
#include "channel/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/safe_path.h"
#include "base/util.h"

/* Twice the bytes between the contents of 1024 pages and those of the next 1024. */
#define WINDOW ((size_t)16 << 10)

/*
 * A caller that skips page contents reads about the same number of bytes between each two skips. So
 * the first read after a skip reads as many bytes ahead as were read before it. No other process
 * notices: the descriptor is private, and its own position does not change.
 */
struct file_reader {
	struct gw_fd f;	   /* f.read_offset is the offset of the window's end */
	size_t since_skip; /* bytes read since the last skip */
	size_t ahead;	   /* bytes that the next read brings at least */
	size_t begin, end; /* the unread part of window */
	uint8_t window[WINDOW];
};

static struct file_reader *of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct file_reader, f.ch);
}

static bool is_shorter(const struct iovec *iov, int n, size_t than)
{
	size_t total = 0;

	for (int i = 0; i < n && total < than; i++)
		total += iov[i].iov_len;
	return total < than;
}

/* Reads r->ahead bytes into the window. Returns the number read, 0 at the end of the file, or -1.
 */
static ssize_t fill_window(struct file_reader *r, struct gw_error *err)
{
	const struct iovec iov = {.iov_base = r->window, .iov_len = r->ahead};
	ssize_t got = gw_fd_read(&r->f.ch, &iov, 1, err);

	r->ahead = 0;
	r->begin = 0;
	r->end = got > 0 ? (size_t)got : 0;
	r->f.read_offset += (int64_t)r->end;
	return got;
}

static size_t take_from_window(struct file_reader *r, const struct iovec *iov)
{
	size_t n = GW_MIN(iov->iov_len, r->end - r->begin);

	memcpy(iov->iov_base, r->window + r->begin, n);
	r->begin += n;
	return n;
}

static ssize_t file_reader_read(struct gw_channel *ch, const struct iovec *iov, int n,
				struct gw_error *err)
{
	struct file_reader *r = of(ch);
	ssize_t got = 1;

	if (!ch->seekable)
		return gw_fd_read(ch, iov, n, err);
	if (r->begin == r->end && is_shorter(iov, n, r->ahead))
		got = fill_window(r, err);
	if (r->begin < r->end) {
		got = (ssize_t)take_from_window(r, iov);
	} else if (got > 0) {
		got = gw_fd_read(ch, iov, n, err);
		r->f.read_offset += GW_MAX(got, (ssize_t)0);
	}
	r->since_skip += (size_t)GW_MAX(got, (ssize_t)0);
	return got;
}

/* Limits the skip to the present size, because any offset would be accepted. */
static int64_t file_reader_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	struct file_reader *r = of(ch);
	struct stat st;
	uint64_t step;

	if (!ch->seekable)
		return gw_fd_skip(ch, len, err);
	if (r->begin < r->end) {
		step = GW_MIN(len, (uint64_t)(r->end - r->begin));
		r->begin += (size_t)step;
		return (int64_t)step;
	}
	if (fstat(ch->fd, &st) < 0)
		return gw_channel_fail_errno(ch, GW_READING, err);
	if (st.st_size <= r->f.read_offset)
		return 0;
	step = GW_MIN(len, (uint64_t)(st.st_size - r->f.read_offset));
	r->f.read_offset += (int64_t)step;
	r->ahead = GW_MIN(r->since_skip, WINDOW);
	r->since_skip = 0;
	return (int64_t)step;
}

/* Bytes that the caller splices count as skipped. */
static struct gw_fd *file_reader_splice_fd(struct gw_channel *ch)
{
	struct file_reader *r = of(ch);

	if (r->begin < r->end)
		return NULL;
	if (r->since_skip)
		r->ahead = GW_MIN(r->since_skip, WINDOW);
	r->since_skip = 0;
	return gw_fd_splice_fd(ch);
}

static bool file_reader_has_buffered(const struct gw_channel *ch)
{
	const struct file_reader *r = gw_container_of(ch, struct file_reader, f.ch);

	return r->begin < r->end;
}

static const struct gw_channel_ops file_reader_ops = {
	.read = file_reader_read,
	.write = gw_fd_write,
	.skip = file_reader_skip,
	.drain = gw_channel_drain_nothing,
	.finish = gw_fd_finish,
	.close = gw_fd_close,
	.splice_fd = file_reader_splice_fd,
	.has_buffered = file_reader_has_buffered,
};

static struct gw_channel *over(int fd, const char *path, struct gw_error *err)
{
	struct file_reader *r = calloc(1, sizeof(*r));

	if (!r) {
		gw_fail_errno(err, "a channel for %s", path);
		return NULL;
	}
	if (gw_fd_init(&r->f, &file_reader_ops, path, err)) {
		free(r);
		return NULL;
	}
	if (gw_fd_attach(&r->f, fd, true, err)) {
		gw_channel_close(&r->f.ch);
		return NULL;
	}
	r->f.wait_first = r->f.is_pipe;
	if (r->f.ch.seekable)
		r->f.read_offset = 0;
	if (r->f.is_file)
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return &r->f.ch;
}

struct gw_channel *gw_channel_open(const char *path, struct gw_error *err)
{
	struct gw_channel *ch;
	int fd;

	if (strcmp(path, "-") == 0)
		return gw_channel_from_fd(STDIN_FILENO, false, "standard input", err);
	/* O_NONBLOCK: the open of a FIFO without a writer would block, and a token cannot interrupt
	 * it. */
	fd = gw_safe_open(path, O_RDONLY | O_NONBLOCK, 0, GW_SAFE_DATA, err);
	if (fd < 0)
		return NULL;
	fcntl(fd, F_SETFL, O_RDONLY);
	ch = over(fd, path, err);
	if (!ch)
		close(fd);
	return ch;
}
