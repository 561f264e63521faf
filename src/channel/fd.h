/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The channel on a descriptor. Other kinds extend it (file.c, file_reader.c).
 */
#ifndef GW_CHANNEL_FD_H
#define GW_CHANNEL_FD_H

#include "channel/kind.h"

/*
 * How a channel avoids a system call that blocks, because a token cannot interrupt it. O_NONBLOCK
 * is no solution: it belongs to the open file description, which other processes may share.
 */
enum gw_fd_mode {
	GW_FD_PLAIN,   /* no call blocks for long: files, block devices, /dev/null */
	GW_FD_SOCKET,  /* MSG_DONTWAIT */
	GW_FD_NOWAIT,  /* RWF_NOWAIT: anonymous pipes since Linux 6.4 */
	GW_FD_PRIVATE, /* a private open file description, opened through /proc: FIFOs, terminals,
			  older pipes */
	GW_FD_READY,   /* poll, then at most write_limit bytes */
};

struct gw_fd {
	struct gw_channel ch;
	bool own;	 /* closing the channel closes ch.fd */
	bool wait_first; /* a FIFO that may have no writer yet: the first read polls */
	bool is_file;	 /* regular */
	bool is_pipe;	 /* pipe or FIFO */
	bool is_tcp;
	enum gw_fd_mode mode;
	size_t write_limit;  /* for GW_FD_READY: bytes that never block after poll reports room */
	int private_fd;	     /* for GW_FD_PRIVATE, else -1 */
	int64_t read_offset; /* file offset of the next read; -1: the descriptor's own position */
	bool no_signal;	     /* a pipe that takes GW_FD_NOSIGNAL */
	bool widened;	     /* a pipe whose size gw_fd_widen() has set already */
	bool spent; /* a pipe that was full or empty after the last call: the next one polls
		       first, because it would only fail with EAGAIN */
};

/* Attaches fd to f, whose common part is initialised, and chooses the mode. Returns 0, or -1; fd is
 * then still the caller's. */
int gw_fd_attach(struct gw_fd *f, int fd, bool own, struct gw_error *err);
/*
 * Changes the mode of a pipe that no longer takes RWF_NOWAIT because it was spliced. The end of a
 * pipe has one direction, so only one thread uses its channel.
 */
void gw_fd_without_nowait(struct gw_fd *f);
/* Changes to the given mode, for tests. Returns 0 or -1. */
int gw_fd_force(struct gw_fd *f, enum gw_fd_mode mode, struct gw_error *err);

/* Initialises a zeroed struct without a descriptor. Returns 0 or -1. */
int gw_fd_init(struct gw_fd *f, const struct gw_channel_ops *ops, const char *name,
	       struct gw_error *err);

/* The entries of the table, for kinds that extend them. */
ssize_t gw_fd_read(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err);
ssize_t gw_fd_write(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err);
int64_t gw_fd_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err);
int gw_fd_finish(struct gw_channel *ch, struct gw_error *err);
void gw_fd_close(struct gw_channel *ch);
struct gw_fd *gw_fd_splice_fd(struct gw_channel *ch);

/* RWF_NOSIGNAL of Linux 6.18, which is newer than the headers: a write to a pipe without a reader
 * raises no SIGPIPE. */
#define GW_FD_NOSIGNAL 0x100

/* The largest pipe that an unprivileged process may ask for, by default. */
#define GW_FD_PIPE_SIZE (1 << 20)
/*
 * Enlarges a pipe before a transfer of len bytes, so that both sides make fewer and longer calls:
 * once, from 256 KiB on, and never by more than /proc/sys/fs/pipe-max-size and pipe-user-pages-soft
 * let this process have (pipe(7)). A pipe that cannot be enlarged stays as it is.
 */
void gw_fd_widen(struct gw_fd *f, uint64_t len);

#endif
