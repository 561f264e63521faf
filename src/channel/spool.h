/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A place for bytes that are too many for memory and of no use to anybody else: an unlinked file,
 * written from its start, then read back.
 */
#ifndef GW_CHANNEL_SPOOL_H
#define GW_CHANNEL_SPOOL_H

#include <stdint.h>

#include <godwit/channel.h>

#include "base/buffer.h"

struct gw_spool {
	int fd;
	bool open;
	uint64_t bytes; /* put so far */
	uint64_t limit; /* more are refused; 0: none */
	struct gw_buffer pending;
};

/* A file of our own without a name, in $TMPDIR, /var/tmp or /tmp, else in memory. Its descriptor;
 * -1.
 */
int gw_spool_file(struct gw_error *err);

/* Forgets what it held; opens the file the first time. */
int gw_spool_begin(struct gw_spool *s, struct gw_error *err);
int gw_spool_put(struct gw_spool *s, const void *data, size_t len, struct gw_error *err);
/* Room for at most len bytes that the caller fills, then tells gw_spool_filled. NULL with err. */
void *gw_spool_room(struct gw_spool *s, size_t len, struct gw_error *err);
int gw_spool_filled(struct gw_spool *s, size_t len, struct gw_error *err);
/* A channel that reads what was put; borrows the file. NULL with err. */
struct gw_channel *gw_spool_read(struct gw_spool *s, struct gw_error *err);
void gw_spool_close(struct gw_spool *s);

#endif
