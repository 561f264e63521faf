/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sending side of a migration between two godwits (docs/protocol.md): the order of the frames
 * and the domain's owner after each of them.
 */
#include "migrate/protocol.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/util.h"
#include "migrate/alive.h"
#include "migrate/hello.h"
#include "migrate/frames_internal.h"
#include "migrate/protocol_internal.h"

struct sender {
	struct gw_frames frames;
	const struct gw_save_args *save; /* owned by the caller */
	const struct gw_stream_writer *writer;
	struct gw_report *report;
	struct gw_operation *op;
	int silence_ms;		/* the limit on the receiver's silence */
	uint64_t round_trip_ns; /* the shortest time that the receiver took to answer */
	bool acknowledged;	/* MINE came: the receiver owns the domain */
	uint64_t stream_end_ns; /* when the stream's last byte was written */
};

static int send_config(struct sender *s, const struct gw_migration_offer *offer,
		       struct gw_error *err)
{
	struct gw_buffer body = {0};
	uint8_t head[GW_CONFIG_HEAD];
	int rc;

	gw_put_le32(head, offer->live ? GW_CONFIG_LIVE : 0);
	gw_put_le32(head + 4, 0);
	rc = gw_buffer_append(&body, head, sizeof(head), err);
	if (rc == 0 && offer->config_len > 0)
		rc = gw_buffer_append(&body, offer->config, offer->config_len, err);
	if (rc == 0)
		rc = gw_frames_send(&s->frames, GW_FRAME_CONFIG, body.data, body.len, err);
	gw_buffer_free(&body);
	return rc;
}

static int handshake(struct sender *s, const struct gw_migration_offer *offer, struct gw_error *err)
{
	uint64_t start = gw_clock_ns();
	struct gw_hello hello;

	if (gw_hello_send(&s->frames, &offer->id, err) < 0 ||
	    gw_hello_receive(&s->frames, &hello, err) < 0)
		return -1;
	s->round_trip_ns = gw_clock_ns() - start;
	if (memcmp(&hello.id, &offer->id, sizeof(hello.id)) != 0)
		return gw_fail(err, GW_PEER, "%s answers about another migration", s->frames.peer);
	if (hello.features & GW_FEATURE_ALIVE &&
	    !gw_alive_start(&s->frames, GW_ALIVE_PART(s->silence_ms), err))
		return -1;
	return send_config(s, offer, err);
}

/* The body of REFUSE has a reason in each line. A single one becomes part of the sentence. */
static int fail_refused(struct sender *s, const struct gw_buffer *body, struct gw_error *err)
{
	char text[sizeof(err->text)];
	char *line, *rest = text;

	s->frames.peer_aborted = true;
	gw_frames_text(body, text, sizeof(text));
	if (!strchr(text, '\n'))
		return gw_fail(err, GW_REFUSED, "%s refuses: %s", s->frames.peer, text);
	gw_fail(err, GW_REFUSED, "%s refuses the domain", s->frames.peer);
	while ((line = strsep(&rest, "\n")))
		gw_fail_reason(err, "%s", line);
	return -1;
}

/* The receiver is busy with other migrations: it answers when it is this one's turn. */
static void publish_wait(struct sender *s)
{
	const struct gw_progress waiting = {.stage = GW_STAGE_WAITING};

	gw_operation_set_progress(s->op, &waiting);
}

/* Waits for ACCEPT; fails with the reasons of REFUSE. */
static int wait_for_accept(struct sender *s, struct gw_error *err)
{
	struct gw_buffer body = {0};
	struct gw_frame frame = {0};
	int rc;

	do {
		rc = gw_frames_receive(&s->frames, &frame, &body, err);
		if (rc > 0 && frame.type == GW_FRAME_WAIT)
			publish_wait(s);
	} while (rc > 0 && frame.type == GW_FRAME_WAIT);

	if (rc == 0)
		rc = gw_fail(err, GW_PEER, "%s closed the connection, expected its ACCEPT",
			     s->frames.peer);
	if (rc > 0 && frame.type == GW_FRAME_REFUSE) {
		rc = fail_refused(s, &body, err);
	} else if (rc > 0 && frame.type != GW_FRAME_ACCEPT) {
		rc = gw_fail(err, GW_PEER, "%s sent %s, expected ACCEPT or REFUSE", s->frames.peer,
			     gw_frame_name(frame.type));
	}
	gw_buffer_free(&body);
	return rc < 0 ? -1 : 0;
}

