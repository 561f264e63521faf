/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frames on a channel: headers, bodies, ERROR and CANCEL. frame_channel.c has the channel on DATA
 * frames.
 */
#include "migrate/frames.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/util.h"
#include "base/visible.h"
#include "format/xl/file.h"
#include "migrate/frames_internal.h"

#define ABORT_MS  1000 /* limit on silence while ERROR is sent */
#define CANCEL_MS 20   /* and CANCEL: who cancels waits for its end */
#define LINGER_MS 3000 /* time for the peer to read it and close */

static const char *const names[] = {
	[GW_FRAME_HELLO] = "HELLO",
	[GW_FRAME_CONFIG] = "CONFIG",
	[GW_FRAME_DATA] = "DATA",
	[GW_FRAME_STATIC_END] = "STATIC_END",
	[GW_FRAME_ACCEPT] = "ACCEPT",
	[GW_FRAME_REFUSE] = "REFUSE",
	[GW_FRAME_SWITCHOVER] = "SWITCHOVER",
	[GW_FRAME_READY] = "READY",
	[GW_FRAME_YOURS] = "YOURS",
	[GW_FRAME_MINE] = "MINE",
	[GW_FRAME_RELEASE] = "RELEASE",
	[GW_FRAME_RUNNING] = "RUNNING",
	[GW_FRAME_CANCEL] = "CANCEL",
	[GW_FRAME_ERROR] = "ERROR",
	[GW_FRAME_ALIVE] = "ALIVE",
	[GW_FRAME_WAIT] = "WAIT",
	[GW_FRAME_CHECKPOINT] = "CHECKPOINT",
	[GW_FRAME_STORED] = "STORED",
	[GW_FRAME_NOTED] = "NOTED",
	[GW_FRAME_STOP] = "STOP",
	[GW_FRAME_STOPPED] = "STOPPED",
};

const char *gw_frame_name(uint32_t type)
{
	return type < GW_ARRAY_SIZE(names) ? names[type] : NULL;
}

static uint64_t body_limit(uint32_t type)
{
	if (type == GW_FRAME_DATA)
		return GW_FRAME_DATA_MAX;
	if (type == GW_FRAME_CONFIG)
		return GW_XLFILE_CONFIG_MAX;
	return GW_FRAME_TEXT_MAX;
}

void gw_frame_header_encode(uint8_t raw[GW_FRAME_HEADER_SIZE], uint32_t type, uint64_t length)
{
	gw_put_le32(raw, type);
	gw_put_le32(raw + 4, 0);
	gw_put_le64(raw + 8, length);
}

void gw_frames_note_lost(struct gw_frames *f, const struct gw_error *why)
{
	if (!f->peer_aborted && (why->code == GW_SYSTEM || why->code == GW_PEER))
		f->lost = true;
}

int gw_frames_write_locked(struct gw_frames *f, struct iovec *iov, int n, struct gw_error *err)
{
	uint64_t before = f->ch->write_pos;

	struct gw_error why = GW_ERROR_INIT;

	if (gw_channel_writev(f->ch, iov, n, &why) == 0)
		return 0;
	f->partial_frame |= f->ch->write_pos != before;
	gw_frames_note_lost(f, &why);
	return gw_fail_as(err, &why);
}

int gw_frames_write(struct gw_frames *f, struct iovec *iov, int n, struct gw_error *err)
{
	int rc;

	if (f->write_lock)
		pthread_mutex_lock(f->write_lock);
	rc = gw_frames_write_locked(f, iov, n, err);
	if (f->write_lock)
		pthread_mutex_unlock(f->write_lock);
	return rc;
}

int gw_frames_send(struct gw_frames *f, uint32_t type, const void *body, size_t len,
		   struct gw_error *err)
{
	uint8_t head[GW_FRAME_HEADER_SIZE];
	struct iovec iov[2] = {
		{.iov_base = head, .iov_len = sizeof(head)},
		{.iov_base = (void *)(uintptr_t)body, .iov_len = len},
	};

	gw_frame_header_encode(head, type, len);
	if (gw_frames_write(f, iov, len ? 2 : 1, err) < 0)
		return gw_fail_in(err, "sending %s to %s", gw_frame_name(type), f->peer);
	return 0;
}

/* Reads len bytes. Returns 1, 0 if the input ended before the first byte, or -1. */
static int read_exactly(struct gw_frames *f, void *buf, size_t len, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	size_t done = 0;

	while (done < len) {
		ssize_t n = gw_channel_read_some(f->ch, (char *)buf + done, len - done, &why);

		if (n < 0) {
			gw_frames_note_lost(f, &why);
			return gw_fail_as(err, &why);
		}
		if (n == 0)
			f->lost = true;
		if (n == 0 && done == 0)
			return 0;
		if (n == 0)
			return gw_fail(
				err, GW_PEER,
				"%s closed the connection in the middle of a frame (%zu of %zu bytes)",
				f->peer, done, len);
		done += (size_t)n;
	}
	return 1;
}

