/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A save, a restore, and each side of a migration or a protection, in which the point with a chosen
 * number fails; and what must hold after it.
 */
#ifndef GW_TESTS_SOAK_SCENARIO_H
#define GW_TESTS_SOAK_SCENARIO_H

#include <godwit/error.h>

#include "migrate/protocol.h"
#include "place.h"

struct bench {
	bool emu;
	unsigned seconds;    /* how long a survivor is watched */
	char dir[100];	     /* all files; also TMPDIR */
	char image[200];     /* a saved domain: what is restored */
	struct place source; /* lives as long as the guest's console has room */

	/* of the last run */
	bool failed;   /* the operation under test did not succeed */
	bool moved;    /* a receiver whose domain runs */
	bool survives; /* a backup whose copy runs, or has been dropped: whatever failed */
	struct gw_error err;
	char why[400]; /* the promise that was not kept; "" if all were */
};

struct scenario {
	const char *name; /* "save" */
	void (*run)(struct bench *b, unsigned number);
};

extern const struct scenario scenarios[];
extern const unsigned nr_scenarios;

void bench_open(struct bench *b, bool emu);
void bench_close(struct bench *b);
/* Runs it with a fault at that point, and checks. Sets b->why. */
void bench_run(struct bench *b, const struct scenario *s, unsigned number);

/* Sets why, unless it is set. */
void broken(struct bench *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The owner's callbacks of a save of p. */
struct gw_toolstack toolstack_of(struct place *p);

/* migrations.c */
void run_send(struct bench *b, unsigned number);
void run_receive(struct bench *b, unsigned number);

/* protections.c */
void run_primary(struct bench *b, unsigned number);
void run_backup(struct bench *b, unsigned number);

#endif
