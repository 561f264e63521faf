/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sending side of a migration between two godwits (docs/protocol.md): the order of the frames
 * and the domain's owner after each of them.
 */
#include "migrate/protocol.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "migrate/alive.h"
#include "migrate/offering.h"
#include "migrate/protocol_internal.h"

struct sender {
	struct gw_offering offering;
	const struct gw_save_args *save; /* owned by the caller */
	const struct gw_stream_writer *writer;
	struct gw_report *report;
	struct gw_operation *op;
	bool acknowledged;	/* MINE came: the receiver owns the domain */
	uint64_t stream_end_ns; /* when the stream's last byte was written */
};

static int static_data_written(void *opaque, struct gw_error *err)
{
	struct sender *s = opaque;

	return gw_offering_end(&s->offering, err);
}

/* END to READY, YOURS to MINE, RELEASE to RUNNING. */
static uint64_t handover_ns(void *opaque)
{
	const struct sender *s = opaque;

	return 3 * s->offering.round_trip_ns;
}

static int switchover(void *opaque, struct gw_error *err)
{
	struct sender *s = opaque;

	return gw_frames_send(&s->offering.frames, GW_FRAME_SWITCHOVER, NULL, 0, err);
}

static int paused(void *opaque, struct gw_error *err)
{
	struct sender *s = opaque;

	return gw_frames_check_peer(&s->offering.frames, err);
}

static int send_stream(struct sender *s, struct gw_error *err)
{
	const struct gw_save_layer frames = {
		.opaque = s,
		.outer = s->save->layer,
		.static_data_written = static_data_written,
		.switchover = switchover,
		.paused = paused,
		.handover_ns = handover_ns,
	};
	struct gw_save_args args = *s->save;
	int rc;

	args.layer = &frames;
	args.op = s->op;
	if (s->op)
		args.cancel = gw_operation_cancel_token(s->op);
	args.out = gw_frames_channel(&s->offering.frames, err);
	if (!args.out)
		return -1;
	gw_frames_watch_peer(&s->offering.frames, true);
	if (s->writer)
		rc = s->writer->write(s->writer->opaque, args.out, &frames, s->report, err);
	else
		rc = gw_save_stream(&args, s->report, err);
	gw_frames_watch_peer(&s->offering.frames, false);
	gw_channel_close(args.out);
	s->stream_end_ns = gw_clock_ns();
	return rc;
}

/* YOURS to RUNNING. Once YOURS is sent, the receiver may own the domain. */
static int hand_over(struct sender *s, struct gw_running *running, struct gw_error *err)
{
	struct gw_buffer body = {0};
	int rc = -1;

	if (gw_frames_send(&s->offering.frames, GW_FRAME_YOURS, NULL, 0, err) < 0 ||
	    gw_frames_expect(&s->offering.frames, GW_FRAME_MINE, NULL, err) < 0)
		return -1;
	s->acknowledged = true;
	if (gw_frames_send(&s->offering.frames, GW_FRAME_RELEASE, NULL, 0, err) == 0)
		rc = gw_frames_expect(&s->offering.frames, GW_FRAME_RUNNING, &body, err);
	if (rc == 0 && body.len < GW_RUNNING_SIZE)
		rc = gw_fail(err, GW_PEER, "%s sent RUNNING with %zu bytes, expected %d",
			     s->offering.frames.peer, body.len, GW_RUNNING_SIZE);
	if (rc == 0) {
		running->receive_ns = gw_get_le64(body.data);
		running->device_state_ns = gw_get_le64(body.data + 8);
		running->resume_ns = gw_get_le64(body.data + 16);
	}
	gw_buffer_free(&body);
	return rc;
}

