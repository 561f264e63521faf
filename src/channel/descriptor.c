/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Descriptors: what kind of file each is, and the mode in which its calls do not block.
 */
#include "channel/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "base/util.h"

#define WIDEN_FROM ((uint64_t)256 << 10) /* shorter transfers gain nothing */

static bool is_anonymous(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
}

/*
 * All anonymous pipes behave alike, so a new one is tried. FIFOs refuse RWF_NOWAIT in every kernel
 * so far: fs/pipe.c sets FMODE_NOWAIT only in create_pipe_files(). Every pipe takes the flag
 * against SIGPIPE, or none does.
 */
static void probe_pipe(struct gw_fd *f, bool *takes_nowait)
{
	struct iovec iov = {.iov_base = (char[1]){0}, .iov_len = 1};
	int probe[2];

	*takes_nowait = false;
	if (pipe2(probe, O_CLOEXEC) < 0)
		return;
	f->no_signal = pwritev2(probe[1], &iov, 1, -1, GW_FD_NOSIGNAL) == 1;
	*takes_nowait = is_anonymous(f->ch.fd) &&
			pwritev2(probe[1], &iov, 1, -1, RWF_NOWAIT) == 1 &&
			preadv2(probe[0], &iov, 1, -1, RWF_NOWAIT) == 1;
	close(probe[0]);
	close(probe[1]);
}

static int reopen(struct gw_fd *f)
{
	int flags = fcntl(f->ch.fd, F_GETFL);
	char path[32];

	if (flags < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->ch.fd);
	f->private_fd = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return f->private_fd < 0 ? -1 : 0;
}

static void choose_private(struct gw_fd *f, size_t write_limit)
{
	f->write_limit = write_limit;
	f->mode = reopen(f) ? GW_FD_READY : GW_FD_PRIVATE;
}

static void choose_for_pipe(struct gw_fd *f)
{
	bool takes_nowait;

	f->is_pipe = true;
	probe_pipe(f, &takes_nowait);
	if (takes_nowait)
		f->mode = GW_FD_NOWAIT;
	else
		choose_private(f, PIPE_BUF);
}

void gw_fd_without_nowait(struct gw_fd *f)
{
	choose_private(f, PIPE_BUF);
}

/*
 * POLLOUT promises room for one page in a pipe, and for one character in a terminal. Only terminals
 * are opened again, and no master of a pseudo-terminal: to open that creates a new terminal, and
 * other devices may count their opens.
 */
static void choose_for_device(struct gw_fd *f, dev_t dev)
{
	int number;

	f->mode = GW_FD_READY;
	f->write_limit = 4096;
	if (major(dev) == 1) /* null, zero, full: Documentation/admin-guide/devices.txt */
		f->mode = GW_FD_PLAIN;
	else if (isatty(f->ch.fd)) {
		f->write_limit = 1;
		if (ioctl(f->ch.fd, TIOCGPTN, &number) < 0)
			choose_private(f, 1);
	}
}

static int choose_for_socket(struct gw_fd *f, struct gw_error *err)
{
	int type = 0, protocol = 0;
	socklen_t len = sizeof(int);

	if (getsockopt(f->ch.fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return gw_fail_errno(err, "%s", f->ch.name);
	if (type != SOCK_STREAM)
		return gw_fail(err, GW_USAGE,
			       "%s is a socket of messages, not of a stream of bytes", f->ch.name);
	f->mode = GW_FD_SOCKET;
	len = sizeof(int);
	f->is_tcp = getsockopt(f->ch.fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
		    protocol == IPPROTO_TCP;
	return 0;
}

static void choose_for_file(struct gw_fd *f, const struct stat *st)
{
	off_t offset = lseek(f->ch.fd, 0, SEEK_CUR);

	f->mode = GW_FD_PLAIN;
	f->is_file = true;
	/* Files of /proc report the size 0 although they have bytes. */
	f->ch.seekable = offset >= 0 && st->st_size > 0;
	if (!f->ch.seekable)
		return;
	f->ch.start = (uint64_t)offset;
	f->ch.size = st->st_size > offset ? (uint64_t)(st->st_size - offset) : 0;
}

static int classify(struct gw_fd *f, struct gw_error *err)
{
	struct stat st;

	if (fstat(f->ch.fd, &st) < 0)
		return gw_fail_errno(err, "%s (descriptor %d)", f->ch.name, f->ch.fd);
	switch (st.st_mode & S_IFMT) {
	case S_IFSOCK:
		return choose_for_socket(f, err);
	case S_IFREG:
		choose_for_file(f, &st);
		return 0;
	case S_IFBLK:
		f->mode = GW_FD_PLAIN;
		return 0;
	case S_IFIFO:
		choose_for_pipe(f);
		return 0;
	case S_IFDIR:
		errno = EISDIR;
		return gw_fail_errno(err, "%s", f->ch.name);
	default:
		choose_for_device(f, st.st_rdev);
		return 0;
	}
}

int gw_fd_attach(struct gw_fd *f, int fd, bool own, struct gw_error *err)
{
	f->ch.fd = fd;
	if (classify(f, err)) {
		f->ch.fd = -1;
		return -1;
	}
	f->own = own;
	return 0;
}

/* The pipe may belong to another process: a larger one does no harm. */
void gw_fd_widen(struct gw_fd *f, uint64_t len)
{
	int size = GW_FD_PIPE_SIZE;

	if (!f->is_pipe || f->widened || len < WIDEN_FROM)
		return;
	f->widened = true;
	/* The limit on the sum of a user's pipes may allow only less. */
	while (size > fcntl(f->ch.fd, F_GETPIPE_SZ) && fcntl(f->ch.fd, F_SETPIPE_SZ, size) < 0)
		size /= 2;
}

int gw_fd_force(struct gw_fd *f, enum gw_fd_mode mode, struct gw_error *err)
{
	if (mode == GW_FD_PRIVATE && f->private_fd < 0 && reopen(f))
		return gw_fail_errno(err, "opening %s a second time", f->ch.name);
	if (mode == GW_FD_READY && !f->write_limit)
		f->write_limit = PIPE_BUF;
	f->mode = mode;
	return 0;
}
