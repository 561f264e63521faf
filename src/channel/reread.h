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

#endif
