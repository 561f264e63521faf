/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The receiving side of a protection: acknowledges each checkpoint that was applied, and decides
 * what becomes of the copy when the sender ends the protection or is lost.
 */
#include "migrate/protect_receive.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "migrate/alive.h"
#include "migrate/frames_internal.h"
#include "migrate/protect.h"
#include "migrate/protect_internal.h"

struct backup {
	struct gw_receiving *receiving;
	const struct gw_backup *owner;
	void *opaque;
	uint64_t complete_ns; /* gw_clock_ns() when the last checkpoint was complete here */
	uint64_t stored;      /* the last checkpoint for which STORED may have been sent */
	uint64_t stored_ns;   /* gw_protect_clock_ns() just before */
	uint64_t noted;	      /* the last checkpoint for which NOTED came */
	uint64_t noted_ns;    /* stored_ns of that one: the takeover window begins there */
};

static bool is_lost(const struct backup *b)
{
	return b->receiving->frames.lost && !b->receiving->frames.peer_aborted;
}

/* A read or write failed like this: because the sender is lost, or for another reason. */
static int lost_or_failed(const struct backup *b, const struct gw_error *why, struct gw_error *err)
{
	return is_lost(b) ? GW_CHECKPOINT_FAILOVER : gw_fail_as(err, why);
}

/* Receives a frame with a number in front of it, which must be this one. 0, FAILOVER or -1. */
static int expect_number(struct backup *b, uint32_t type, uint64_t number, struct gw_error *err)
{
	struct gw_frames *f = &b->receiving->frames;
	struct gw_buffer body = {0};
	struct gw_error why = GW_ERROR_INIT;
	struct gw_frame frame = {0};
	int rc = gw_frames_receive(f, &frame, &body, &why);

	if (rc > 0 && frame.type == GW_FRAME_STOP) {
		b->receiving->stopped = true;
		rc = GW_CHECKPOINT_FAILOVER;
	} else if (rc > 0 && frame.type != type) {
		rc = gw_fail(err, GW_PEER, "%s sent %s, expected %s", f->peer,
			     gw_frame_name(frame.type), gw_frame_name(type));
	} else if (rc > 0 && body.len < GW_NUMBER_SIZE) {
		rc = gw_fail(err, GW_PEER, "%s sent %s with %zu bytes, expected %d", f->peer,
			     gw_frame_name(type), body.len, GW_NUMBER_SIZE);
	} else if (rc > 0 && gw_get_le64(body.data) != number) {
		rc = gw_fail(err, GW_PEER, "%s sent %s %" PRIu64 ", expected %" PRIu64, f->peer,
			     gw_frame_name(type), gw_get_le64(body.data), number);
	} else if (rc > 0) {
		rc = 0;
	} else {
		rc = lost_or_failed(b, &why, err);
	}
	gw_buffer_free(&body);
	return rc;
}

/* The stream is at the end of a checkpoint: the frame CHECKPOINT says so, too. */
static int complete(void *opaque, uint64_t number, struct gw_error *err)
{
	struct backup *b = opaque;
	struct gw_frames *f = &b->receiving->frames;
	int rc;

	if (f->data_left > 0)
		return gw_fail(err, GW_PEER,
			       "%s sent %" PRIu64 " bytes of data after checkpoint %" PRIu64,
			       f->peer, f->data_left, number);
	rc = expect_number(b, GW_FRAME_CHECKPOINT, number, err);
	/* A protected guest that does nothing sends little: silence and the window limit it. */
	gw_sender_clock_stop(&b->receiving->clock);
	b->complete_ns = gw_clock_ns();
	return rc == 0 ? GW_CHECKPOINT_GO_ON : rc;
}

static int send_stored(struct backup *b, uint64_t number, struct gw_error *err)
{
	uint8_t body[GW_STORED_SIZE];

	gw_put_le64(body, number);
	gw_put_le64(body + 8, gw_clock_ns() - b->complete_ns);
	gw_put_le64(body + 16, b->owner->window_ns);
	b->stored = number;
	b->stored_ns = gw_protect_clock_ns();
	return gw_frames_send(&b->receiving->frames, GW_FRAME_STORED, body, sizeof(body), err);
}

/* The copy has the state of the checkpoint, and could run with it. */
static int applied(void *opaque, uint64_t number, struct gw_error *err)
{
	struct backup *b = opaque;
	const struct gw_receiver *owner = b->receiving->owner;
	struct gw_error why = GW_ERROR_INIT;
	int rc;

	if ((owner->complete && owner->complete(b->opaque, err) < 0) ||
	    (b->owner->applied && b->owner->applied(b->opaque, number, err) < 0))
		return -1;
	if (send_stored(b, number, &why) < 0)
		return lost_or_failed(b, &why, err);
	rc = expect_number(b, GW_FRAME_NOTED, number, err);
	if (rc != 0)
		return rc;
	b->noted = number;
	b->noted_ns = b->stored_ns;
	return GW_CHECKPOINT_GO_ON;
}

