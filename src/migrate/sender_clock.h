/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The clock beside a sender: how long each part of a migration may take it (docs/protocol.md).
 */
#ifndef GW_MIGRATE_SENDER_CLOCK_H
#define GW_MIGRATE_SENDER_CLOCK_H

#include "channel/deadline.h"
#include "migrate/protocol.h"

struct gw_sender_clock {
	struct gw_sender_times times; /* complete */
	struct gw_deadline deadline;  /* of the channel */
	struct gw_channel *ch;
	uint64_t piece; /* bytes of the stream since the deadline was set last */
	bool in_data;
};

/* Begins with the time for HELLO. Nothing is timed after gw_sender_clock_stop(). */
void gw_sender_clock_start(struct gw_sender_clock *c, struct gw_channel *ch,
			   const struct gw_sender_times *times);
/* HELLO has come: CONFIG and the static data follow. */
void gw_sender_clock_config(struct gw_sender_clock *c);
/* ACCEPT was sent: memory follows. */
void gw_sender_clock_data(struct gw_sender_clock *c);
/* SWITCHOVER has come. */
void gw_sender_clock_suspend(struct gw_sender_clock *c);
/* Bytes of the stream have come; counted between DATA and STOP. */
void gw_sender_clock_came(struct gw_sender_clock *c, uint64_t bytes);
/* A frame of the handover is expected: "its YOURS". */
void gw_sender_clock_handover(struct gw_sender_clock *c, const char *what);
/* The sender is not waited for. */
void gw_sender_clock_stop(struct gw_sender_clock *c);

#endif
