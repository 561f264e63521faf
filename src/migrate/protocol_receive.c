/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The receiving side of a migration between two godwits (docs/protocol.md): the order of the frames
 * and the domain's owner after each of them.
 */
#include "migrate/protocol.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "migrate/alive.h"
#include "migrate/frames_internal.h"
#include "migrate/hello.h"
#include "migrate/protocol_internal.h"
#include "migrate/sender_clock.h"

#define TURN_MS 50 /* how often a migration that waits asks for its turn */

struct receiver {
	struct gw_frames frames;
	const struct gw_receiver *owner;
	struct gw_operation *op;
	int silence_ms; /* the limit on the sender's silence */
	struct gw_sender_clock clock;
	struct gw_hello hello;
	struct gw_buffer config; /* the body of CONFIG */
	bool refused;		 /* REFUSE was sent: no ERROR follows */
	bool mine_sent;		 /* MINE may have been sent */
	bool released;		 /* RELEASE came: the sender had MINE */
	struct gw_error header;	 /* the owner's reason against the image's header */
	uint64_t switchover_ns;	 /* when SWITCHOVER arrived */
	struct gw_running running;
};

static int handshake(struct receiver *r, struct gw_error *err)
{
	if (gw_hello_receive(&r->frames, &r->hello, err) < 0)
		return -1;
	gw_sender_clock_config(&r->clock);
	if (gw_hello_send(&r->frames, &r->hello.id, err) < 0)
		return -1;
	if ((r->hello.features & GW_FEATURE_ALIVE &&
	     !gw_alive_start(&r->frames, GW_ALIVE_PART(r->silence_ms), err)) ||
	    gw_frames_expect(&r->frames, GW_FRAME_CONFIG, &r->config, err) < 0)
		return -1;
	if (r->config.len < GW_CONFIG_HEAD)
		return gw_fail(err, GW_PEER, "%s sent CONFIG with %zu bytes, expected at least %d",
			       r->frames.peer, r->config.len, GW_CONFIG_HEAD);
	return 0;
}

/* The reasons of why, one a line; without any its sentence. */
static void send_refusal(struct receiver *r, const struct gw_error *why)
{
	char lines[sizeof(why->text) + 32];
	int n = 0;

	if (why->nr_reasons == 0)
		n = snprintf(lines, sizeof(lines), "%s", why->text);
	for (unsigned i = 0; i < why->nr_reasons; i++)
		n += snprintf(lines + n, sizeof(lines) - (size_t)n, "%s%s", i > 0 ? "\n" : "",
			      gw_error_reason(why, i));
	if (why->reasons_left_out > 0)
		n += snprintf(lines + n, sizeof(lines) - (size_t)n, "\nand %u more",
			      why->reasons_left_out);
	gw_frames_send(&r->frames, GW_FRAME_REFUSE, lines, (size_t)n, NULL);
}

/* Asks the owner. 0 if it takes the domain, else -1. */
static int ask_owner(struct receiver *r, struct gw_domain **domain, enum gw_guest_type type,
		     const struct gw_policy *policy, struct gw_error *why)
{
	const char *config = (const char *)r->config.data + GW_CONFIG_HEAD;
	size_t len = r->config.len - GW_CONFIG_HEAD;

	if (r->header.code)
		return gw_fail_as(why, &r->header);
	if (r->owner->stream)
		return r->owner->check(r->owner->opaque, &r->hello.id, config, len, type, policy,
				       why);
	*domain = r->owner->accept(r->owner->opaque, &r->hello.id, config, len, type, policy, why);
	return *domain ? 0 : -1;
}

/* Tells the sender that it has to wait. A sender that does not know the frame skips it. */
static int send_wait(struct receiver *r, struct gw_error *err)
{
	uint8_t head[GW_FRAME_HEADER_SIZE];
	struct iovec iov = {.iov_base = head, .iov_len = sizeof(head)};

	gw_frame_header_encode(head, GW_FRAME_WAIT, 0);
	head[4] = GW_FRAME_OPTIONAL;
	return gw_frames_write(&r->frames, &iov, 1, err);
}

/* Waits until the owner takes this migration, which the sender may cancel meanwhile. */
static int wait_for_turn(struct receiver *r, struct gw_error *err)
{
	const struct gw_cancel *cancel = r->op ? gw_operation_cancel_token(r->op) : NULL;
	bool said = false;
	int rc;

	if (!r->owner->turn)
		return 0;
	while ((rc = r->owner->turn(r->owner->opaque, err)) == 0) {
		if (!said && send_wait(r, err) < 0)
			return -1;
		said = true;
		if (gw_cancel_wait(cancel, -1, 0, TURN_MS, err) < 0 ||
		    gw_frames_check_peer(&r->frames, err) < 0)
			return -1;
	}
	return rc < 0 ? -1 : 0;
}

/* Answers the static data, which STATIC_END must follow, with ACCEPT or REFUSE. */
static int decide(void *opaque, struct gw_domain **domain, enum gw_guest_type type,
		  const struct gw_policy *policy, struct gw_error *err)
{
	struct receiver *r = opaque;
	struct gw_error why = GW_ERROR_INIT;

	if (r->frames.data_left > 0)
		return gw_fail(err, GW_PEER, "%s sent %llu bytes of data after the static data",
			       r->frames.peer, (unsigned long long)r->frames.data_left);
	if (gw_frames_expect(&r->frames, GW_FRAME_STATIC_END, NULL, err) < 0)
		return -1;
	gw_sender_clock_stop(&r->clock);
	if (wait_for_turn(r, err) < 0)
		return -1;
	if (ask_owner(r, domain, type, policy, &why) < 0) {
		r->refused = true;
		gw_fail(&why, GW_REFUSED, "the domain is refused");
		send_refusal(r, &why);
		return gw_fail_as(err, &why);
	}
	gw_sender_clock_data(&r->clock);
	return gw_frames_send(&r->frames, GW_FRAME_ACCEPT, NULL, 0, err);
}

