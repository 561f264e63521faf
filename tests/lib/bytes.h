/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Channels over the test's memory. gw_channel_memory() keeps a growing copy of its own; for streams
 * of megabytes that copy took most of a test's time under ASan.
 */
#ifndef GW_TESTS_BYTES_H
#define GW_TESTS_BYTES_H

#include <stddef.h>

#include <godwit/channel.h>

#include "base/buffer.h"

/* Reads these bytes, which the caller keeps until it is closed; cannot seek. Fails the test if
 * memory runs out. */
struct gw_channel *bytes_source(const char *name, const void *data, size_t len);

/* Appends what is written to a buffer of the caller's; NULL: reads every byte and keeps none. */
struct gw_channel *bytes_sink(const char *name, struct gw_buffer *to);

#endif
