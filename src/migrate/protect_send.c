/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sending side of a protection: sends checkpoints, learns which of them the receiver has, and
 * at the end what the receiver can still do.
 */
#include "migrate/protect.h"

#include <inttypes.h>
#include <poll.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "migrate/alive.h"
#include "migrate/aside.h"
#include "migrate/frames_internal.h"
#include "migrate/hello.h"
#include "migrate/offering.h"
#include "migrate/protect_internal.h"
#include "migrate/protocol_internal.h"

#define LOOK_MS	     10 /* how often the owner is asked */
#define STORE_FACTOR 6	/* times the limit on silence: the time to store a checkpoint */
#define WINDOW_MAX   UINT64_C(3600000000000)
/* The two hosts' clocks may differ by a tenth in their speed. */
#define SAFE_NS(window_ns) ((window_ns) + (window_ns) / 10)

struct primary {
	struct gw_offering offering;
	const struct gw_protector *owner;
	struct gw_report *report;
	struct gw_channel *aside;
	struct gw_checkpoint now; /* the checkpoint in progress */
	uint64_t pages, bytes;	  /* of the report before it */
	uint64_t stored_begun_ns; /* begun_ns of the last checkpoint that the receiver has */
	uint64_t heard_ms;	  /* when the receiver was last heard */
	bool noted;		  /* the receiver may know that a checkpoint counts */
	uint64_t stored_ns;	  /* gw_protect_clock_ns() when the last STORED came */
	uint64_t window_ns;	  /* of that STORED */
	struct gw_protection_result *result;
};

uint64_t gw_protect_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static struct gw_frames *frames_of(struct primary *p)
{
	return &p->offering.frames;
}

static int static_data_written(void *opaque, struct gw_error *err)
{
	struct primary *p = opaque;

	return gw_offering_end(&p->offering, err);
}

static int paused(void *opaque, struct gw_error *err)
{
	return gw_frames_check_peer(frames_of(opaque), err);
}

/* The guest is suspended next. Until it runs again what is written is copied. */
static void begin_checkpoint(struct primary *p)
{
	p->now = (struct gw_checkpoint){.number = p->now.number + 1, .begun_ns = gw_clock_ns()};
	p->pages = p->report->pages;
	p->bytes = p->report->bytes;
	gw_aside_keep(p->aside);
}

static int switchover(void *opaque, struct gw_error *err)
{
	struct primary *p = opaque;

	if (gw_frames_send(frames_of(p), GW_FRAME_SWITCHOVER, NULL, 0, err) < 0)
		return -1;
	begin_checkpoint(p);
	return 0;
}

static int send_number(struct primary *p, uint32_t type, struct gw_error *err)
{
	uint8_t body[GW_NUMBER_SIZE];

	gw_put_le64(body, p->now.number);
	return gw_frames_send(frames_of(p), type, body, sizeof(body), err);
}

static int fail_silent(struct primary *p, struct gw_error *err)
{
	frames_of(p)->lost = true;
	return gw_fail(err, GW_PEER, "%s has been silent for %d s", frames_of(p)->peer,
		       p->offering.silence_ms / 1000);
}

/* Waits a moment for input: 1 if some has come, 0, or -1 after too long a silence or a cancel. */
static int look(struct primary *p, int ms, struct gw_error *err)
{
	struct gw_channel *ch = frames_of(p)->ch;
	uint64_t silent;

	if (!gw_channel_has_input(ch) && gw_cancel_wait(ch->cancel, ch->fd, POLLIN, ms, err) < 0)
		return -1;
	if (gw_channel_has_input(ch)) {
		p->heard_ms = gw_clock_ms();
		return 1;
	}
	silent = gw_clock_ms() - p->heard_ms;
	return silent > (uint64_t)p->offering.silence_ms ? fail_silent(p, err) : 0;
}

/* Reads a frame that has begun to come. 1, 0 for one without a meaning, or -1. */
static int read_frame(struct primary *p, struct gw_frame *frame, struct gw_buffer *body,
		      struct gw_error *err)
{
	struct gw_frames *f = frames_of(p);
	int rc = gw_frames_read_header(f, frame, err);

	if (rc == 0)
		return gw_fail(err, GW_PEER, "%s closed the connection", f->peer);
	if (rc < 0)
		return -1;
	if (frame->type == GW_FRAME_DATA)
		return gw_fail(err, GW_PEER, "%s sent DATA where none is expected", f->peer);
	if (gw_frames_read_body(f, frame, body, err) < 0)
		return -1;
	if (frame->type == GW_FRAME_CANCEL || frame->type == GW_FRAME_ERROR)
		return gw_frames_fail_aborted(f, frame, body, err);
	return gw_frame_name(frame->type) && frame->type != GW_FRAME_ALIVE;
}