static int check_header(const struct gw_frames *f, const struct gw_frame *frame,
			struct gw_error *err)
{
	const char *name = gw_frame_name(frame->type);

	if (!name && !(frame->flags & GW_FRAME_OPTIONAL))
		return gw_fail(err, GW_PEER, "%s sent a frame of the unknown type %u", f->peer,
			       frame->type);
	if (name && (frame->flags & ~GW_FRAME_OPTIONAL) != 0)
		return gw_fail(err, GW_PEER, "%s sent a %s frame with the unknown flags 0x%x",
			       f->peer, name, frame->flags);
	if (frame->length > body_limit(frame->type))
		return gw_fail(err, GW_PEER,
			       "%s sent a %s frame of %llu bytes, at most %llu are allowed",
			       f->peer, name ? name : "unknown", (unsigned long long)frame->length,
			       (unsigned long long)body_limit(frame->type));
	return 0;
}

int gw_frames_read_header(struct gw_frames *f, struct gw_frame *frame, struct gw_error *err)
{
	uint8_t raw[GW_FRAME_HEADER_SIZE];
	int rc = read_exactly(f, raw, sizeof(raw), err);

	if (rc <= 0)
		return rc;
	frame->type = gw_get_le32(raw);
	frame->flags = gw_get_le32(raw + 4);
	frame->length = gw_get_le64(raw + 8);
	return check_header(f, frame, err) < 0 ? -1 : 1;
}

int gw_frames_read_body(struct gw_frames *f, const struct gw_frame *frame, struct gw_buffer *body,
			struct gw_error *err)
{
	uint64_t left = frame->length;

	gw_buffer_reset(body);
	while (left > 0) {
		size_t step = GW_MIN(left, 65536u);
		void *to = gw_buffer_reserve(body, step, err);
		int rc;

		if (!to)
			return -1;
		rc = read_exactly(f, to, step, err);
		if (rc == 0)
			gw_fail(err, GW_PEER, "%s closed the connection in the middle of a frame",
				f->peer);
		if (rc <= 0)
			return -1;
		body->len += step;
		left -= step;
	}
	return 0;
}

void gw_frames_text(const struct gw_buffer *body, char *text, size_t size)
{
	const uint8_t *s = body->data;
	size_t left = body->len, used = 0;
	char shown[GW_VISIBLE_MAX];

	while (left > 0) {
		size_t n = gw_visible_next(s, left, shown);

		if (*s == '\n')
			strcpy(shown, "\n");
		if (used + strlen(shown) >= size)
			break;
		strcpy(text + used, shown);
		used += strlen(shown);
		s += n;
		left -= n;
	}
	text[used] = '\0';
}

int gw_frames_fail_aborted(struct gw_frames *f, const struct gw_frame *frame,
			   const struct gw_buffer *body, struct gw_error *err)
{
	char text[900];

	f->peer_aborted = true;

	if (frame->type == GW_FRAME_CANCEL)
		return gw_fail(err, GW_CANCELLED, "%s cancelled the migration", f->peer);
	gw_frames_text(body, text, sizeof(text));
	return gw_fail(err, GW_PEER, "%s: %s", f->peer, text);
}

int gw_frames_receive(struct gw_frames *f, struct gw_frame *frame, struct gw_buffer *body,
		      struct gw_error *err)
{
	for (;;) {
		int rc = gw_frames_read_header(f, frame, err);

		if (rc <= 0)
			return rc;
		if (frame->type == GW_FRAME_DATA)
			return gw_fail(err, GW_PEER, "%s sent DATA where none is expected",
				       f->peer);
		if (gw_frames_read_body(f, frame, body, err) < 0)
			return -1;
		if (frame->type == GW_FRAME_CANCEL || frame->type == GW_FRAME_ERROR)
			return gw_frames_fail_aborted(f, frame, body, err);
		if (gw_frame_name(frame->type) && frame->type != GW_FRAME_ALIVE)
			return 1;
	}
}

int gw_frames_expect(struct gw_frames *f, uint32_t type, struct gw_buffer *body,
		     struct gw_error *err)
{
	struct gw_buffer none = {0};
	struct gw_buffer *to = body ? body : &none;
	struct gw_frame frame;
	int rc = gw_frames_receive(f, &frame, to, err);

	if (rc == 0)
		rc = gw_fail(err, GW_PEER, "%s closed the connection, expected its %s", f->peer,
			     gw_frame_name(type));
	else if (rc > 0 && frame.type != type)
		rc = gw_fail(err, GW_PEER, "%s sent %s, expected %s", f->peer,
			     gw_frame_name(frame.type), gw_frame_name(type));
	else if (rc > 0 && !body && frame.length > 0)
		rc = gw_fail(err, GW_PEER, "%s sent %s with %llu bytes, expected none", f->peer,
			     gw_frame_name(type), (unsigned long long)frame.length);
	gw_buffer_free(&none);
	return rc < 0 ? -1 : 0;
}

