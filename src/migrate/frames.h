/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The frames of docs/protocol.md: sending one, taking the next, and a channel whose bytes travel
 * in DATA frames. The order in which frames may come is not of this file.
 */
#ifndef GW_MIGRATE_FRAMES_H
#define GW_MIGRATE_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/channel.h>

#include "base/buffer.h"

enum gw_frame_type {
	GW_FRAME_HELLO = 1,
	GW_FRAME_CONFIG = 2,
	GW_FRAME_DATA = 3,
	GW_FRAME_STATIC_END = 4,
	GW_FRAME_ACCEPT = 5,
	GW_FRAME_REFUSE = 6,
	GW_FRAME_SWITCHOVER = 7,
	GW_FRAME_READY = 8,
	GW_FRAME_YOURS = 9,
	GW_FRAME_MINE = 10,
	GW_FRAME_RELEASE = 11,
	GW_FRAME_RUNNING = 12,
	GW_FRAME_CANCEL = 13,
	GW_FRAME_ERROR = 14,
};

#define GW_FRAME_HEADER_SIZE 16
#define GW_FRAME_OPTIONAL    UINT32_C(1) /* flag: ignore the frame if its type is unknown */
#define GW_FRAME_DATA_MAX    (UINT64_C(256) << 20) /* of the body of a DATA frame */
#define GW_FRAME_TEXT_MAX    UINT64_C(65536)	   /* of any other but CONFIG */

struct gw_frame {
	uint32_t type, flags;
	uint64_t length; /* of the body */
};

/* "SWITCHOVER"; NULL for an unknown type. */
const char *gw_frame_name(uint32_t type);

/* Both directions of one connection. */
struct gw_frames {
	struct gw_channel *ch; /* borrowed; its silence limits every wait for the peer */
	const char *peer;      /* "the receiver", for messages */
	bool partial_frame;    /* a frame was begun and not finished: nothing more can be sent */
	bool peer_aborted;     /* the peer said CANCEL or ERROR */
	uint64_t data_left;    /* of the incoming DATA frame */
	/*
	 * A frame other than DATA came while the data channel was read (its body not yet): 0 it was
	 * dealt with and the data goes on, 1 the data ends here (the channel reads as ended), -1.
	 */
	int (*control_frame)(void *opaque, const struct gw_frame *frame, struct gw_error *err);
	void *opaque;
};

/* One whole frame. 0 or -1. */
int gw_frames_send(struct gw_frames *f, uint32_t type, const void *body, size_t len,
		   struct gw_error *err);

/*
 * The next frame with its body in body (emptied first); DATA is not allowed here. ERROR and CANCEL
 * of the peer come back as failures (GW_PEER with its text, GW_CANCELLED), unknown optional frames
 * are passed over. 1, 0 if the input ended between two frames, -1.
 */
int gw_frames_receive(struct gw_frames *f, struct gw_frame *frame, struct gw_buffer *body,
		      struct gw_error *err);
/* The same, and it must be of this type; an end of input is GW_PEER. 0 or -1. body NULL: it must be
 * empty. */
int gw_frames_expect(struct gw_frames *f, uint32_t type, struct gw_buffer *body,
		     struct gw_error *err);

/*
 * For a side that only sends at the moment: fails if the peer said CANCEL or ERROR (or anything
 * else) meanwhile, or went away. Never waits.
 */
int gw_frames_check_peer(struct gw_frames *f, struct gw_error *err);
/* Sending failed with err because the peer closed: if it said why before, that becomes err. */
void gw_frames_find_cause(struct gw_frames *f, struct gw_error *err);

/*
 * The last word to the peer before the connection is closed for a failure: CANCEL for GW_CANCELLED,
 * else ERROR with its text. Best effort, never waits long, deaf to the cancel token. With linger
 * what the peer still sends is passed over until it closes, so that the word is not lost with
 * unread input.
 */
void gw_frames_abort(struct gw_frames *f, const struct gw_error *why, bool linger);

/*
 * A channel over f: each write is one DATA frame, reads take DATA frames apart. Borrows f; closing
 * it leaves f->ch open. NULL with err.
 */
struct gw_channel *gw_frames_channel(struct gw_frames *f, struct gw_error *err);

#endif
