/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading an output again.
 */
#ifndef GW_CHANNEL_REREAD_H
#define GW_CHANNEL_REREAD_H

#include <godwit/channel.h>

/*
 * Opens a channel that reads what was written to out, from its first byte on (offset 0 of
 * gw_channel_pread()). It has the token of out; the caller closes it, before or after out. Bytes
 * written later can be read, too; size does not count them. Returns NULL if out is no regular file,
 * nothing was written yet, or the file may not be read.
 */
struct gw_channel *gw_channel_reread(const struct gw_channel *out);

/*
 * A channel that reads the bytes from offset begin to offset end of a channel over a file, whatever
 * that one has read; it has the token of file, which must outlive it. NULL with err.
 */
struct gw_channel *gw_channel_part(const struct gw_channel *file, uint64_t begin, uint64_t end,
				   struct gw_error *err);

#endif
