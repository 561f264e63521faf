/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Stands between the two sides of a migration, understands frames no further than their headers,
 * and cuts the connection where it is told to.
 */
#ifndef GW_TESTS_MIGRATE_RELAY_H
#define GW_TESTS_MIGRATE_RELAY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define RELAY_NEVER (~0u)

struct relay {
	int sender, receiver; /* descriptors for the two sides to use */
	unsigned cut_at; /* number of the frame, counted over both directions, that is not passed on
			  */
	uint32_t cut_on; /* or the first frame of this type; 0: none */
	bool half;	 /* but half of it is */
	bool mute;	 /* not cut: from there on nothing is passed on, nothing closed */
	/* results, after relay_join */
	uint32_t cut_type;	/* of the frame that was cut */
	bool cut_from_receiver; /* its direction */
	unsigned frames;	/* passed on */
	uint64_t data_bytes;	/* in DATA frames */

	int fds[2]; /* its own: towards the sender, towards the receiver */
	pthread_t thread;
};

/* Begins to pass frames on. The two descriptors are the caller's to close. */
void relay_start(struct relay *r);
/* Waits until both sides have closed. */
void relay_join(struct relay *r);

#endif
