/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The channel on a descriptor: reads, writes and skips that can always be cancelled. descriptor.c
 * chooses the mode of each descriptor.
 */
#include "channel/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "channel/sigpipe.h"

#define PIPE_PAGE 4096

static struct gw_fd *of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct gw_fd, ch);
}

/* Copies the first max bytes' worth of buffers to to[0..room-1]. Returns the number of entries. */
static int cut(struct iovec *to, int room, const struct iovec *iov, int n, size_t max)
{
	int used = 0;

	while (used < n && used < room && max) {
		to[used] = iov[used];
		to[used].iov_len = GW_MIN(to[used].iov_len, max);
		max -= to[used++].iov_len;
	}
	return used;
}

static ssize_t attempt_socket(struct gw_fd *f, enum gw_direction dir, const struct iovec *iov,
			      int n)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};

	return dir == GW_READING ? recvmsg(f->ch.fd, &msg, MSG_DONTWAIT)
				 : sendmsg(f->ch.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t attempt_io(struct gw_fd *f, enum gw_direction dir, const struct iovec *iov, int n)
{
	struct iovec some[16];
	int fd = f->ch.fd, flags = 0;

	if (f->mode == GW_FD_NOWAIT)
		flags = RWF_NOWAIT;
	else if (f->mode == GW_FD_PRIVATE)
		fd = f->private_fd;
	else if (f->mode == GW_FD_READY && dir == GW_WRITING) {
		n = cut(some, GW_ARRAY_SIZE(some), iov, n, f->write_limit);
		iov = some;
	}
	if (dir == GW_READING)
		return preadv2(fd, iov, n, f->read_offset, flags);
	if (f->no_signal)
		flags |= GW_FD_NOSIGNAL;
	return flags ? pwritev2(fd, iov, n, -1, flags) : writev(fd, iov, n);
}

/*
 * The kernel copies a page into a pipe's page. A page of memory that does not begin where one of
 * the pipe's begins is copied in two parts at odd addresses, at about half the speed. So bytes in
 * front of whole pages that do not fill pages themselves have a call of their own: the next call
 * then begins a page. Returns the number of entries for the first call.
 */
static int before_pages(const struct iovec *iov, int n)
{
	size_t before = 0;

	for (int i = 0; i < n; i++) {
		bool is_pages =
			(uintptr_t)iov[i].iov_base % PIPE_PAGE == 0 && iov[i].iov_len >= PIPE_PAGE;

		if (before % PIPE_PAGE && is_pages)
			return i;
		before += iov[i].iov_len;
	}
	return n;
}

static ssize_t attempt(struct gw_fd *f, enum gw_direction dir, const struct iovec *iov, int n)
{
	struct gw_sigpipe hold;

	if (f->mode == GW_FD_SOCKET)
		return attempt_socket(f, dir, iov, n);
	if (dir == GW_READING || !f->is_pipe || f->no_signal)
		return attempt_io(f, dir, iov, n);
	gw_sigpipe_hold(&hold);
	ssize_t put = attempt_io(f, dir, iov, n);
	gw_sigpipe_release(&hold, put < 0 && errno == EPIPE);
	return put;
}

/* Handles the errno of a call that moved nothing. Returns 0 if the call is to be repeated, or -1.
 */
static int retry(struct gw_fd *f, enum gw_direction dir, uint64_t *since_ms, struct gw_error *err)
{
	if (errno == EINTR)
		return gw_channel_check(&f->ch, dir, err);
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return gw_channel_wait(&f->ch, dir, since_ms, err) < 0 ? -1 : 0;
	if (errno == EOPNOTSUPP && f->mode == GW_FD_NOWAIT) {
		gw_fd_without_nowait(f);
		return 0;
	}
	return gw_channel_fail_errno(&f->ch, dir, err);
}

static int wait_if_needed(struct gw_fd *f, enum gw_direction dir, struct gw_error *err)
{
	if (f->mode != GW_FD_READY && !f->spent && !(f->wait_first && dir == GW_READING))
		return 0;
	if (gw_channel_wait_ready(&f->ch, dir, err))
		return -1;
	f->spent = false;
	if (dir == GW_READING)
		f->wait_first = false;
	return 0;
}

static size_t length_of(const struct iovec *iov, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

static ssize_t transfer(struct gw_fd *f, enum gw_direction dir, const struct iovec *iov, int n,
			struct gw_error *err)
{
	uint64_t since_ms = 0;
	size_t len = 0;

	if (f->is_pipe) {
		gw_fd_widen(f, length_of(iov, n));
		n = dir == GW_WRITING ? before_pages(iov, n) : n;
		len = length_of(iov, n);
	}
	for (;;) {
		if (wait_if_needed(f, dir, err))
			return -1;

		ssize_t moved = attempt(f, dir, iov, n);

		if (moved >= 0) {
			/* A socket's two directions may belong to two threads. */
			if (f->is_pipe)
				f->spent = moved > 0 && (size_t)moved < len;
			return moved;
		}
		if (retry(f, dir, &since_ms, err))
			return -1;
	}
}

ssize_t gw_fd_read(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err)
{
	return transfer(of(ch), GW_READING, iov, n, err);
}

ssize_t gw_fd_write(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err)
{
	return transfer(of(ch), GW_WRITING, iov, n, err);
}

/* Limits the skip to the present size, because a seek beyond the end would succeed. */
static int64_t skip_in_file(struct gw_fd *f, uint64_t len, struct gw_error *err)
{
	off_t offset = lseek(f->ch.fd, 0, SEEK_CUR);
	struct stat st;

	if (offset < 0 || fstat(f->ch.fd, &st) < 0)
		return gw_channel_fail_errno(&f->ch, GW_READING, err);
	if (st.st_size <= offset)
		return 0;

	off_t step = (off_t)GW_MIN(len, (uint64_t)(st.st_size - offset));

	if (lseek(f->ch.fd, step, SEEK_CUR) < 0)
		return gw_channel_fail_errno(&f->ch, GW_READING, err);
	return step;
}

/*
 * A splice from a pipe to /dev/null would save a copy, but clears FMODE_NOWAIT in the pipe's open
 * file description for good (pipe_clear_nowait() in fs/splice.c).
 */
int64_t gw_fd_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	struct gw_fd *f = of(ch);
	uint64_t since_ms = 0;

	if (ch->seekable)
		return skip_in_file(f, len, err);
	if (!f->is_tcp)
		return gw_channel_skip_by_reading(ch, len, err);
	for (;;) {
		size_t most = GW_MIN(len, (uint64_t)GW_CHANNEL_AT_ONCE);
		/* TCP discards the bytes without a copy: tcp(7). */
		ssize_t gone = recv(ch->fd, NULL, most, MSG_TRUNC | MSG_DONTWAIT);

		if (gone >= 0)
			return gone;
		if (retry(f, GW_READING, &since_ms, err))
			return -1;
	}
}

static void release(struct gw_fd *f)
{
	if (f->private_fd >= 0)
		close(f->private_fd);
	f->private_fd = -1;
	if (f->own && f->ch.fd >= 0)
		close(f->ch.fd);
	f->ch.fd = -1;
}

int gw_fd_finish(struct gw_channel *ch, struct gw_error *err)
{
	struct gw_fd *f = of(ch);

	if (f->mode == GW_FD_SOCKET && shutdown(ch->fd, SHUT_WR) < 0)
		return gw_fail_errno(err, "ending the output to %s", ch->name);
	/* A file that cannot be synced, as on a read-only file system, answers EINVAL or EROFS. */
	if (f->is_file && ch->write_pos && fsync(ch->fd) < 0 && errno != EINVAL && errno != EROFS)
		return gw_fail_errno(err, "making %s durable", ch->name);
	if (f->is_pipe)
		release(f);
	return 0;
}

void gw_fd_close(struct gw_channel *ch)
{
	release(of(ch));
}

struct gw_fd *gw_fd_splice_fd(struct gw_channel *ch)
{
	return ch->fd >= 0 ? of(ch) : NULL;
}

static const struct gw_channel_ops fd_ops = {
	.read = gw_fd_read,
	.write = gw_fd_write,
	.skip = gw_fd_skip,
	.drain = gw_channel_drain_nothing,
	.finish = gw_fd_finish,
	.close = gw_fd_close,
	.splice_fd = gw_fd_splice_fd,
};

int gw_fd_init(struct gw_fd *f, const struct gw_channel_ops *ops, const char *name,
	       struct gw_error *err)
{
	f->private_fd = -1;
	f->read_offset = -1;
	return gw_channel_init(&f->ch, ops, name, err);
}

struct gw_channel *gw_channel_from_fd(int fd, bool own, const char *name, struct gw_error *err)
{
	struct gw_fd *f = calloc(1, sizeof(*f));

	if (!f) {
		gw_fail_errno(err, "a channel for %s", name);
		return NULL;
	}
	if (gw_fd_init(f, &fd_ops, name, err)) {
		free(f);
		return NULL;
	}
	if (gw_fd_attach(f, fd, own, err)) {
		gw_channel_close(&f->ch);
		return NULL;
	}
	return &f->ch;
}
