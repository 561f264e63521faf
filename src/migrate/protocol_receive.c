/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The receiving side of a migration between two godwits (docs/protocol.md): the order of the frames
 * and the domain's owner after each of them.
 */
#include "migrate/protocol.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "migrate/alive.h"
#include "migrate/protect_receive.h"
#include "migrate/protocol_internal.h"
#include "migrate/receiving.h"

static int receive_stream(struct gw_receiving *r, struct gw_report *report, struct gw_error *err)
{
	struct gw_restore_result result = {0};
	int rc = gw_receiving_stream(r, NULL, &result, err);

	if (rc == 0 && report)
		*report = result.report;
	if (rc == 0 && result.failed_over)
		rc = gw_fail(err, GW_PEER, "%s closed the connection after a checkpoint",
			     r->frames.peer);
	if (rc == 0 && r->frames.data_left > 0)
		rc = gw_fail(err, GW_PEER, "%s sent %llu bytes after the end of the stream",
			     r->frames.peer, (unsigned long long)r->frames.data_left);
	return rc;
}

static int complete(struct gw_receiving *r, struct gw_report *report, struct gw_error *err)
{
	uint64_t start = gw_clock_ns();

	if (r->owner->complete && r->owner->complete(r->owner->opaque, err) < 0)
		return -1;
	report->device_state_ns += gw_clock_ns() - start;
	return 0;
}

/* Who cancelled it may have had a reason that the sender should know. */
static void find_reason(const struct gw_receiving *r, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;

	if (err->code == GW_CANCELLED && !r->frames.peer_aborted && r->owner->wanted &&
	    r->owner->wanted(r->owner->opaque, &why) < 0)
		*err = why;
}

/* Splits the time since SWITCHOVER into the device state and the rest. */
static void measure(struct gw_receiving *r, const struct gw_report *report)
{
	uint64_t all = r->switchover_ns ? gw_clock_ns() - r->switchover_ns : 0;
	uint64_t state = report->device_state_ns;

	r->running.device_state_ns = state;
	r->running.receive_ns = all > state ? all - state : 0;
}

static int send_running(struct gw_receiving *r, struct gw_error *err)
{
	uint8_t raw[GW_RUNNING_SIZE];

	gw_put_le64(raw, r->running.receive_ns);
	gw_put_le64(raw + 8, r->running.device_state_ns);
	gw_put_le64(raw + 16, r->running.resume_ns);
	return gw_frames_send(&r->frames, GW_FRAME_RUNNING, raw, sizeof(raw), err);
}

/*
 * READY to RELEASE. The sender owns the domain until MINE may have been sent; from then on the
 * domain stays paused unless RELEASE comes.
 */
static int take_over(struct gw_receiving *r, struct gw_error *err)
{
	gw_sender_clock_handover(&r->clock, "its YOURS");
	if (gw_frames_send(&r->frames, GW_FRAME_READY, NULL, 0, err) < 0 ||
	    gw_frames_expect(&r->frames, GW_FRAME_YOURS, NULL, err) < 0 ||
	    gw_operation_commit_window(r->op, true, err) < 0 ||
	    r->owner->mine(r->owner->opaque, err) < 0)
		return -1;
	r->mine_sent = true;
	gw_sender_clock_handover(&r->clock, "its RELEASE");
	if (gw_frames_send(&r->frames, GW_FRAME_MINE, NULL, 0, err) < 0)
		return -1;
	if (gw_frames_expect(&r->frames, GW_FRAME_RELEASE, NULL, err) < 0)
		return -1;
	r->released = true;
	return 0;
}

/*
 * True if this side may say why it gives up. A sender without MINE takes CANCEL and ERROR for a
 * refusal and resumes its domain: neither may reach it while the copy here can still be claimed.
 */
static bool may_abort(const struct gw_receiving *r, enum gw_outcome outcome)
{
	/* The same is true of a sender whose domain has a copy here that can still be claimed. */
	if (r->config_flags & GW_CONFIG_CHECKPOINTS && outcome != GW_OUTCOME_SOURCE)
		return false;
	return !r->refused && !r->frames.peer_aborted && (!r->mine_sent || r->released);
}

static int run(struct gw_receiving *r, enum gw_outcome *outcome, struct gw_error *err)
{
	uint64_t start = gw_clock_ns();

	if (r->owner->run(r->owner->opaque, err) < 0)
		return -1;
	r->running.resume_ns = gw_clock_ns() - start;
	*outcome = GW_OUTCOME_MOVED;
	/* The domain runs here whether or not the sender receives RUNNING. */
	if (send_running(r, NULL) < 0 && r->owner->toolstack)
		gw_logf(&r->owner->toolstack->log, GW_LOG_WARNING,
			"the domain runs here, but RUNNING could not be sent to the sender");
	return 0;
}

static int receive(struct gw_receiving *r, struct gw_report *report, enum gw_outcome *outcome,
		   struct gw_error *err)
{
	if (gw_receiving_begin(r, err) < 0)
		return -1;
	if (r->config_flags & GW_CONFIG_CHECKPOINTS)
		return gw_protect_receive(r, report, outcome, err);
	if (receive_stream(r, report, err) < 0 || complete(r, report, err) < 0)
		return -1;
	measure(r, report);
	if (take_over(r, err) < 0 || run(r, outcome, err) < 0)
		return -1;
	report->resume_ns = r->running.resume_ns;
	report->final_round_ns = r->running.receive_ns;
	report->downtime_ns = report->final_round_ns + report->device_state_ns + report->resume_ns;
	return 0;
}

int gw_migrate_receive(struct gw_channel *ch, const struct gw_receiver *receiver,
		       struct gw_operation *op, struct gw_report *report, enum gw_outcome *outcome,
		       struct gw_error *err)
{
	struct gw_receiving r = {
		.frames = {.ch = ch, .peer = "the sender"},
		.owner = receiver,
		.op = op,
		.silence_ms = receiver->silence_ms ? receiver->silence_ms : GW_SILENCE_MS,
	};
	const struct gw_cancel *cancel_before = ch->cancel;
	int silence_before = ch->silence_ms;
	struct gw_report own_report = {0};
	struct gw_error own = GW_ERROR_INIT;
	int rc;

	if (!err)
		err = &own;
	*outcome = GW_OUTCOME_SOURCE;
	gw_channel_set_cancel(ch, op ? gw_operation_cancel_token(op) : cancel_before);
	gw_channel_set_silence(ch, r.silence_ms);
	gw_sender_clock_start(&r.clock, ch, &receiver->times);
	rc = receive(&r, report ? report : &own_report, outcome, err);
	gw_alive_stop(r.frames.alive);
	gw_sender_clock_stop(&r.clock);
	if (rc < 0) {
		if (r.mine_sent)
			*outcome = GW_OUTCOME_UNKNOWN;
		find_reason(&r, err);
		if (may_abort(&r, *outcome))
			gw_frames_abort(&r.frames, err, true);
	}
	if (*outcome == GW_OUTCOME_SOURCE)
		gw_operation_commit_window(op, false, NULL);
	gw_buffer_free(&r.config);
	gw_channel_set_cancel(ch, cancel_before);
	gw_channel_set_silence(ch, silence_before);
	return rc;
}

void gw_migrate_turn_away(struct gw_channel *ch, const struct gw_error *why)
{
	struct gw_frames frames = {.ch = ch, .peer = "the sender"};

	gw_frames_abort(&frames, why, true);
}
