/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How much of its input a channel has left: known where a file is below it.
 */
#ifndef GW_CHANNEL_POSITION_H
#define GW_CHANNEL_POSITION_H

#include <stdint.h>

#include <godwit/channel.h>

/*
 * The bytes that ch will have read at the end of its input; 0: unknown. For a file this is its
 * size. For a compressed file it is an estimate: the bytes read so far, scaled by the part of the
 * file that they came from. For the thread that reads ch.
 */
uint64_t gw_channel_expected_size(const struct gw_channel *ch);

#endif
