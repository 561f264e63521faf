/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The input of a reading: bytes from a channel, and the meaning of a read that fails.
 */
#ifndef GW_READ_INPUT_H
#define GW_READ_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <godwit/channel.h>

/* The result of a read. */
enum gw_read_result {
	GW_READ_FAILED = -1, /* err is set: reading cannot continue */
	GW_READ_ENDED = 0,   /* the input ended before the bytes or inside them */
	GW_READ_OK = 1,
};

/*
 * A read fails in one of four ways. The input ended: before the bytes, or inside them. It is
 * damaged: its compression is not valid. It is lost: the connection or the device failed. Anything
 * else (a cancel, no memory) is a failure of the reading itself. The caller says which of the first
 * three count as the end of the input; zeroed, only the end itself does.
 */
struct gw_input {
	struct gw_channel *ch; /* borrowed */
	uint64_t origin;       /* offset of the channel's first byte, for messages */
	/*
	 * A lost input counts as ended; lost then has the cause. Such an input may have a waiting
	 * sender, so it is never read further than needed: damage in its compression at the end is
	 * not looked for.
	 */
	bool lost_is_end;
	/* A damaged input counts as ended; called the first time. NULL: damage is a failure. */
	void (*damaged)(void *owner, const char *text);
	void *owner;
	/* Called with all bytes that are read or skipped, in their order; -1: reading fails. */
	int (*tap)(void *owner, const void *data, size_t len, struct gw_error *err);
	void *tap_owner;

	/* results */
	bool cut_inside;      /* the last read got some of its bytes, but not all */
	bool is_damaged;      /* damaged() was called */
	struct gw_error lost; /* the cause; GW_OK: the input was not lost */
};

/* The offset of the next byte, for messages. */
static inline uint64_t gw_input_offset(const struct gw_input *in)
{
	return in->origin + in->ch->read_pos;
}

/* Fills to with len bytes; len 0 always succeeds. */
enum gw_read_result gw_input_read(struct gw_input *in, void *to, size_t len, struct gw_error *err);
/* The same into several buffers; modifies iov. */
enum gw_read_result gw_input_readv(struct gw_input *in, struct iovec *iov, int n,
				   struct gw_error *err);
enum gw_read_result gw_input_skip(struct gw_input *in, uint64_t len, struct gw_error *err);
/*
 * The meaning of a transfer that the caller made on in->ch itself. before: in->ch->read_pos before
 * it; rc, failure: the result of gw_channel_read() or a similar call.
 */
enum gw_read_result gw_input_took(struct gw_input *in, uint64_t before, int rc,
				  struct gw_error *failure, struct gw_error *err);
/* Copies the next bytes to buf, as many as there are up to len (at most 64); they stay unread.
 * Returns their number, or -1 with err. */
ssize_t gw_input_peek(struct gw_input *in, uint8_t *buf, size_t len, struct gw_error *err);

#endif
