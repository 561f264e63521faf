/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Services for the kinds of channel: construction, waits, and the wording of errors. Code that only
 * uses channels does not need this file.
 */
#ifndef GW_CHANNEL_KIND_H
#define GW_CHANNEL_KIND_H

#include <godwit/channel.h>

/* The most bytes that one call of a kind's read or write is asked for. The token is checked between
 * two calls. */
#define GW_CHANNEL_AT_ONCE (1u << 20)

enum gw_direction { GW_READING, GW_WRITING };

/*
 * Initialises the common part of a zeroed struct: ops, a copy of name, no descriptor, no token, and
 * free() to release the struct. Returns 0, or -1 with err; nothing is then allocated.
 */
int gw_channel_init(struct gw_channel *ch, const struct gw_channel_ops *ops, const char *name,
		    struct gw_error *err);

/*
 * Waits until ch->fd can be read or written, within the limit on silence. *since_ms is the time at
 * which the transfer began to wait. The caller sets it to 0 before a transfer and passes it on
 * until a byte has moved. Returns 1: the descriptor is ready. An error state counts as ready: the
 * next system call reports it. 0: the limit has passed. The caller makes one more attempt, if that
 * cannot block: a socket takes bytes before poll reports room for them. The next wait fails if the
 * descriptor is not ready. -1: GW_PEER for silence, GW_CANCELLED, or the error of poll.
 */
int gw_channel_wait(const struct gw_channel *ch, enum gw_direction dir, uint64_t *since_ms,
		    struct gw_error *err);
/* The same for a descriptor on which an attempt could block. Returns 0 when it is ready, or -1. */
int gw_channel_wait_ready(const struct gw_channel *ch, enum gw_direction dir, struct gw_error *err);

/* Fails with GW_PEER: the other side was silent for ch->silence_ms. Returns -1. */
int gw_channel_fail_silent(const struct gw_channel *ch, enum gw_direction dir,
			   struct gw_error *err);

/* Returns -1 with GW_CANCELLED in err if the token is set, else 0. */
int gw_channel_check(const struct gw_channel *ch, enum gw_direction dir, struct gw_error *err);

/*
 * Fails with errno, the direction and the position in the message: GW_PEER if the connection is
 * gone, else GW_SYSTEM. Returns -1.
 */
int gw_channel_fail_errno(const struct gw_channel *ch, enum gw_direction dir, struct gw_error *err);

/*
 * Returns the result of a read of total bytes when the input ended with left of them missing: 0 if
 * left is total, else -1 with GW_TRUNCATED.
 */
int gw_channel_ended(const struct gw_channel *in, uint64_t total, uint64_t left,
		     struct gw_error *err);

/* The skip entry of kinds that cannot seek: reads into a scratch buffer. */
int64_t gw_channel_skip_by_reading(struct gw_channel *ch, uint64_t len, struct gw_error *err);

/* The drain entry of kinds whose write copies the bytes before it returns. */
int gw_channel_drain_nothing(struct gw_channel *ch, struct gw_error *err);

/*
 * Reads the rest of a channel that decompresses another, so that damage after the last byte that
 * somebody wanted is found: in a checksum, or other data after the end. 0 or -1. Does nothing to
 * any other channel.
 */
int gw_channel_check_compressed(struct gw_channel *ch, struct gw_error *err);

#endif
