/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Spools: unlinked files for data that does not fit in memory. A spool is written from its start
 * and then read.
 */
#ifndef GW_CHANNEL_SPOOL_H
#define GW_CHANNEL_SPOOL_H

#include <stdint.h>

#include <godwit/channel.h>

#include "base/buffer.h"

struct gw_spool {
	int fd;
	bool open;
	uint64_t bytes; /* written so far */
	uint64_t limit; /* the most bytes that may be written; 0: no limit */
	struct gw_buffer pending;
};

/* Creates an unlinked file in $TMPDIR, /var/tmp or /tmp, or else in memory. Returns its descriptor
 * or -1. */
int gw_spool_file(struct gw_error *err);

/* Empties the spool; the first call opens its file. */
int gw_spool_begin(struct gw_spool *s, struct gw_error *err);
/* Appends len bytes. Fails with GW_INVALID beyond the limit. */
int gw_spool_put(struct gw_spool *s, const void *data, size_t len, struct gw_error *err);
/* Returns a buffer for len bytes, or NULL. The caller fills it and calls gw_spool_filled(). */
void *gw_spool_room(struct gw_spool *s, size_t len, struct gw_error *err);
/* Appends the first len bytes of that buffer. Fails as gw_spool_put() does. */
int gw_spool_filled(struct gw_spool *s, size_t len, struct gw_error *err);
/* Opens a channel that reads the spool from its start and borrows the file. Returns NULL on
 * failure.
 */
struct gw_channel *gw_spool_read(struct gw_spool *s, struct gw_error *err);
/* Closes the file and frees the buffer. */
void gw_spool_close(struct gw_spool *s);

#endif
