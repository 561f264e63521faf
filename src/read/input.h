/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The input of a reading: bytes from a channel, and what it means when they do not come.
 */
#ifndef GW_READ_INPUT_H
#define GW_READ_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <godwit/channel.h>

/* How something that was to be read went. */
enum gw_read_result {
	GW_READ_FAILED = -1, /* err is set: reading cannot go on */
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
	uint64_t origin;       /* what messages call the offset of the channel's first byte */
	/*
	 * A lost input counts as ended; lost then says how it was lost. Such an input may have a
	 * sender at the other end, so it is never read beyond what is needed: whether the end was
	 * damage in its compression is not asked.
	 */
	bool lost_is_end;
	/* A damaged input counts as ended; this is called at the first time. NULL: it does not. */
	void (*damaged)(void *owner, const char *text);
	void *owner;

	/* results */
	bool cut_inside; /* the last read took some bytes although it did not get all of them */
	bool is_damaged; /* damaged() was called */
	struct gw_error lost; /* how it was lost; GW_OK: it was not */
};

/* The offset of the next byte, as messages count. */
static inline uint64_t gw_input_offset(const struct gw_input *in)
{
	return in->origin + in->ch->read_pos;
}

/* Fills to with len bytes; with none it is OK. */
enum gw_read_result gw_input_read(struct gw_input *in, void *to, size_t len, struct gw_error *err);
/* The same into many places; iov is used up. */
enum gw_read_result gw_input_readv(struct gw_input *in, struct iovec *iov, int n,
				   struct gw_error *err);
enum gw_read_result gw_input_skip(struct gw_input *in, uint64_t len, struct gw_error *err);
/*
 * What a transfer means that the caller made on in->ch itself. before: in->ch->read_pos before it;
 * rc, failure: what gw_channel_read() and its like returned.
 */
enum gw_read_result gw_input_took(struct gw_input *in, uint64_t before, int rc,
				  struct gw_error *failure, struct gw_error *err);
/* The first bytes to come, as many as there are up to len (at most 64); they stay unread. Their
 * number; -1 with err. */
ssize_t gw_input_peek(struct gw_input *in, uint8_t *buf, size_t len, struct gw_error *err);

#endif
