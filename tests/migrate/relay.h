/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A relay between the two sides of a migration. It knows only the headers of frames, and cuts the
 * connection at a chosen frame.
 */
#ifndef GW_TESTS_MIGRATE_RELAY_H
#define GW_TESTS_MIGRATE_RELAY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define RELAY_NEVER (~0u)

struct relay {
	int sender, receiver; /* descriptors for the two sides to use */
	unsigned cut_at;      /* number of the frame to cut at, over both directions */
	uint32_t cut_on;      /* or cut at the first frame of this type; 0: none */
	bool half;	      /* half of the frame is passed on */
	bool mute;	      /* instead of a cut: nothing more is passed on, nothing is closed */
	/* results, after relay_join */
	uint32_t cut_type;	/* type of the frame that was cut */
	bool cut_from_receiver; /* direction of that frame */
	unsigned frames;	/* frames passed on */
	uint64_t data_bytes;	/* in DATA frames */

	int fds[2]; /* own descriptors: towards the sender, towards the receiver */
	pthread_t thread;
};

/* Starts to pass frames on. The caller closes the two descriptors. */
void relay_start(struct relay *r);
/* Waits until both sides have closed. */
void relay_join(struct relay *r);

#endif
