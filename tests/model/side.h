/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One real side of a migration in a thread, and its peer, which sends and reads single frames.
 */
#ifndef GW_TESTS_MODEL_SIDE_H
#define GW_TESTS_MODEL_SIDE_H

#include <godwit/hypervisor.h>

#include "base/buffer.h"
#include "migrate/frames.h"
#include "migrate/operation.h"
#include "migrate/protocol.h"

/* The frames of one real migration, which the peer of a receiver sends. */
struct recorded {
	struct gw_domain *source;
	uint64_t nr_pfns;
	struct gw_buffer offer, stream; /* whole frames */
	uint64_t data_bytes;		/* in their DATA frames */
};

struct side {
	/* the plan */
	bool sender;
	struct recorded *recorded;
	int silence_ms;
	const char *owner_fails; /* "OFFER!", "STREAM!", "YOURS!", "RELEASE!" or NULL */

	/* the peer: the test's end of the connection */
	int fd;
	struct gw_channel *ch;
	struct gw_frames frames;

	/* the side */
	int own_fd;
	struct gw_operation *op;
	struct gw_domain *copy; /* the receiver's */
	bool noted, runs;	/* mine and run were called, and did not fail */
	enum gw_outcome outcome;
	int rc;
	struct gw_error err;
};

/* Starts the side; the peer has not sent anything. */
void side_start(struct side *s);
/* Waits until the side has ended; the peer's end is closed before that. */
void side_join(struct side *s);

/* Sends what an event of sides.table says. Neither "begin" nor "closed" nor "silence" sends. */
void side_send(struct side *s, const char *frame);
/* Sends a frame of this type with an empty body. */
void side_send_type(struct side *s, uint32_t type);
/* Reads the frames that the table calls by this name. False if others come, or too few. */
bool side_reads(struct side *s, const char *frame, char *got, size_t size);
/* Reads all frames until the side has closed: their names, with commas; "-" for none. */
void side_read_rest(struct side *s, char *got, size_t size);

/* Records a migration. */
void recorded_make(struct recorded *r);
void recorded_free(struct recorded *r);

#endif
