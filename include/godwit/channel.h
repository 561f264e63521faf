/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A channel: where bytes of a stream come from or go to. It knows no record.
 * One table serves pipes, files, sockets and whatever wraps another channel.
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
struct gw_fd;

/*
 * What a kind of channel does. All entries but the last two are required. A call may move fewer
 * bytes than asked, never zero unless that means the end. Every wait inside
 * honours ch->cancel and fails with GW_CANCELLED.
 */
struct gw_channel_ops {
	/* Some bytes into iov[0..n-1]: their number, 0 at the end of input, -1 with err. */
	ssize_t (*read)(struct gw_channel *ch, const struct iovec *iov, int n,
			struct gw_error *err);
	/* Some bytes from iov[0..n-1]: their number (> 0), -1 with err. */
	ssize_t (*write)(struct gw_channel *ch, const struct iovec *iov, int n,
			 struct gw_error *err);
	/* Passes over up to len bytes of input: how many, 0 at the end of input, -1 with err. */
	int64_t (*skip)(struct gw_channel *ch, uint64_t len, struct gw_error *err);
	/* Returns 0 when no byte on its way still refers to the caller's memory. */
	int (*drain)(struct gw_channel *ch, struct gw_error *err);
	/* No more writes will come: the reader at the other end sees the end of input. 0 or -1. */
	int (*finish)(struct gw_channel *ch, struct gw_error *err);
	/* Releases what the kind holds. Not the struct itself. */
	void (*close)(struct gw_channel *ch);
	/*
	 * The descriptor through which the next bytes go just as they are, for who moves them on
	 * without looking at them; NULL if there is none at the moment. NULL here: never.
	 */
	struct gw_fd *(*splice_fd)(struct gw_channel *ch);
	/*
	 * True if the kind itself holds bytes that a read can use without input from the channel
	 * below or the descriptor. NULL: it never does.
	 */
	bool (*has_buffered)(const struct gw_channel *ch);
};

/*
 * The part every kind has; a kind embeds it as its first member. One thread may read while another
 * writes, no more than that: what belongs to reading (read_pos, unread) and to writing is apart.
 */
struct gw_channel {
	const struct gw_channel_ops *ops;
	const struct gw_cancel *cancel; /* borrowed; NULL: cannot be cancelled */
	struct gw_channel *below;	/* the channel that this one wraps, or NULL */
	char *name;			/* for messages: "image.xz", "tcp:127.0.0.1:7000"; owned */
	uint64_t read_pos;  /* bytes delivered or passed over so far, less those given back */
	uint64_t write_pos; /* bytes accepted so far */
	int silence_ms;	    /* gw_channel_set_silence(); 0: no limit */
	int fd;		    /* the descriptor below it all, or -1; for poll and for handing on */
	bool seekable;	    /* skip() costs nothing and size is known */
	bool finished;	    /* gw_channel_finish succeeded: no more writes */
	uint64_t size;	    /* only if seekable: bytes from where the channel began */
	uint64_t start;	    /* only if seekable: where in the file of fd that is */
	/* After close: releases the struct itself; NULL: nothing to do. */
	void (*free)(struct gw_channel *ch);
	/* Bytes given back by gw_channel_unread, delivered before anything else. */
	uint8_t unread[64];
	uint8_t unread_len;
};

/*
 * A channel on a descriptor that was opened elsewhere: pipe, file, stream socket, terminal.
 * O_NONBLOCK is never set on it (it is shared with whoever passed it), yet a blocked transfer can
 * be cancelled. With own the descriptor is closed with the channel. NULL with err: it is then still
 * the caller's. Exactly the bytes that are asked for are taken from it: nothing is read ahead.
 *
 * gw_channel_finish on it: a socket is shut down for writing; a pipe is closed if it is owned (the
 * reader sees no end while somebody else holds it open); what was written to a file is made
 * durable.
 */
struct gw_channel *gw_channel_from_fd(int fd, bool own, const char *name, struct gw_error *err);

/*
 * A file opened for reading ("-": stdin). Not this, but the first read, waits for a FIFO's writer.
 * In a regular file it may read ahead, and leaves the position of the descriptor alone.
 */
struct gw_channel *gw_channel_open(const char *path, struct gw_error *err);
/*
 * A file created for writing with mode 0600 ("-": stdout). An existing regular file is only
 * replaced, atomically, when gw_channel_finish succeeds: until then the bytes are in a temporary
 * file beside it. What exists and is no regular file (a FIFO, /dev/null, a disk) is written
 * directly; the first write into a FIFO waits for its reader.
 */
