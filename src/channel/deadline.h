/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A deadline for what is read from a channel: the limit on silence begins again with every byte,
 * this one does not.
 */
#ifndef GW_CHANNEL_DEADLINE_H
#define GW_CHANNEL_DEADLINE_H

#include <stdint.h>

#include <godwit/channel.h>

/* A time by which something must have been read. */
struct gw_deadline {
	uint64_t at_ms;	  /* gw_clock_ms() from which on it is too late */
	int ms;		  /* the time that it had, for messages */
	const char *what; /* for messages: "its HELLO" */
	/* A least rate: as often as that many bytes came, the time begins again. 0: it does not. */
	uint64_t bytes;
	uint64_t from_pos; /* read_pos of the channel when it began */
};

/*
 * A read that would wait beyond the deadline fails with GW_PEER, however many bytes came until
 * then. For ch and the channels that it wraps, beside the limit on silence. Borrowed; the thread
 * that reads may change it. NULL: none.
 */
void gw_channel_set_deadline(struct gw_channel *ch, struct gw_deadline *deadline);

#endif