static int take_stored(struct primary *p, const struct gw_frame *frame,
		       const struct gw_buffer *body, struct gw_error *err)
{
	const char *peer = frames_of(p)->peer;

	if (frame->type != GW_FRAME_STORED)
		return gw_fail(err, GW_PEER, "%s sent %s, expected STORED", peer,
			       gw_frame_name(frame->type));
	if (body->len < GW_STORED_SIZE)
		return gw_fail(err, GW_PEER, "%s sent STORED with %zu bytes, expected %d", peer,
			       body->len, GW_STORED_SIZE);
	if (gw_get_le64(body->data) != p->now.number)
		return gw_fail(err, GW_PEER, "%s sent STORED %" PRIu64 ", expected %" PRIu64, peer,
			       gw_get_le64(body->data), p->now.number);
	if (gw_get_le64(body->data + 16) > WINDOW_MAX)
		return gw_fail(err, GW_PEER,
			       "%s wants a takeover window of %" PRIu64 " s, at most %" PRIu64
			       " are allowed",
			       peer, gw_get_le64(body->data + 16) / 1000000000,
			       WINDOW_MAX / 1000000000);
	p->stored_ns = gw_protect_clock_ns();
	p->window_ns = gw_get_le64(body->data + 16);
	p->now.apply_ns = gw_get_le64(body->data + 8);
	p->stored_begun_ns = p->now.begun_ns;
	p->result->checkpoints = p->now.number;
	return 0;
}

static int ask_behind(struct primary *p, struct gw_error *err)
{
	if (!p->owner->behind || p->result->checkpoints == 0)
		return 0;
	return p->owner->behind(p->owner->opaque, gw_clock_ns() - p->stored_begun_ns, err);
}

static int wait_for_stored(struct primary *p, struct gw_error *err)
{
	uint64_t limit = gw_clock_ms() + STORE_FACTOR * (uint64_t)p->offering.silence_ms;
	struct gw_buffer body = {0};
	struct gw_frame frame = {0};
	int rc;

	p->heard_ms = gw_clock_ms();
	do {
		rc = look(p, LOOK_MS, err);
		if (rc > 0)
			rc = read_frame(p, &frame, &body, err);
		if (rc == 0 && gw_clock_ms() > limit)
			rc = gw_fail(err, GW_PEER,
				     "%s has not stored checkpoint %" PRIu64 " within %d s",
				     frames_of(p)->peer, p->now.number,
				     STORE_FACTOR * p->offering.silence_ms / 1000);
		if (rc == 0)
			rc = ask_behind(p, err);
	} while (rc == 0);
	if (rc > 0)
		rc = take_stored(p, &frame, &body, err);
	gw_buffer_free(&body);
	return rc;
}

/* The next checkpoint begins an interval after this one has begun. */
static int wait_for_interval(struct primary *p, struct gw_error *err)
{
	uint64_t due_ms = p->now.begun_ns / 1000000 + p->owner->interval_ms, now;

	while (!p->owner->over(p->owner->opaque) && (now = gw_clock_ms()) < due_ms) {
		int rc = look(p, (int)GW_MIN(due_ms - now, (uint64_t)LOOK_MS), err);

		if (rc < 0 || (rc > 0 && gw_frames_check_peer(frames_of(p), err) < 0))
			return -1;
	}
	return 0;
}

/* The stages that the engine has measured, while the guest was stopped. */
static void note_stages(struct primary *p)
{
	const struct gw_report *r = p->report;

	p->now.pages = r->pages - p->pages;
	p->now.bytes = r->bytes - p->bytes;
	p->now.suspend_ns = r->pause_ns;
	p->now.memory_ns = r->final_round_ns;
	p->now.state_ns = r->device_state_ns + r->transfer_ns;
	p->now.resume_ns = r->resume_ns;
}

static int deliver(struct primary *p, struct gw_error *err)
{
	uint64_t start = gw_clock_ns(), sent;

	if (gw_aside_send(p->aside, &p->now.aside, err) < 0 ||
	    send_number(p, GW_FRAME_CHECKPOINT, err) < 0)
		return -1;
	sent = gw_clock_ns();
	p->now.send_ns = sent - start;
	if (wait_for_stored(p, err) < 0)
		return -1;
	p->now.store_ns = gw_clock_ns() - sent;
	return 0;
}

/* The guest runs again, and the checkpoint is written or kept. */
static int checkpoint(void *opaque, bool last, struct gw_error *err)
{
	struct primary *p = opaque;

	note_stages(p);
	if (deliver(p, err) < 0)
		return -1;
	p->noted = true;
	if (send_number(p, GW_FRAME_NOTED, err) < 0)
		return -1;
	if (p->owner->stored(p->owner->opaque, &p->now, err) < 0) {
		p->result->stopped_by_owner = true;
		return -1;
	}
	if (wait_for_interval(p, err) < 0)
		return -1;
	begin_checkpoint(p);
	return 0;
}

