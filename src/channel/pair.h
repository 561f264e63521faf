/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One channel of two descriptors: one that is read, one that is written.
 */
#ifndef GW_CHANNEL_PAIR_H
#define GW_CHANNEL_PAIR_H

#include <godwit/channel.h>

/*
 * Joins two channels: the pair reads in and writes out, with the token and the limits of the pair.
 * It has no descriptor of its own, and does not watch its input while it writes. Takes both over in
 * every case; NULL with err on failure.
 */
struct gw_channel *gw_channel_pair(struct gw_channel *in, struct gw_channel *out, const char *name,
				   struct gw_error *err);

#endif