static int static_data_written(void *opaque, struct gw_error *err)
{
	struct sender *s = opaque;
	uint64_t start = gw_clock_ns();

	if (gw_frames_send(&s->frames, GW_FRAME_STATIC_END, NULL, 0, err) < 0 ||
	    wait_for_accept(s, err) < 0)
		return -1;
	s->round_trip_ns = GW_MIN(s->round_trip_ns, gw_clock_ns() - start);
	return 0;
}

/* END to READY, YOURS to MINE, RELEASE to RUNNING. */
static uint64_t handover_ns(void *opaque)
{
	const struct sender *s = opaque;

	return 3 * s->round_trip_ns;
}

static int switchover(void *opaque, struct gw_error *err)
{
	struct sender *s = opaque;

	return gw_frames_send(&s->frames, GW_FRAME_SWITCHOVER, NULL, 0, err);
}

static int paused(void *opaque, struct gw_error *err)
{
	struct sender *s = opaque;

	return gw_frames_check_peer(&s->frames, err);
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
	args.out = gw_frames_channel(&s->frames, err);
	if (!args.out)
		return -1;
	gw_frames_watch_peer(&s->frames, true);
	if (s->writer)
		rc = s->writer->write(s->writer->opaque, args.out, &frames, s->report, err);
	else
		rc = gw_save_stream(&args, s->report, err);
	gw_frames_watch_peer(&s->frames, false);
	gw_channel_close(args.out);
	s->stream_end_ns = gw_clock_ns();
	return rc;
}

/* YOURS to RUNNING. Once YOURS is sent, the receiver may own the domain. */
static int hand_over(struct sender *s, struct gw_running *running, struct gw_error *err)
{
	struct gw_buffer body = {0};
	int rc = -1;

	if (gw_frames_send(&s->frames, GW_FRAME_YOURS, NULL, 0, err) < 0 ||
	    gw_frames_expect(&s->frames, GW_FRAME_MINE, NULL, err) < 0)
		return -1;
	s->acknowledged = true;
	if (gw_frames_send(&s->frames, GW_FRAME_RELEASE, NULL, 0, err) == 0)
		rc = gw_frames_expect(&s->frames, GW_FRAME_RUNNING, &body, err);
	if (rc == 0 && body.len < GW_RUNNING_SIZE)
		rc = gw_fail(err, GW_PEER, "%s sent RUNNING with %zu bytes, expected %d",
			     s->frames.peer, body.len, GW_RUNNING_SIZE);
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
	if (s->frames.peer_aborted && !s->acknowledged) {
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
		.frames = {.ch = ch, .peer = "the receiver"},
		.save = save,
		.writer = offer->stream,
		.report = report,
		.op = op,
		.silence_ms = offer->silence_ms ? offer->silence_ms : GW_SILENCE_MS,
	};
	const struct gw_cancel *cancel_before = ch->cancel;
	int silence_before = ch->silence_ms;
	struct gw_error own = GW_ERROR_INIT;
	int rc = -1;

	if (!err)
		err = &own;
	*outcome = GW_OUTCOME_SOURCE;
	gw_channel_set_cancel(ch, op ? gw_operation_cancel_token(op) : save->cancel);
	gw_channel_set_silence(ch, s.silence_ms);
	if (handshake(&s, offer, err) == 0 && send_stream(&s, err) == 0 &&
	    gw_frames_expect(&s.frames, GW_FRAME_READY, NULL, err) == 0)
		rc = commit(&s, outcome, err);
	gw_alive_stop(s.frames.alive);
	if (rc < 0 && *outcome == GW_OUTCOME_SOURCE) {
		gw_frames_find_cause(&s.frames, err);
		if (!s.frames.peer_aborted)
			gw_frames_abort(&s.frames, err, false);
	}
	gw_channel_set_cancel(ch, cancel_before);
	gw_channel_set_silence(ch, silence_before);
	return rc;
}