struct gw_channel *gw_channel_create(const char *path, struct gw_error *err);

/*
 * address: "tcp:HOST:PORT" (HOST may be [v6]; on listen an empty HOST is 127.0.0.1), "unix:PATH",
 * "fd:N". connect waits for the connection and honours cancel, which the channel then keeps. fd:N
 * hands the descriptor over: it is closed with the channel, unless it is one of the standard three.
 */
struct gw_channel *gw_channel_connect(const char *address, const struct gw_cancel *cancel,
				      struct gw_error *err);

struct gw_listener;
/*
 * A listening socket (tcp:, unix:), close-on-exec, SO_REUSEADDR. A unix path is 0600 and removed on
 * close; one that is left over from somebody who is gone is replaced.
 */
struct gw_listener *gw_listener_open(const char *address, struct gw_error *err);
/* The address it really listens on ("tcp:127.0.0.1:43211"), for a port of 0. */
const char *gw_listener_address(const struct gw_listener *listener);
int gw_listener_fd(const struct gw_listener *listener);
struct gw_channel *gw_listener_accept(struct gw_listener *listener, const struct gw_cancel *cancel,
				      struct gw_error *err);
void gw_listener_close(struct gw_listener *listener);

/*
 * If the bytes to come are zstd, xz or gzip (by magic), wraps ch so that reading gives the
 * decompressed bytes; else returns ch itself, with nothing consumed. Takes ch over either way; on
 * failure ch is closed and NULL returned. A wrapped channel is never seekable, and may read ahead
 * below.
 */
struct gw_channel *gw_channel_decompress(struct gw_channel *ch, struct gw_error *err);

/* Fills buf. 1: done; 0: the input ended before the first byte; -1: GW_TRUNCATED if it ended later.
 */
int gw_channel_read(struct gw_channel *ch, void *buf, size_t len, struct gw_error *err);
/* The same into many places; iov is used up (its entries are changed). */
int gw_channel_readv(struct gw_channel *ch, struct iovec *iov, int n, struct gw_error *err);
/* What can be had at once, at most len: number of bytes, 0 at the end, -1. */
ssize_t gw_channel_read_some(struct gw_channel *ch, void *buf, size_t len, struct gw_error *err);
/* Gives up to 64 bytes in all back to the channel, to be read again. */
void gw_channel_unread(struct gw_channel *ch, const void *buf, size_t len);
/* Passes over len bytes. Returns as gw_channel_read does. */
int gw_channel_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err);

/*
 * Moves len bytes of in to out. Returns as gw_channel_read does. Between pipes and files they go
 * through the kernel alone, through a buffer of bounded size otherwise. What is to be moved of a
 * file should not be changed before the reader of a pipe has taken it.
 */
int gw_channel_move(struct gw_channel *in, struct gw_channel *out, uint64_t len,
		    struct gw_error *err);

/* Writes all of it. iov is used up; n may be more than the system takes at once. 0 or -1. */
int gw_channel_writev(struct gw_channel *ch, struct iovec *iov, int n, struct gw_error *err);
int gw_channel_write(struct gw_channel *ch, const void *buf, size_t len, struct gw_error *err);

int gw_channel_drain(struct gw_channel *ch, struct gw_error *err);
int gw_channel_finish(struct gw_channel *ch, struct gw_error *err);
/* NULL is fine. Without finish a created file is discarded. */
void gw_channel_close(struct gw_channel *ch);

/*
 * True if input has arrived that was not read yet, or the input has ended: in a buffer of the
 * channel, of one that it wraps, or in the descriptor. Polling the descriptor alone misses the
 * buffers. Never waits.
 */
bool gw_channel_has_input(const struct gw_channel *ch);

/* Sets the cancel token of the channel and of the channels that it wraps. NULL: none. */
void gw_channel_set_cancel(struct gw_channel *ch, const struct gw_cancel *cancel);
/*
 * Limits the silence of the other side, for this channel and the channels that it wraps. A transfer
 * fails with GW_PEER when it has waited for ms milliseconds in which no byte arrived (reading) or
 * none could be sent (writing). Bytes that wait in a buffer count as arrived, and each byte that
 * moves starts the time again. 0: no limit. Regular files and memory never wait.
 *
 * Both setters are called by the thread that transfers, or while no transfer is under way. The
 * thread of a conversion (gw_convert_channel()) keeps the limit that its input had before.
 */
void gw_channel_set_silence(struct gw_channel *ch, int ms);

#ifdef __cplusplus
}
#endif
#endif
