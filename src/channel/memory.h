/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A channel over memory: a write appends, a read takes from the front. For one thread.
 */
#ifndef GW_CHANNEL_MEMORY_H
#define GW_CHANNEL_MEMORY_H

#include <stddef.h>

#include <godwit/channel.h>

/* Creates an empty channel. Returns NULL on failure. */
struct gw_channel *gw_channel_memory(const char *name, struct gw_error *err);

/* Returns the unread bytes of a memory channel and sets *len. Valid until the next write. */
const void *gw_channel_memory_data(const struct gw_channel *ch, size_t *len);

#endif
