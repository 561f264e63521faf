/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The one want-and-got loop of the tests, for each kind of reader.
 */
#include "lib/feed.h"

#include <string.h>

static bool take(struct feed *f, void *to, size_t len)
{
	if (len > f->len - f->pos)
		return false;
	if (len)
		memcpy(to, f->data + f->pos, len);
	f->pos += len;
	return true;
}

bool feed_skip(struct feed *f, uint64_t len)
{
	if (len > f->len - f->pos)
		return false;
	f->pos += (size_t)len;
	return true;
}

/* The readers are alike but for their types. */
#define FEED(want, got, more)                                                                      \
	do {                                                                                       \
		void *to;                                                                          \
		size_t len;                                                                        \
                                                                                                   \
		if (want(r, &to, &len, err) < 0)                                                   \
			return FED_FAILED;                                                         \
		if (!take(f, to, len))                                                             \
			return FED_ENDED;                                                          \
		if (got(r, event, err) < 0)                                                        \
			return FED_FAILED;                                                         \
	} while (*event == (more));                                                                \
	return FED_EVENT

enum fed feed_image(struct feed *f, struct gw_image_reader *r, enum gw_image_event *event,
		    struct gw_error *err)
{
	FEED(gw_image_reader_want, gw_image_reader_got, GW_IMAGE_MORE);
}

enum fed feed_stream(struct feed *f, struct gw_stream_reader *r, enum gw_stream_event *event,
		     struct gw_error *err)
{
	FEED(gw_stream_reader_want, gw_stream_reader_got, GW_STREAM_MORE);
}

enum fed feed_legacy(struct feed *f, struct gw_legacy_reader *r, enum gw_legacy_event *event,
		     struct gw_error *err)
{
	FEED(gw_legacy_reader_want, gw_legacy_reader_got, GW_LEGACY_MORE);
}
