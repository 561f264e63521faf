/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bytes that go from one channel to another while a copy of them stays in a file.
 */
#ifndef GW_CHANNEL_TEE_H
#define GW_CHANNEL_TEE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/channel.h>

/* Where copies go. Zeroed, then fd. */
struct gw_tee {
	int fd;		     /* a regular file, borrowed */
	struct gw_error why; /* nothing is copied any more, since this failed */

	/* private */
	bool open;
	int pipe[2];	 /* between a pipe and the file */
	uint8_t *buffer; /* where there is no pipe */
};

void gw_tee_close(struct gw_tee *tee);
/*
 * As gw_channel_move(), with a copy to this offset of the file. Out of a pipe the copy is the only
 * one that is made. That it fails is told in tee->why, and is no failure here.
 */
int gw_channel_tee(struct gw_channel *in, struct gw_channel *out, uint64_t len, struct gw_tee *tee,
		   uint64_t offset, struct gw_error *err);

#endif
