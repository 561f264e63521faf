/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Copies: data that moves from one channel to another and is also written to a file.
 */
#ifndef GW_CHANNEL_TEE_H
#define GW_CHANNEL_TEE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/channel.h>

/* A destination of copies. The caller zeroes it and sets fd. */
struct gw_tee {
	int fd;		     /* a regular file, borrowed */
	struct gw_error why; /* a failed copy: nothing more is copied */

	/* private */
	bool open;
	int pipe[2];	 /* the private pipe */
	uint8_t *buffer; /* NULL unless a buffer is used */
};

/* Closes the private pipe and frees the buffer. */
void gw_tee_close(struct gw_tee *tee);
/*
 * Moves len bytes as gw_channel_move() does, and copies them to the file at offset. A copy that
 * fails is reported in tee->why and does not fail the call.
 */
int gw_channel_tee(struct gw_channel *in, struct gw_channel *out, uint64_t len, struct gw_tee *tee,
		   uint64_t offset, struct gw_error *err);

#endif
