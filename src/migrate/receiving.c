/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * HELLO to the end of the stream at the receiver.
 */
#include "migrate/receiving.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "migrate/alive.h"
#include "migrate/frames_internal.h"
#include "migrate/protocol_internal.h"

#define TURN_MS 50 /* how often a migration that waits asks for its turn */

int gw_receiving_begin(struct gw_receiving *r, struct gw_error *err)
{
	if (gw_hello_receive(&r->frames, &r->hello, err) < 0)
		return -1;
	gw_sender_clock_config(&r->clock);
	if (gw_hello_send(&r->frames, &r->hello.id, 0, err) < 0)
		return -1;
	if ((r->hello.features & GW_FEATURE_ALIVE &&
	     !gw_alive_start(&r->frames, GW_ALIVE_PART(r->silence_ms), err)) ||
	    gw_frames_expect(&r->frames, GW_FRAME_CONFIG, &r->config, err) < 0)
		return -1;
	if (r->config.len < GW_CONFIG_HEAD)
		return gw_fail(err, GW_PEER, "%s sent CONFIG with %zu bytes, expected at least %d",
			       r->frames.peer, r->config.len, GW_CONFIG_HEAD);
	r->config_flags = gw_get_le32(r->config.data);
	return 0;
}

/* The reasons of why, one a line; without any its sentence. */
static void send_refusal(struct gw_receiving *r, const struct gw_error *why)
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
static int ask_owner(struct gw_receiving *r, struct gw_domain **domain, enum gw_guest_type type,
		     const struct gw_policy *policy, struct gw_error *why)
{
	const char *config = (const char *)r->config.data + GW_CONFIG_HEAD;
	size_t len = r->config.len - GW_CONFIG_HEAD;

	if (r->header.code)
		return gw_fail_as(why, &r->header);
	if (r->config_flags & GW_CONFIG_CHECKPOINTS && !r->owner->backup)
		return gw_fail(
			why, GW_REFUSED,
			"this receiver protects no domain: it was started with neither --fence nor --no-fence");
	if (r->owner->stream)
		return r->owner->check(r->owner->opaque, &r->hello.id, config, len, type, policy,
				       why);
	*domain = r->owner->accept(r->owner->opaque, &r->hello.id, config, len, type, policy, why);
	return *domain ? 0 : -1;
}

/* Tells the sender that it has to wait. A sender that does not know the frame skips it. */
static int send_wait(struct gw_receiving *r, struct gw_error *err)
{
	uint8_t head[GW_FRAME_HEADER_SIZE];
	struct iovec iov = {.iov_base = head, .iov_len = sizeof(head)};

	gw_frame_header_encode(head, GW_FRAME_WAIT, 0);
	head[4] = GW_FRAME_OPTIONAL;
	return gw_frames_write(&r->frames, &iov, 1, err);
}

/* Waits until the owner takes this migration, which the sender may cancel meanwhile. */
static int wait_for_turn(struct gw_receiving *r, struct gw_error *err)
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
	struct gw_receiving *r = opaque;
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

/* Handles a frame between two DATA frames: SWITCHOVER, CANCEL, ERROR, ALIVE, STOP or an unknown
 * optional one. */
static int control_frame(void *opaque, const struct gw_frame *frame, struct gw_error *why)
{
	struct gw_receiving *r = opaque;
	struct gw_buffer body = {0};
	struct gw_error *err = &r->cause;
	int rc = gw_frames_read_body(&r->frames, frame, &body, err);

	if (rc < 0) {
		/* err says it */
	} else if (frame->type == GW_FRAME_CANCEL || frame->type == GW_FRAME_ERROR) {
		rc = gw_frames_fail_aborted(&r->frames, frame, &body, err);
	} else if (frame->type == GW_FRAME_SWITCHOVER && frame->length == 0 &&
		   r->switchover_ns == 0) {
		r->switchover_ns = gw_clock_ns();
		gw_sender_clock_suspend(&r->clock);
	} else if (frame->type == GW_FRAME_STOP && frame->length == 0 &&
		   r->config_flags & GW_CONFIG_CHECKPOINTS) {
		r->stopped = true;
		rc = 1;
	} else if (gw_frame_name(frame->type) && frame->type != GW_FRAME_ALIVE) {
		rc = gw_fail(err, GW_PEER, "%s sent %s in the middle of the stream", r->frames.peer,
			     gw_frame_name(frame->type));
	}
	gw_buffer_free(&body);
	return rc < 0 ? gw_fail_as(why, err) : rc;
}

static void data_came(void *opaque, uint64_t bytes)
{
	struct gw_receiving *r = opaque;

	gw_sender_clock_came(&r->clock, bytes);
}

/* Keeps a refusal until the sender waits for the answer to its static data. */
static int judge_header(void *opaque, const struct gw_image_header *header, struct gw_error *err)
{
	struct gw_receiving *r = opaque;

	if (r->owner->header)
		r->owner->header(r->owner->opaque, header, &r->header);
	return 0;
}

static uint64_t expected_pages(void *opaque)
{
	const struct gw_receiving *r = opaque;

	return r->owner->expected_pages ? r->owner->expected_pages(r->owner->opaque) : 0;
}

static int round_complete(void *opaque, uint64_t number, struct gw_error *err)
{
	const struct gw_receiving *r = opaque;

	return r->rounds->complete(r->rounds->opaque, number, err);
}

static int round_applied(void *opaque, uint64_t number, struct gw_error *err)
{
	const struct gw_receiving *r = opaque;

	return r->rounds->applied(r->rounds->opaque, number, err);
}

int gw_receiving_stream(struct gw_receiving *r, const struct gw_receiving_rounds *rounds,
			struct gw_restore_result *result, struct gw_error *err)
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
	int rc;

	r->frames.control_frame = control_frame;
	r->frames.data_came = data_came;
	r->frames.opaque = r;
	r->rounds = rounds;
	if (rounds) {
		args.stream_type = GW_STREAM_REMUS;
		args.checkpoint_complete = round_complete;
		args.checkpoint_applied = round_applied;
	}
	args.in = gw_frames_channel(&r->frames, err);
	if (!args.in)
		return -1;
	if (r->owner->stream)
		rc = r->owner->stream(r->owner->opaque, args.in, &args, err);
	else
		rc = gw_restore_stream(&args, NULL, result, err);
	gw_channel_close(args.in);
	return rc;
}
