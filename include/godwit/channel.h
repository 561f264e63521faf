/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A channel: a source or destination of a byte stream. It knows nothing of records. Pipes, files,
 * sockets and wrappers of other channels share one table of operations.
 *
 * Return values, unless a comment says otherwise: 0 for success, -1 with the error in err. err may
 * be NULL. Codes: GW_PEER if the other side is gone or silent, GW_SYSTEM if a system call failed,
 * GW_CANCELLED if the token is set, GW_USAGE for a call that the kind does not allow. Sizes are in
 * bytes, times in milliseconds.
 *
 * Threads: one thread may read a channel while another writes it. All other calls need the channel
 * for themselves.
 */
#ifndef GODWIT_CHANNEL_H
#define GODWIT_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <godwit/cancel.h>
#include <godwit/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gw_channel;
struct gw_deadline;
struct gw_fd;

/*
 * The operations of one kind of channel. All entries but the last two are required. A call may move
 * fewer bytes than it was asked for, but at least one unless the input has ended. Every wait
 * observes ch->cancel and ch->silence_ms, and fails with GW_CANCELLED or GW_PEER.
 */
struct gw_channel_ops {
	/* Reads into iov[0..n-1]. Returns the number of bytes, 0 at the end of input, or -1. */
	ssize_t (*read)(struct gw_channel *ch, const struct iovec *iov, int n,
			struct gw_error *err);
	/* Writes from iov[0..n-1]. Returns the number of bytes (> 0), or -1. */
	ssize_t (*write)(struct gw_channel *ch, const struct iovec *iov, int n,
			 struct gw_error *err);
	/* Skips up to len bytes of input. Returns the number, 0 at the end of input, or -1. */
	int64_t (*skip)(struct gw_channel *ch, uint64_t len, struct gw_error *err);
	/* Waits until no unsent byte refers to the caller's memory. */
	int (*drain)(struct gw_channel *ch, struct gw_error *err);
	/* Ends the output: the reader at the other end sees the end of input. */
	int (*finish)(struct gw_channel *ch, struct gw_error *err);
	/* Releases the kind's resources, but not the struct. */
	void (*close)(struct gw_channel *ch);
	/*
	 * Returns the descriptor that the caller may splice instead of reading or writing the
	 * channel, or NULL if the next bytes do not pass through a descriptor unchanged. The entry
	 * is NULL if they never do.
	 */
	struct gw_fd *(*splice_fd)(struct gw_channel *ch);
	/*
	 * Returns true if the kind holds input in a buffer of its own. The entry is NULL if the
	 * kind has no buffer.
	 */
	bool (*has_buffered)(const struct gw_channel *ch);
};

/*
 * The common part of every kind. A kind embeds it as its first member. The thread that reads uses
 * read_pos and unread, the thread that writes uses write_pos and finished.
 */
struct gw_channel {
	const struct gw_channel_ops *ops;
	const struct gw_cancel *cancel; /* borrowed; NULL: none */
	struct gw_channel *below;	/* the channel that this one wraps, or NULL */
	char *name;	    /* for messages, such as "image.xz" or "tcp:127.0.0.1:7000"; owned */
	uint64_t read_pos;  /* bytes read and skipped, minus bytes given back */
	uint64_t write_pos; /* bytes written */
	int silence_ms;	    /* gw_channel_set_silence(); 0: no limit */
	int fd;		    /* the descriptor at the bottom, or -1 */
	bool seekable;	    /* a skip costs no read, and size is known */
	bool finished;	    /* gw_channel_finish() succeeded: writes fail */
	uint64_t size;	    /* if seekable: bytes after start, when the channel was opened */
	uint64_t start;	    /* if seekable: the file offset at which the channel begins */
	/* Releases the struct after close. NULL: the owner of the struct does. */
	void (*free)(struct gw_channel *ch);
	/* Bytes given back by gw_channel_unread(): the next reads return them first. */
	uint8_t unread[64];
	uint8_t unread_len;
	/* gw_channel_watch_input() */
	int (*input_came)(void *opaque, struct gw_error *err);
	void *input_opaque;
	/* The end of all reads together (src/channel/deadline.h); NULL: none. */
	struct gw_deadline *deadline;
};

/*
 * Opens a channel on a descriptor of the caller's: a pipe, file, stream socket or terminal. Another
 * process may share the descriptor's open file description, so the channel never sets O_NONBLOCK;
 * a blocked transfer can be cancelled all the same. The channel reads no byte ahead of the caller.
 * If own is true, the channel closes fd when it is closed itself. Returns NULL on failure; fd then
 * stays open and the caller's.
 *
 * gw_channel_finish() on such a channel shuts a socket down for writing, syncs a file that was
 * written, and closes a pipe if it owns it. The reader of a pipe that another process holds open
 * sees no end.
 */
struct gw_channel *gw_channel_from_fd(int fd, bool own, const char *name, struct gw_error *err);

/*
 * Opens a file for reading; "-" is standard input. The call does not wait for the writer of a FIFO:
 * the first read does. A regular file may be read ahead of the caller, without a change of the
 * descriptor's position. Returns NULL on failure.
 */
struct gw_channel *gw_channel_open(const char *path, struct gw_error *err);
/*
 * Creates a file for writing, with mode 0600; "-" is standard output. The bytes go to a temporary
 * file in the same folder, and gw_channel_finish() gives it the name, so that an existing regular
 * file is replaced atomically or not at all. Any other file at the path (a FIFO, /dev/null, a disk)
 * is written directly; the first write into a FIFO waits for its reader. Returns NULL on failure.
 */