/* A frame that the peer sends while it has nothing to say. */
static int take_unexpected(struct gw_frames *f, const struct gw_frame *frame, struct gw_error *err)
{
	struct gw_buffer body = {0};
	int rc = -1;

	if (gw_frame_name(frame->type) && frame->type != GW_FRAME_ALIVE &&
	    frame->type != GW_FRAME_CANCEL && frame->type != GW_FRAME_ERROR)
		return gw_fail(err, GW_PEER, "%s sent %s where nothing is expected", f->peer,
			       gw_frame_name(frame->type));
	if (gw_frames_read_body(f, frame, &body, err) == 0) {
		if (frame->type == GW_FRAME_CANCEL || frame->type == GW_FRAME_ERROR)
			gw_frames_fail_aborted(f, frame, &body, err);
		else
			rc = 0;
	}
	gw_buffer_free(&body);
	return rc;
}

int gw_frames_check_peer(struct gw_frames *f, struct gw_error *err)
{
	struct gw_frame frame;

	while (gw_channel_has_input(f->ch)) {
		int rc = gw_frames_read_header(f, &frame, err);

		if (rc == 0)
			return gw_fail(err, GW_PEER, "%s closed the connection", f->peer);
		if (rc < 0 || take_unexpected(f, &frame, err) < 0)
			return -1;
	}
	return 0;
}

static int input_came(void *opaque, struct gw_error *err)
{
	return gw_frames_check_peer(opaque, err);
}

void gw_frames_watch_peer(struct gw_frames *f, bool on)
{
	gw_channel_watch_input(f->ch, on ? input_came : NULL, f);
}

/* The cause itself, ALIVE, or a frame without a meaning here. */
static bool may_precede_cause(const struct gw_frame *frame)
{
	return !gw_frame_name(frame->type) || frame->type == GW_FRAME_ALIVE ||
	       frame->type == GW_FRAME_CANCEL || frame->type == GW_FRAME_ERROR;
}

void gw_frames_find_cause(struct gw_frames *f, struct gw_error *err)
{
	uint64_t until = gw_clock_ms() + ABORT_MS;
	struct gw_error cause = GW_ERROR_INIT;
	struct gw_buffer body = {0};
	struct gw_frame frame = {0};
	int silence_ms = f->ch->silence_ms;

	if (!err || f->peer_aborted || (err->code != GW_SYSTEM && err->code != GW_PEER))
		return;
	gw_channel_set_silence(f->ch, ABORT_MS);
	/* A peer that does not know of the failure may send ALIVE for ever. */
	do {
		if (gw_frames_read_header(f, &frame, &cause) <= 0 || !may_precede_cause(&frame) ||
		    gw_frames_read_body(f, &frame, &body, &cause) < 0)
			break;
		if (frame.type == GW_FRAME_CANCEL || frame.type == GW_FRAME_ERROR)
			gw_frames_fail_aborted(f, &frame, &body, &cause);
	} while (!f->peer_aborted && gw_clock_ms() < until);
	if (f->peer_aborted)
		*err = cause;
	gw_channel_set_silence(f->ch, silence_ms);
	gw_buffer_free(&body);
}

/* Reads and discards until the peer closes. */
static void linger(struct gw_frames *f)
{
	uint64_t now = gw_clock_ms(), end = now + LINGER_MS;
	uint8_t scratch[16384];
	ssize_t n = 1;

	for (; n > 0 && now < end; now = gw_clock_ms()) {
		gw_channel_set_silence(f->ch, (int)(end - now));
		n = gw_channel_read_some(f->ch, scratch, sizeof(scratch), NULL);
	}
}

void gw_frames_abort(struct gw_frames *f, const struct gw_error *why, bool wait_for_peer)
{
	const struct gw_cancel *cancel = f->ch->cancel;
	int silence_ms = f->ch->silence_ms;
	bool cancelled = why->code == GW_CANCELLED;

	gw_channel_set_cancel(f->ch, NULL);
	gw_channel_set_silence(f->ch, cancelled ? CANCEL_MS : ABORT_MS);
	if (!f->partial_frame &&
	    gw_frames_send(f, cancelled ? GW_FRAME_CANCEL : GW_FRAME_ERROR, why->text,
			   cancelled ? 0 : strlen(why->text), NULL) == 0 &&
	    gw_channel_drain(f->ch, NULL) == 0 && wait_for_peer) {
		gw_channel_finish(f->ch, NULL);
		linger(f);
	}
	gw_channel_set_cancel(f->ch, cancel);
	gw_channel_set_silence(f->ch, silence_ms);
}
