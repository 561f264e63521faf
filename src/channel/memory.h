/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A channel over memory: writing appends, reading takes from the front, and what was written and
 * not yet read is there to be looked at. For one thread.
 */
#ifndef GW_CHANNEL_MEMORY_H
#define GW_CHANNEL_MEMORY_H

#include <stddef.h>

#include <godwit/channel.h>

/* Empty. NULL with err. */
struct gw_channel *gw_channel_memory(const char *name, struct gw_error *err);

/* What would be read next, and how much of it there is; valid until the next write. ch is a memory
 * channel. */
const void *gw_channel_memory_data(const struct gw_channel *ch, size_t *len);

#endif
