/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One real side of a protection in a thread, and its peer, which sends and reads single frames.
 */
#ifndef GW_TESTS_MODEL_PROTECT_SIDE_H
#define GW_TESTS_MODEL_PROTECT_SIDE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "migrate/frames.h"
#include "migrate/operation.h"
#include "migrate/protect.h"

#define ROUNDS 4

/* The frames of a real protection. */
struct rounds {
	struct gw_domain *source;
	uint64_t nr_pfns;
	struct gw_buffer offer, round[ROUNDS]; /* each with its CHECKPOINT at the end */
};

struct protect_side {
	/* the plan */
	bool primary;
	struct rounds *rounds;
	int silence_ms;
	bool late, alive, bad; /* the window is over; the fence fails; the copy cannot run */
	uint64_t bad_number;   /* of the checkpoint from which on it cannot */

	/* the peer */
	struct gw_channel *ch;
	struct gw_frames frames;
	unsigned next_round; /* to be sent or read */

	/* the side */
	int fd;
	struct gw_operation *op;
	struct gw_domain *copy;
	atomic_bool over;
	atomic_uint stored; /* the last checkpoint of which the primary's owner knows */
	bool fenced, runs, dropped;
	enum gw_outcome outcome;
	struct gw_protection_result result;
	int rc;
	struct gw_error err;
};

void protect_side_start(struct protect_side *s);
/* Closes the peer's end, and waits until the side has ended. */
void protect_side_join(struct protect_side *s);

/* Sends a frame of protect.table, whose numbers are changed by add. half: half of its bytes. */
void protect_side_send(struct protect_side *s, const char *frame, int add, bool half);
/* Reads what the side sends before it waits for its peer again, after a frame of the peer or (NULL)
 * at its begin. Fails the test if that is another thing. */
void protect_side_read(struct protect_side *s, const char *after);
/* Reads all frames until the side has closed: the names of those that are no part of a round. */
void protect_side_read_rest(struct protect_side *s, char *got, size_t size);

/* Records what a real primary sends. */
void rounds_make(struct rounds *r);
void rounds_free(struct rounds *r);

#endif
