/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Channels over memory of the test's own. gw_channel_memory() keeps a copy of its own, which grows
 * as it is written: of streams of megabytes, again and again, that was most of a test's time under
 * ASan.
 */
#ifndef GW_TESTS_BYTES_H
#define GW_TESTS_BYTES_H

#include <stddef.h>

#include <godwit/channel.h>

#include "base/buffer.h"

/* Gives these bytes, which stay the caller's until it is closed; cannot be sought in. Fails the
 * test if there is no memory for it. */
struct gw_channel *bytes_source(const char *name, const void *data, size_t len);

/* Appends what is written to a buffer of the caller's; NULL: looks at every byte, and keeps none.
 */
struct gw_channel *bytes_sink(const char *name, struct gw_buffer *to);

#endif
