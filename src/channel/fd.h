/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The channel over a descriptor, for the kinds that are one with something added (file.c,
 * stored.c, socket.c).
 */
#ifndef GW_CHANNEL_FD_H
#define GW_CHANNEL_FD_H

#include "channel/kind.h"

/*
 * How a transfer is kept from blocking where the token cannot reach it. O_NONBLOCK lies in the open
 * file description, which the process that passed the descriptor shares, so it is never an option
 * there.
 */
enum gw_fd_mode {
	GW_FD_PLAIN,   /* it never blocks for long: files, block devices, /dev/null */
	GW_FD_SOCKET,  /* MSG_DONTWAIT */
	GW_FD_NOWAIT,  /* RWF_NOWAIT: anonymous pipes since Linux 6.4 */
	GW_FD_PRIVATE, /* an open file description of our own, through /proc: FIFOs, terminals,
			  older pipes */
	GW_FD_READY,   /* poll, then so little that it fits */
};

struct gw_fd {
	struct gw_channel ch;
	bool own;	 /* ch.fd is closed with the channel */
	bool wait_first; /* a FIFO whose writer may not have come yet */
	bool is_file;	 /* regular */
	bool is_pipe;	 /* pipe or FIFO */
	bool is_tcp;
	enum gw_fd_mode mode;
	size_t write_limit;  /* for GW_FD_READY: bytes that fit whenever poll says so */
	int private_fd;	     /* for GW_FD_PRIVATE, else -1 */
	int64_t read_offset; /* where in the file the next read begins; -1: where the descriptor
				stands */
	bool widened;	     /* a pipe that was given its largest size, or cannot have it */
};

/* Looks at fd and prepares f (its common part is filled already) for it. 0 or -1; on failure fd is
 * not taken. */
int gw_fd_attach(struct gw_fd *f, int fd, bool own, struct gw_error *err);
/*
 * For a pipe that no longer takes RWF_NOWAIT, because somebody spliced it: the next best way. Only
 * one thread uses a pipe's channel, since a pipe's end has one direction.
 */
void gw_fd_without_nowait(struct gw_fd *f);
/* Goes over to a way that the caller chose: for the tests of each. 0 or -1. */
int gw_fd_force(struct gw_fd *f, enum gw_fd_mode mode, struct gw_error *err);

/* A struct with nothing attached yet. */
int gw_fd_init(struct gw_fd *f, const struct gw_channel_ops *ops, const char *name,
	       struct gw_error *err);

/* The entries of the table, for kinds that put something before or after. */
ssize_t gw_fd_read(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err);
ssize_t gw_fd_write(struct gw_channel *ch, const struct iovec *iov, int n, struct gw_error *err);
int64_t gw_fd_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err);
int gw_fd_finish(struct gw_channel *ch, struct gw_error *err);
void gw_fd_close(struct gw_channel *ch);
struct gw_fd *gw_fd_splice_fd(struct gw_channel *ch);

/* Of a pipe: the largest that an unprivileged process may ask for unless it was told otherwise. */
#define GW_FD_PIPE_SIZE (1 << 20)
/* Gives a pipe through which that many bytes will go its largest size: fewer and longer turns for
 * both of its sides. */
void gw_fd_widen(struct gw_fd *f, uint64_t len);

#endif
