/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What frames.c, frame_channel.c and the protocol share beyond frames.h: parts of a frame.
 */
#ifndef GW_MIGRATE_FRAMES_INTERNAL_H
#define GW_MIGRATE_FRAMES_INTERNAL_H

#include "migrate/frames.h"

void gw_frame_header_encode(uint8_t raw[GW_FRAME_HEADER_SIZE], uint32_t type, uint64_t length);
/* Writes a whole frame; on failure f->partial_frame says whether a part of it is out. 0 or -1. */
int gw_frames_write(struct gw_frames *f, struct iovec *iov, int n, struct gw_error *err);
/* The next header, checked: 1, 0 at the end of input, -1. */
int gw_frames_read_header(struct gw_frames *f, struct gw_frame *frame, struct gw_error *err);
/* The body behind a header. */
int gw_frames_read_body(struct gw_frames *f, const struct gw_frame *frame, struct gw_buffer *body,
			struct gw_error *err);
/* Fails with what an ERROR or CANCEL frame says. */
int gw_frames_fail_aborted(struct gw_frames *f, const struct gw_frame *frame,
			   const struct gw_buffer *body, struct gw_error *err);
/* The peer's text as a string, control characters replaced. */
void gw_frames_text(const struct gw_buffer *body, char *text, size_t size);

#endif
