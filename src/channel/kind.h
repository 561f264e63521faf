/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the kinds of channel share among themselves and with the common part: construction, waiting,
 * and the wording of failures. Nothing here is for the users of a channel.
 */
#ifndef GW_CHANNEL_KIND_H
#define GW_CHANNEL_KIND_H

#include <godwit/channel.h>

/* The most that one call of a kind's read or write is asked for: between two calls the token is
 * looked at. */
#define GW_CHANNEL_AT_ONCE (1u << 20)

enum gw_direction { GW_READING, GW_WRITING };

/*
 * Fills the common part of a zeroed struct: ops, a copy of name, no descriptor, no token, and
 * free() as what releases the struct. 0, or -1 with err and nothing held.
 */
int gw_channel_init(struct gw_channel *ch, const struct gw_channel_ops *ops, const char *name,
		    struct gw_error *err);

/*
 * Waits until ch->fd can be read or written, within the limit on silence. *since_ms is when the
 * transfer began to wait: the caller sets it to 0 before the transfer and keeps it until a byte has
 * moved. Returns
 *   1: ready. A descriptor in an error state counts as ready: the next system call reports it.
 *   0: the limit has passed. One more attempt is due where it cannot block, because a socket takes
 *      bytes before poll reports room for them. The next wait fails unless the descriptor is ready.
 *  -1: GW_PEER for silence, GW_CANCELLED, or the error of poll.
 */
int gw_channel_wait(const struct gw_channel *ch, enum gw_direction dir, uint64_t *since_ms,
		    struct gw_error *err);
/* The same where an attempt could block: returns 0 once ch->fd is ready, or -1. */
int gw_channel_wait_ready(const struct gw_channel *ch, enum gw_direction dir, struct gw_error *err);

/* Fails with GW_PEER: the other side was silent for ch->silence_ms. Returns -1. */
int gw_channel_fail_silent(const struct gw_channel *ch, enum gw_direction dir,
			   struct gw_error *err);

/* -1 with GW_CANCELLED in err if the token is set, else 0. */
int gw_channel_check(const struct gw_channel *ch, enum gw_direction dir, struct gw_error *err);

/*
 * Records errno as what happened while reading or writing at the present position. A connection
 * that is gone becomes GW_PEER. Returns -1.
 */
int gw_channel_fail_errno(const struct gw_channel *ch, enum gw_direction dir, struct gw_error *err);

/*
 * The input of in ended with left of total bytes still wanted: 0 if that is all of them, else -1
 * with GW_TRUNCATED.
 */
int gw_channel_ended(const struct gw_channel *in, uint64_t total, uint64_t left,
		     struct gw_error *err);

/* A skip entry for kinds that know no better: reads into a scratch buffer and forgets it. */
int64_t gw_channel_skip_by_reading(struct gw_channel *ch, uint64_t len, struct gw_error *err);

/* A drain entry for kinds whose write returns only when the bytes have been copied. */
int gw_channel_drain_nothing(struct gw_channel *ch, struct gw_error *err);

#endif
