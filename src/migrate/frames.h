/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The frames of docs/protocol.md: sending and receiving them, and a channel whose bytes are sent in
 * DATA frames. The senders and receivers of a migration know the order of frames; this file does
 * not.
 */
#ifndef GW_MIGRATE_FRAMES_H
#define GW_MIGRATE_FRAMES_H

#include <pthread.h>
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
	GW_FRAME_ALIVE = 15, /* always flagged optional; alive.h sends it */
	GW_FRAME_WAIT = 16,  /* always flagged optional */
	/* of a protection only */
	GW_FRAME_CHECKPOINT = 17,
	GW_FRAME_STORED = 18,
	GW_FRAME_NOTED = 19,
	GW_FRAME_STOP = 20,
	GW_FRAME_STOPPED = 21,
};

#define GW_FRAME_HEADER_SIZE 16
#define GW_FRAME_OPTIONAL    UINT32_C(1) /* flag: ignore the frame if its type is unknown */
#define GW_FRAME_DATA_MAX    (UINT64_C(256) << 20) /* of the body of a DATA frame */
#define GW_FRAME_TEXT_MAX    UINT64_C(65536)	   /* of any other but CONFIG */

struct gw_frame {
	uint32_t type, flags;
	uint64_t length; /* of the body */
};

/* Returns the name of a type, such as "SWITCHOVER", or NULL for an unknown type. */
const char *gw_frame_name(uint32_t type);

/* Both directions of one connection. The caller zeroes it and sets ch and peer. */
struct gw_frames {
	struct gw_channel *ch; /* borrowed; gw_channel_set_silence() on it limits every wait */
	const char *peer;      /* "the receiver" or "the sender", for messages */
	bool partial_frame; /* a part of a frame was sent and the rest failed: nothing more can be
			       sent */
	struct gw_alive *alive;	     /* of gw_alive_start(), or NULL */
	pthread_mutex_t *write_lock; /* held while a frame is written; NULL: one thread writes */
	bool peer_aborted;	     /* CANCEL, ERROR or REFUSE came */
	bool lost;		     /* the connection ended or failed; the peer did not say why */
	uint64_t data_left;	     /* unread bytes of the incoming DATA frame */
	/*
	 * Handles a frame other than DATA that came while the data channel was read; the handler
	 * reads its body. Returns 0 to go on with the data, 1 to end the channel's input, or -1.
	 */
	int (*control_frame)(void *opaque, const struct gw_frame *frame, struct gw_error *err);
	/* Bytes of DATA have come. NULL is fine. */
	void (*data_came)(void *opaque, uint64_t bytes);
	void *opaque;
};

/* Sends one frame. Returns 0 or -1. */
int gw_frames_send(struct gw_frames *f, uint32_t type, const void *body, size_t len,
		   struct gw_error *err);

/*
 * Receives the next frame, and its body in body (emptied first). Skips ALIVE and unknown optional
 * frames.
 * Returns 1, 0 if the input ended between two frames, or -1: GW_PEER with the peer's text for
 * ERROR, GW_CANCELLED for CANCEL, GW_PEER for DATA and malformed frames.
 */
int gw_frames_receive(struct gw_frames *f, struct gw_frame *frame, struct gw_buffer *body,
		      struct gw_error *err);
/* Receives a frame that must have this type, and an empty body if body is NULL. Returns 0 or -1;
 * GW_PEER also for the end of input. */
int gw_frames_expect(struct gw_frames *f, uint32_t type, struct gw_buffer *body,
		     struct gw_error *err);

/*
 * Checks the input of a side that only sends. Fails if a frame has come (CANCEL, ERROR or any
 * other but ALIVE) or the input has ended. Waits only for the rest of a frame that has begun.
 */
int gw_frames_check_peer(struct gw_frames *f, struct gw_error *err);
/* Replaces err, with which sending failed, by the peer's ERROR or CANCEL, if one came before. */
void gw_frames_find_cause(struct gw_frames *f, struct gw_error *err);
/* From now on (on) or no longer, the input of f is also checked while a write waits for room. */
void gw_frames_watch_peer(struct gw_frames *f, bool on);

/*
 * Sends the reason before the connection is closed for a failure: CANCEL for GW_CANCELLED, else
 * ERROR with the text of why. Ignores the cancel token and all failures; waits at most 1 s for
 * room, 20 ms for CANCEL. With linger it then reads and discards for at most 3 s until the peer
 * closes: a socket that is closed with unread input would drop the frame.
 */
void gw_frames_abort(struct gw_frames *f, const struct gw_error *why, bool linger);

/*
 * Opens a channel on f: a write sends one DATA frame, a read takes bytes of DATA frames. Borrows f:
 * closing the channel leaves f->ch open. Returns NULL on failure.
 */
struct gw_channel *gw_frames_channel(struct gw_frames *f, struct gw_error *err);

#endif
