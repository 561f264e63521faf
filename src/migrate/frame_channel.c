/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The channel on DATA frames. A write adds an iovec with the header in front; a read goes from the
 * connection straight into the caller's memory.
 */
#include "migrate/frames.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "channel/kind.h"
#include "migrate/frames_internal.h"

#define IOV_STEP 1024

struct frame_channel {
	struct gw_channel ch;
	struct gw_frames *f;
};

static struct gw_frames *frames_of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct frame_channel, ch)->f;
}

/* Copies the first limit bytes' worth of iov to to[0..max-1]. Returns the number of entries, and
 * their bytes in *total. */
static int clip(const struct iovec *iov, int n, struct iovec *to, int max, uint64_t limit,
		uint64_t *total)
{
	int used = 0;

	*total = 0;
	for (int i = 0; i < n && used < max && *total < limit; i++) {
		size_t len = GW_MIN((uint64_t)iov[i].iov_len, limit - *total);

		if (len == 0)
			continue;
		to[used++] = (struct iovec){.iov_base = iov[i].iov_base, .iov_len = len};
		*total += len;
	}
	return used;
}

/* Advances f to a DATA frame with unread bytes. Returns 1, 0 at the end of the data, or -1. */
static int next_data(struct gw_frames *f, struct gw_error *err)
{
	while (f->data_left == 0) {
		struct gw_frame frame;
		int rc = gw_frames_read_header(f, &frame, err);

		if (rc == 0)
			return gw_fail(err, GW_PEER,
				       "%s closed the connection in the middle of the stream",
				       f->peer);
		if (rc < 0)
			return -1;
		if (frame.type == GW_FRAME_DATA) {
			f->data_left = frame.length;
			continue;
		}
		rc = f->control_frame(f->opaque, &frame, err);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
	return 1;
}

static ssize_t frame_read(struct gw_channel *ch, const struct iovec *iov, int n,
			  struct gw_error *err)
{
	struct gw_frames *f = frames_of(ch);
	struct gw_error why = GW_ERROR_INIT;
	struct iovec part[64];
	uint64_t total;
	ssize_t got;
	int rc = next_data(f, err), used;

	if (rc <= 0)
		return rc;
	used = clip(iov, n, part, GW_ARRAY_SIZE(part), f->data_left, &total);
	if (f->ch->unread_len > 0)
		got = gw_channel_read_some(f->ch, part[0].iov_base, part[0].iov_len, &why);
	else if ((got = f->ch->ops->read(f->ch, part, used, &why)) > 0)
		f->ch->read_pos += (uint64_t)got;
	if (got < 0) {
		gw_frames_note_lost(f, &why);
		return gw_fail_as(err, &why);
	}
	f->lost |= got == 0;
	if (got == 0)
		return gw_fail(err, GW_PEER,
			       "%s closed the connection in the middle of a DATA frame", f->peer);
	f->data_left -= (uint64_t)got;
	if (got > 0 && f->data_came)
		f->data_came(f->opaque, (uint64_t)got);
	return got;
}

static ssize_t frame_write(struct gw_channel *ch, const struct iovec *iov, int n,
			   struct gw_error *err)
{
	struct gw_frames *f = frames_of(ch);
	struct iovec out[1 + IOV_STEP];
	uint8_t head[GW_FRAME_HEADER_SIZE];
	uint64_t total;
	int used = clip(iov, n, out + 1, IOV_STEP, GW_FRAME_DATA_MAX, &total);

	if (gw_frames_check_peer(f, err) < 0)
		return -1;
	gw_frame_header_encode(head, GW_FRAME_DATA, total);
	out[0] = (struct iovec){.iov_base = head, .iov_len = sizeof(head)};
	if (gw_frames_write(f, out, used + 1, err) < 0)
		return -1;
	return (ssize_t)total;
}

static int frame_drain(struct gw_channel *ch, struct gw_error *err)
{
	return gw_channel_drain(frames_of(ch)->ch, err);
}

/* Sends nothing: the stream inside marks its own end. */
static int frame_finish(struct gw_channel *ch, struct gw_error *err)
{
	return gw_channel_drain(frames_of(ch)->ch, err);
}

static void frame_close(struct gw_channel *ch)
{
}

static const struct gw_channel_ops frame_ops = {
	.read = frame_read,
	.write = frame_write,
	.skip = gw_channel_skip_by_reading,
	.drain = frame_drain,
	.finish = frame_finish,
	.close = frame_close,
};

struct gw_channel *gw_frames_channel(struct gw_frames *f, struct gw_error *err)
{
	struct frame_channel *c = calloc(1, sizeof(*c));

	if (!c) {
		gw_fail(err, GW_NO_MEMORY, "a frame channel: out of memory");
		return NULL;
	}
	if (gw_channel_init(&c->ch, &frame_ops, f->ch->name, err) < 0) {
		free(c);
		return NULL;
	}
	c->ch.below = f->ch;
	c->ch.cancel = f->ch->cancel;
	c->ch.silence_ms = f->ch->silence_ms;
	c->f = f;
	return &c->ch;
}