/* Adds the time after the stream's end to the report, split by stage. */
static void complete_report(const struct sender *s, const struct gw_running *running)
{
	struct gw_report *r = s->report;
	uint64_t wait_ns = gw_clock_ns() - s->stream_end_ns;
	uint64_t known_ns = running->device_state_ns + running->resume_ns;

	if (!r)
		return;
	r->device_state_ns += running->device_state_ns;
	r->resume_ns = running->resume_ns;
	r->transfer_ns += wait_ns > known_ns ? wait_ns - known_ns : 0;
	r->downtime_ns = r->pause_ns + r->final_round_ns + r->device_state_ns + r->transfer_ns +
			 r->resume_ns;
	r->total_ns += wait_ns;
}

/* Without MINE, RELEASE was never sent, and without RELEASE the receiver's copy does not run. */
static int fail_unknown(const struct sender *s, const struct gw_error *why, struct gw_error *err)
{
	enum gw_code code = why->code == GW_CANCELLED ? GW_PEER : why->code;

	if (s->acknowledged)
		return gw_fail(
			err, code,
			"%s; the connection failed while the domain was handed over: it stays paused here, and may run at the receiver: look there, then decide on one side",
			why->text);
	return gw_fail(
		err, code,
		"%s; the connection failed while the domain was handed over: it stays paused here, and a copy at the receiver stays paused, too: decide on one side",
		why->text);
}

/*
 * The commit window. If ERROR or CANCEL comes instead of MINE, the receiver has destroyed its copy.
 * After any other failure the owner is not known.
 */
static int commit(struct sender *s, enum gw_outcome *outcome, struct gw_error *err)
{
	struct gw_running running;
	struct gw_error why = GW_ERROR_INIT;

	if (gw_operation_commit_window(s->op, true, err) < 0)
		return -1;
	*outcome = GW_OUTCOME_UNKNOWN;
	if (hand_over(s, &running, &why) == 0) {
		*outcome = GW_OUTCOME_MOVED;
		complete_report(s, &running);
		return 0;
	}
	if (s->offering.frames.peer_aborted && !s->acknowledged) {
		*outcome = GW_OUTCOME_SOURCE;
		gw_operation_commit_window(s->op, false, NULL);
		return gw_fail_as(err, &why);
	}
	return fail_unknown(s, &why, err);
}

int gw_migrate_send(struct gw_channel *ch, const struct gw_migration_offer *offer,
		    const struct gw_save_args *save, struct gw_operation *op,
		    struct gw_report *report, enum gw_outcome *outcome, struct gw_error *err)
{
	struct sender s = {
		.offering =
			{
				.frames = {.ch = ch, .peer = "the receiver"},
				.op = op,
				.silence_ms = offer->silence_ms ? offer->silence_ms : GW_SILENCE_MS,
			},
		.save = save,
		.writer = offer->stream,
		.report = report,
		.op = op,
	};
	const struct gw_cancel *cancel_before = ch->cancel;
	int silence_before = ch->silence_ms;
	struct gw_error own = GW_ERROR_INIT;
	int rc = -1;

	if (!err)
		err = &own;
	*outcome = GW_OUTCOME_SOURCE;
	gw_channel_set_cancel(ch, op ? gw_operation_cancel_token(op) : save->cancel);
	gw_channel_set_silence(ch, s.offering.silence_ms);
	if (gw_offering_begin(&s.offering, offer, 0, NULL, offer->live ? GW_CONFIG_LIVE : 0, err) ==
		    0 &&
	    send_stream(&s, err) == 0 &&
	    gw_frames_expect(&s.offering.frames, GW_FRAME_READY, NULL, err) == 0)
		rc = commit(&s, outcome, err);
	gw_alive_stop(s.offering.frames.alive);
	if (rc < 0 && *outcome == GW_OUTCOME_SOURCE) {
		gw_frames_find_cause(&s.offering.frames, err);
		if (!s.offering.frames.peer_aborted)
			gw_frames_abort(&s.offering.frames, err, false);
	}
	gw_channel_set_cancel(ch, cancel_before);
	gw_channel_set_silence(ch, silence_before);
	return rc;
}
