/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What was written to a channel, to be read again.
 */
#ifndef GW_CHANNEL_REREAD_H
#define GW_CHANNEL_REREAD_H

#include <godwit/channel.h>

/*
 * A channel over the bytes that out was given, the first of them at offset 0
 * (gw_channel_pread()), with the token of out; the caller closes it, before out or after. Its
 * size is what there is now, more can be read later. NULL if they cannot be had: out is no regular
 * file, nothing was written to it yet, or we may not read it.
 */
struct gw_channel *gw_channel_reread(const struct gw_channel *out);

#endif
