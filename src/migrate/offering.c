/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * HELLO to ACCEPT at the sender.
 */
#include "migrate/offering.h"

#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/util.h"
#include "migrate/alive.h"
#include "migrate/frames_internal.h"
#include "migrate/hello.h"
#include "migrate/protocol_internal.h"

static int send_config(struct gw_offering *o, const struct gw_migration_offer *offer,
		       uint32_t flags, struct gw_error *err)
{
	struct gw_buffer body = {0};
	uint8_t head[GW_CONFIG_HEAD];
	int rc;

	gw_put_le32(head, flags);
	gw_put_le32(head + 4, 0);
	rc = gw_buffer_append(&body, head, sizeof(head), err);
	if (rc == 0 && offer->config_len > 0)
		rc = gw_buffer_append(&body, offer->config, offer->config_len, err);
	if (rc == 0)
		rc = gw_frames_send(&o->frames, GW_FRAME_CONFIG, body.data, body.len, err);
	gw_buffer_free(&body);
	return rc;
}

int gw_offering_begin(struct gw_offering *o, const struct gw_migration_offer *offer, uint64_t needs,
		      const char *needs_words, uint32_t config_flags, struct gw_error *err)
{
	uint64_t start = gw_clock_ns();
	struct gw_hello hello;

	if (gw_hello_send(&o->frames, &offer->id, needs, err) < 0 ||
	    gw_hello_receive(&o->frames, &hello, err) < 0)
		return -1;
	o->round_trip_ns = gw_clock_ns() - start;
	if (memcmp(&hello.id, &offer->id, sizeof(hello.id)) != 0)
		return gw_fail(err, GW_PEER, "%s answers about another migration", o->frames.peer);
	if (needs & ~hello.features)
		return gw_fail(err, GW_REFUSED, "%s %s", o->frames.peer, needs_words);
	if (hello.features & GW_FEATURE_ALIVE &&
	    !gw_alive_start(&o->frames, o->alive_ms ? o->alive_ms : GW_ALIVE_PART(o->silence_ms),
			    err))
		return -1;
	return send_config(o, offer, config_flags, err);
}

/* The body of REFUSE has a reason in each line. A single one becomes part of the sentence. */
static int fail_refused(struct gw_offering *o, const struct gw_buffer *body, struct gw_error *err)
{
	char text[sizeof(err->text)];
	char *line, *rest = text;

	o->frames.peer_aborted = true;
	gw_frames_text(body, text, sizeof(text));
	if (!strchr(text, '\n'))
		return gw_fail(err, GW_REFUSED, "%s refuses: %s", o->frames.peer, text);
	gw_fail(err, GW_REFUSED, "%s refuses the domain", o->frames.peer);
	while ((line = strsep(&rest, "\n")))
		gw_fail_reason(err, "%s", line);
	return -1;
}

/* The receiver is busy with other migrations: it answers when it is this one's turn. */
static void publish_wait(struct gw_offering *o)
{
	const struct gw_progress waiting = {.stage = GW_STAGE_WAITING};

	gw_operation_set_progress(o->op, &waiting);
}

/* Waits for ACCEPT; fails with the reasons of REFUSE. */
static int wait_for_accept(struct gw_offering *o, struct gw_error *err)
{
	struct gw_buffer body = {0};
	struct gw_frame frame = {0};
	int rc;

	do {
		rc = gw_frames_receive(&o->frames, &frame, &body, err);
		if (rc > 0 && frame.type == GW_FRAME_WAIT)
			publish_wait(o);
	} while (rc > 0 && frame.type == GW_FRAME_WAIT);

	if (rc == 0)
		rc = gw_fail(err, GW_PEER, "%s closed the connection, expected its ACCEPT",
			     o->frames.peer);
	if (rc > 0 && frame.type == GW_FRAME_REFUSE) {
		rc = fail_refused(o, &body, err);
	} else if (rc > 0 && frame.type != GW_FRAME_ACCEPT) {
		rc = gw_fail(err, GW_PEER, "%s sent %s, expected ACCEPT or REFUSE", o->frames.peer,
			     gw_frame_name(frame.type));
	}
	gw_buffer_free(&body);
	return rc < 0 ? -1 : 0;
}

int gw_offering_end(struct gw_offering *o, struct gw_error *err)
{
	uint64_t start = gw_clock_ns();

	if (gw_frames_send(&o->frames, GW_FRAME_STATIC_END, NULL, 0, err) < 0 ||
	    wait_for_accept(o, err) < 0)
		return -1;
	o->round_trip_ns = GW_MIN(o->round_trip_ns, gw_clock_ns() - start);
	return 0;
}
