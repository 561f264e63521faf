/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parts of frames, for frame_channel.c, hello.c and the protocol's two sides.
 */
#ifndef GW_MIGRATE_FRAMES_INTERNAL_H
#define GW_MIGRATE_FRAMES_INTERNAL_H

#include "migrate/frames.h"

/* Encodes the header of a frame without flags. */
void gw_frame_header_encode(uint8_t raw[GW_FRAME_HEADER_SIZE], uint32_t type, uint64_t length);
/* Writes one whole frame. On failure sets f->partial_frame if a part was sent. Returns 0 or -1. */
int gw_frames_write(struct gw_frames *f, struct iovec *iov, int n, struct gw_error *err);
/* The same for a caller that already keeps other writers out (alive.h). */
int gw_frames_write_locked(struct gw_frames *f, struct iovec *iov, int n, struct gw_error *err);
/* A read or write of f->ch failed like this: sets f->lost if the connection is the cause. */
void gw_frames_note_lost(struct gw_frames *f, const struct gw_error *why);
/* Receives and checks the next header. Returns 1, 0 at the end of input, or -1. */
int gw_frames_read_header(struct gw_frames *f, struct gw_frame *frame, struct gw_error *err);
/* Receives the body of a frame into body (emptied first). Returns 0 or -1. */
int gw_frames_read_body(struct gw_frames *f, const struct gw_frame *frame, struct gw_buffer *body,
			struct gw_error *err);
/* Fails with the text of an ERROR frame or with GW_CANCELLED. Returns -1. */
int gw_frames_fail_aborted(struct gw_frames *f, const struct gw_frame *frame,
			   const struct gw_buffer *body, struct gw_error *err);
/* Copies the peer's text to a string, made visible (base/visible.h) but for its newlines. */
void gw_frames_text(const struct gw_buffer *body, char *text, size_t size);

#endif