/* Handles a frame between two DATA frames: SWITCHOVER, CANCEL, ERROR, ALIVE or an unknown optional
 * one. */
static int control_frame(void *opaque, const struct gw_frame *frame, struct gw_error *err)
{
	struct receiver *r = opaque;
	struct gw_buffer body = {0};
	int rc = gw_frames_read_body(&r->frames, frame, &body, err);

	if (rc < 0) {
		/* err says it */
	} else if (frame->type == GW_FRAME_CANCEL || frame->type == GW_FRAME_ERROR) {
		rc = gw_frames_fail_aborted(&r->frames, frame, &body, err);
	} else if (frame->type == GW_FRAME_SWITCHOVER && frame->length == 0 &&
		   r->switchover_ns == 0) {
		r->switchover_ns = gw_clock_ns();
		gw_sender_clock_suspend(&r->clock);
	} else if (gw_frame_name(frame->type) && frame->type != GW_FRAME_ALIVE) {
		rc = gw_fail(err, GW_PEER, "%s sent %s in the middle of the stream", r->frames.peer,
			     gw_frame_name(frame->type));
	}
	gw_buffer_free(&body);
	return rc;
}

static void data_came(void *opaque, uint64_t bytes)
{
	struct receiver *r = opaque;

	gw_sender_clock_came(&r->clock, bytes);
}

/* Keeps a refusal until the sender waits for the answer to its static data. */
static int judge_header(void *opaque, const struct gw_image_header *header, struct gw_error *err)
{
	struct receiver *r = opaque;

	if (r->owner->header)
		r->owner->header(r->owner->opaque, header, &r->header);
	return 0;
}

static uint64_t expected_pages(void *opaque)
{
	const struct receiver *r = opaque;

	return r->owner->expected_pages ? r->owner->expected_pages(r->owner->opaque) : 0;
}

static int receive_stream(struct receiver *r, struct gw_report *report, struct gw_error *err)
{
	struct gw_restore_args args = {
		.toolstack = r->owner->toolstack,
		.emulator = r->owner->emulator,
		.op = r->op,
		.cancel = r->op ? gw_operation_cancel_token(r->op) : NULL,
		.under_way = true,
		.owner = r,
		.static_data = decide,
		.expected_pages = expected_pages,
		.header = judge_header,
	};
	struct gw_restore_result result = {0};
	int rc;

	args.in = gw_frames_channel(&r->frames, err);
	if (!args.in)
		return -1;
	if (r->owner->stream)
		rc = r->owner->stream(r->owner->opaque, args.in, &args, err);
	else
		rc = gw_restore_stream(&args, NULL, &result, err);
	if (rc == 0 && report)
		*report = result.report;
	gw_channel_close(args.in);
	if (rc == 0 && result.failed_over)
		rc = gw_fail(err, GW_PEER, "%s closed the connection after a checkpoint",
			     r->frames.peer);
	if (rc == 0 && r->frames.data_left > 0)
		rc = gw_fail(err, GW_PEER, "%s sent %llu bytes after the end of the stream",
			     r->frames.peer, (unsigned long long)r->frames.data_left);
	return rc;
}

static int complete(struct receiver *r, struct gw_report *report, struct gw_error *err)
{
	uint64_t start = gw_clock_ns();

	if (r->owner->complete && r->owner->complete(r->owner->opaque, err) < 0)
		return -1;
	report->device_state_ns += gw_clock_ns() - start;
	return 0;
}

/* Who cancelled it may have had a reason that the sender should know. */
static void find_reason(const struct receiver *r, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;

	if (err->code == GW_CANCELLED && !r->frames.peer_aborted && r->owner->wanted &&
	    r->owner->wanted(r->owner->opaque, &why) < 0)
		*err = why;
}

/* Splits the time since SWITCHOVER into the device state and the rest. */
static void measure(struct receiver *r, const struct gw_report *report)
{
	uint64_t all = r->switchover_ns ? gw_clock_ns() - r->switchover_ns : 0;
	uint64_t state = report->device_state_ns;

	r->running.device_state_ns = state;
	r->running.receive_ns = all > state ? all - state : 0;
}

static int send_running(struct receiver *r, struct gw_error *err)
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
static int take_over(struct receiver *r, struct gw_error *err)
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
static bool may_abort(const struct receiver *r)
{
	return !r->refused && !r->frames.peer_aborted && (!r->mine_sent || r->released);
}

static int run(struct receiver *r, enum gw_outcome *outcome, struct gw_error *err)
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

static int receive(struct receiver *r, struct gw_report *report, enum gw_outcome *outcome,
		   struct gw_error *err)
{
	if (handshake(r, err) < 0 || receive_stream(r, report, err) < 0 ||
	    complete(r, report, err) < 0)
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
	struct receiver r = {
		.frames = {.ch = ch, .peer = "the sender", .control_frame = control_frame},
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
	r.frames.opaque = &r;
	gw_channel_set_cancel(ch, op ? gw_operation_cancel_token(op) : cancel_before);
	gw_channel_set_silence(ch, r.silence_ms);
	gw_sender_clock_start(&r.clock, ch, &receiver->times);
	r.frames.data_came = data_came;
	rc = receive(&r, report ? report : &own_report, outcome, err);
	gw_alive_stop(r.frames.alive);
	gw_sender_clock_stop(&r.clock);
	if (rc < 0) {
		if (r.mine_sent)
			*outcome = GW_OUTCOME_UNKNOWN;
		find_reason(&r, err);
		if (may_abort(&r))
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