static int send_stream(struct primary *p, const struct gw_save_args *save, struct gw_error *err)
{
	const struct gw_save_layer layer = {
		.opaque = p,
		.outer = save->layer,
		.static_data_written = static_data_written,
		.switchover = switchover,
		.paused = paused,
		.checkpoint = checkpoint,
	};
	struct gw_channel *data = gw_frames_channel(frames_of(p), err);
	struct gw_save_args args = *save;
	int rc = -1;

	p->aside = data ? gw_aside_open(data, p->owner->copy_limit, err) : NULL;
	if (p->aside) {
		args.layer = &layer;
		args.op = p->offering.op;
		args.cancel = frames_of(p)->ch->cancel;
		args.out = p->aside;
		args.live = true;
		args.stream_type = GW_STREAM_REMUS;
		gw_frames_watch_peer(frames_of(p), true);
		rc = gw_save_stream(&args, p->report, err);
		gw_frames_watch_peer(frames_of(p), false);
		gw_channel_close(p->aside);
	}
	gw_channel_close(data);
	return rc;
}

/* Asks the receiver to destroy its copy. 0 when it has. */
static int stop(struct primary *p, struct gw_error *err)
{
	struct gw_frames *f = frames_of(p);
	struct gw_buffer body = {0};
	struct gw_frame frame = {0};
	int rc = -1;

	/* What cancelled the checkpoints does not cancel this. */
	gw_channel_set_cancel(f->ch, NULL);
	p->heard_ms = gw_clock_ms();
	if (f->lost || f->partial_frame || gw_frames_send(f, GW_FRAME_STOP, NULL, 0, err) < 0)
		return -1;
	do {
		while ((rc = look(p, LOOK_MS, err)) == 0)
			;
		if (rc > 0)
			rc = read_frame(p, &frame, &body, err);
		/* It may have sent STORED before STOP came. */
	} while (rc == 0 || (rc > 0 && frame.type == GW_FRAME_STORED));
	if (rc > 0 && frame.type != GW_FRAME_STOPPED)
		rc = gw_fail(err, GW_PEER, "%s sent %s, expected STOPPED", f->peer,
			     gw_frame_name(frame.type));
	gw_buffer_free(&body);
	return rc > 0 ? 0 : -1;
}

/* What the receiver can still do. 0 if the protection has ended well. */
static int conclude(struct primary *p, int rc, struct gw_error *err)
{
	struct gw_protection_result *result = p->result;
	struct gw_error why = GW_ERROR_INIT;

	result->end = GW_PROTECTION_OVER;
	if (frames_of(p)->peer_aborted)
		return -1;
	if (stop(p, &why) == 0 || frames_of(p)->peer_aborted)
		return rc;
	if (rc == 0)
		gw_fail_as(err, &why);
	if (p->noted) {
		result->end = GW_PROTECTION_LOST;
		result->safe_ns = p->stored_ns + SAFE_NS(p->window_ns);
	}
	return -1;
}

static int protect(struct primary *p, const struct gw_migration_offer *offer,
		   const struct gw_save_args *save, struct gw_error *err)
{
	struct gw_frames *f = frames_of(p);
	int rc;

	if (gw_offering_begin(&p->offering, offer, GW_FEATURE_CHECKPOINTS,
			      "is a godwit that cannot protect a domain",
			      GW_CONFIG_LIVE | GW_CONFIG_CHECKPOINTS, err) < 0)
		rc = -1;
	else
		rc = send_stream(p, save, err);
	if (rc == 0 || p->now.number > 0)
		return conclude(p, rc, err);
	/* No checkpoint has begun: it ends as a migration does. */
	gw_frames_find_cause(f, err);
	if (!f->peer_aborted)
		gw_frames_abort(f, err, false);
	return -1;
}

int gw_protect_send(struct gw_channel *ch, const struct gw_migration_offer *offer,
		    const struct gw_save_args *save, const struct gw_protector *protector,
		    struct gw_operation *op, struct gw_report *report,
		    struct gw_protection_result *result, struct gw_error *err)
{
	int silence_ms = offer->silence_ms ? offer->silence_ms : GW_PROTECT_SILENCE_MS;
	struct primary p = {
		.offering =
			{
				.frames = {.ch = ch, .peer = "the receiver"},
				.op = op,
				.silence_ms = silence_ms,
				.alive_ms = GW_PROTECT_ALIVE_MS(silence_ms),
			},
		.owner = protector,
		.report = report,
		.heard_ms = gw_clock_ms(),
		.result = result,
	};
	const struct gw_cancel *cancel_before = ch->cancel;
	int silence_before = ch->silence_ms;
	struct gw_error own = GW_ERROR_INIT;
	int rc;

	*result = (struct gw_protection_result){.end = GW_PROTECTION_OVER};
	gw_channel_set_cancel(ch, op ? gw_operation_cancel_token(op) : save->cancel);
	gw_channel_set_silence(ch, silence_ms);
	rc = protect(&p, offer, save, err ? err : &own);
	gw_alive_stop(p.offering.frames.alive);
	gw_channel_set_cancel(ch, cancel_before);
	gw_channel_set_silence(ch, silence_before);
	return rc;
}