/* The sender keeps its domain: the copy goes before it reads so. */
static int drop(struct backup *b, enum gw_outcome *outcome)
{
	b->owner->drop(b->opaque);
	*outcome = GW_OUTCOME_DROPPED;
	gw_frames_send(&b->receiving->frames, GW_FRAME_STOPPED, NULL, 0, NULL);
	return 0;
}

/* May the copy run now? Later the sender may have let output leave that the copy does not know. */
static int check_window(const struct backup *b, struct gw_error *err)
{
	uint64_t age = gw_protect_clock_ns() - b->noted_ns;

	if (age <= b->owner->window_ns)
		return 0;
	return gw_fail(
		err, GW_PEER,
		"the takeover window of %" PRIu64 " ms was over %" PRIu64
		" ms ago: the sender may run on, and what it has done since is not in the copy",
		b->owner->window_ns / 1000000, (age - b->owner->window_ns) / 1000000);
}

static int run(struct backup *b, struct gw_report *report, struct gw_error *err)
{
	uint64_t start = gw_clock_ns();

	if (b->receiving->owner->run(b->opaque, err) < 0)
		return -1;
	report->resume_ns = gw_clock_ns() - start;
	return 0;
}

/* The sender is lost, and the copy has a complete checkpoint that the sender knows of. */
static int fail_over(struct backup *b, struct gw_report *report, enum gw_outcome *outcome,
		     struct gw_error *err)
{
	const struct gw_receiver *owner = b->receiving->owner;

	*outcome = GW_OUTCOME_UNKNOWN;
	if (check_window(b, err) < 0 || (owner->complete && owner->complete(b->opaque, err) < 0))
		return -1;
	if (b->owner->fence && b->owner->fence(b->opaque, err) < 0) {
		/* Cancelled here: the owner wants no copy. */
		if (err->code == GW_CANCELLED)
			*outcome = GW_OUTCOME_SOURCE;
		return gw_fail_in(err, "the sender is lost, and it is not certain that it is dead");
	}
	if (check_window(b, err) < 0 || run(b, report, err) < 0)
		return -1;
	*outcome = GW_OUTCOME_MOVED;
	return 0;
}

/* The stream ended, and the copy cannot be used: the sender has the domain. */
static int fail_ended(const struct backup *b, struct gw_error *err)
{
	const char *peer = b->receiving->frames.peer;

	if (b->receiving->cause.code)
		return gw_fail_as(err, &b->receiving->cause);
	if (!is_lost(b))
		return gw_fail(err, GW_PEER, "%s ended the stream after a checkpoint", peer);
	return gw_fail(err, GW_PEER,
		       "%s was lost before it knew of a complete checkpoint here: there is no copy",
		       peer);
}

/* The sender may be silent for a shorter time than in a migration, and hears more often. */
static int shorten_silence(struct gw_receiving *r, struct gw_error *err)
{
	if (r->owner->silence_ms == 0)
		r->silence_ms = GW_PROTECT_SILENCE_MS;
	gw_channel_set_silence(r->frames.ch, r->silence_ms);
	if (!r->frames.alive)
		return 0;
	gw_alive_stop(r->frames.alive);
	return gw_alive_start(&r->frames, GW_PROTECT_ALIVE_MS(r->silence_ms), err) ? 0 : -1;
}

int gw_protect_receive(struct gw_receiving *r, struct gw_report *report, enum gw_outcome *outcome,
		       struct gw_error *err)
{
	struct backup b = {.receiving = r, .owner = r->owner->backup, .opaque = r->owner->opaque};
	const struct gw_receiving_rounds rounds = {
		.opaque = &b, .complete = complete, .applied = applied};
	struct gw_restore_result result = {0};
	struct gw_error why = GW_ERROR_INIT;
	int rc;

	*outcome = GW_OUTCOME_SOURCE;
	if (shorten_silence(r, err) < 0)
		return -1;
	rc = gw_receiving_stream(r, &rounds, &result, &why);
	if (r->stopped)
		return drop(&b, outcome);
	if (rc < 0)
		return b.noted == 0 && is_lost(&b) ? fail_ended(&b, err) : gw_fail_as(err, &why);
	if (!is_lost(&b) || b.noted == 0)
		return fail_ended(&b, err);
	*report = result.report;
	return fail_over(&b, report, outcome, err);
}