struct gw_channel *gw_channel_create(const char *path, struct gw_error *err);

/*
 * Connects to an address: "tcp:HOST:PORT" (an IPv6 HOST stands in brackets), "unix:PATH" or "fd:N".
 * Waits for the connection, and fails with GW_CANCELLED when cancel is set. The channel keeps
 * cancel as its token. The channel owns the descriptor of fd:N, except the standard three. Returns
 * NULL on failure.
 */
struct gw_channel *gw_channel_connect(const char *address, const struct gw_cancel *cancel,
				      struct gw_error *err);

struct gw_listener;
/*
 * Opens a listening socket on "tcp:HOST:PORT" (an empty HOST is 127.0.0.1) or "unix:PATH". The
 * socket is close-on-exec; TCP has SO_REUSEADDR. A unix socket has mode 0600 and is removed by
 * gw_listener_close(); a leftover socket without an owner is replaced. Returns NULL on failure.
 */
struct gw_listener *gw_listener_open(const char *address, struct gw_error *err);
/* Returns the address with the real port, such as "tcp:127.0.0.1:43211". The listener owns it. */
const char *gw_listener_address(const struct gw_listener *listener);
/* Returns the descriptor of the socket, for poll. The listener owns it. */
int gw_listener_fd(const struct gw_listener *listener);
/* Waits for a connection. Returns its channel, which keeps cancel as its token, or NULL. */
struct gw_channel *gw_listener_accept(struct gw_listener *listener, const struct gw_cancel *cancel,
				      struct gw_error *err);
/* Closes the socket and frees the listener. NULL is allowed. */
void gw_listener_close(struct gw_listener *listener);

/*
 * Wraps ch in a channel that reads the decompressed bytes, if the next bytes are zstd, xz or gzip
 * (by their magic); else returns ch with nothing consumed. Takes ownership of ch in every case; on
 * failure closes it and returns NULL. A wrapper is never seekable and may read ahead of the caller.
 */
struct gw_channel *gw_channel_decompress(struct gw_channel *ch, struct gw_error *err);

/*
 * Reads len bytes into buf. Returns 1 for all of them, 0 if the input ended before the first byte,
 * or -1: GW_TRUNCATED if it ended after it.
 */
int gw_channel_read(struct gw_channel *ch, void *buf, size_t len, struct gw_error *err);
/* The same into n buffers. Changes the entries of iov. */
int gw_channel_readv(struct gw_channel *ch, struct iovec *iov, int n, struct gw_error *err);
/* Reads 1 to len bytes, those that arrive first. Returns the number, 0 at the end of input, or -1.
 */
ssize_t gw_channel_read_some(struct gw_channel *ch, void *buf, size_t len, struct gw_error *err);
/* Gives len bytes back: the next read returns them. At most 64 bytes can be given back in all. */
void gw_channel_unread(struct gw_channel *ch, const void *buf, size_t len);
/* Skips len bytes. Returns as gw_channel_read() does. */
int gw_channel_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err);

/*
 * Copies len bytes from in to out. Returns as gw_channel_read() does. Data is spliced in the kernel
 * when both ends are pipes or files, and otherwise copied through a buffer of bounded size. A
 * spliced file must not change before the reader of the pipe has read the data.
 */
int gw_channel_move(struct gw_channel *in, struct gw_channel *out, uint64_t len,
		    struct gw_error *err);

/* Writes all bytes of n buffers; n may exceed IOV_MAX. Changes the entries of iov. */
int gw_channel_writev(struct gw_channel *ch, struct iovec *iov, int n, struct gw_error *err);
/* Writes len bytes. */
int gw_channel_write(struct gw_channel *ch, const void *buf, size_t len, struct gw_error *err);

/* Waits until no unsent byte refers to the caller's memory: only then may the memory change. */
int gw_channel_drain(struct gw_channel *ch, struct gw_error *err);
/* Drains and ends the output. Later writes fail; a second call does nothing. */
int gw_channel_finish(struct gw_channel *ch, struct gw_error *err);
/* Closes and frees the channel. A created file that was not finished is removed. NULL is allowed.
 */
void gw_channel_close(struct gw_channel *ch);

/*
 * Returns true if a byte or the end of input has arrived and was not read yet. It may be in the
 * descriptor, or in a buffer of the channel or of one that it wraps, where poll does not report it.
 * Never waits. The next read may still wait if a decompressor needs more input for its first byte.
 */
bool gw_channel_has_input(const struct gw_channel *ch);

/* Sets the cancel token of ch and of the channels that it wraps. The caller keeps cancel valid
 * while the channel uses it. NULL: no token. */
void gw_channel_set_cancel(struct gw_channel *ch, const struct gw_cancel *cancel);
/*
 * Limits the silence of the other side, for ch and the channels that it wraps. A transfer fails
 * with GW_PEER after ms milliseconds in which no byte arrived (reading) or none could be sent
 * (writing). Each byte that moves starts the time again, and a byte in a buffer has arrived.
 * 0: no limit. Regular files and memory never wait.
 *
 * A channel that converts (gw_convert_channel()) keeps the limit that its input had before.
 */
void gw_channel_set_silence(struct gw_channel *ch, int ms);
/*
 * While a write to ch waits for room, input_came is called when input has arrived, in the writing
 * thread. It reads that input, and returns 0 to let the write go on, or -1 with err: the write then
 * fails with this error. For ch and the channels that it wraps. NULL: no longer.
 */
void gw_channel_watch_input(struct gw_channel *ch,
			    int (*input_came)(void *opaque, struct gw_error *err), void *opaque);

#ifdef __cplusplus
}
#endif
#endif
