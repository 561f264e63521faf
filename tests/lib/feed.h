/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Feeds readers with bytes in memory: each of the readers of src/format gets the bytes it wants,
 * until it has an event.
 */
#ifndef GW_TESTS_FEED_H
#define GW_TESTS_FEED_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "format/legacy/legacy.h"
#include "format/libxc/image.h"
#include "format/libxl/stream.h"

struct feed {
	const uint8_t *data; /* owned by the caller */
	size_t len, pos;     /* pos: the bytes that the reader took or the caller skipped */
};

enum fed {
	FED_EVENT,  /* *event is set, and is not MORE */
	FED_ENDED,  /* the reader wants more bytes than are left, and got none of them */
	FED_FAILED, /* the reader failed, err says why */
};

/* Each goes on to the next event. */
enum fed feed_image(struct feed *f, struct gw_image_reader *r, enum gw_image_event *event,
		    struct gw_error *err);
enum fed feed_stream(struct feed *f, struct gw_stream_reader *r, enum gw_stream_event *event,
		     struct gw_error *err);
enum fed feed_legacy(struct feed *f, struct gw_legacy_reader *r, enum gw_legacy_event *event,
		     struct gw_error *err);

/* Skips bytes that the caller does not want to read. False, and nothing is skipped, if fewer are
 * left. */
bool feed_skip(struct feed *f, uint64_t len);

#endif
