/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A domain under test: one that nothing runs, or a guest of the built-in machine that checks its
 * own memory. Each of its calls is a point (points.h).
 */
#ifndef GW_TESTS_SOAK_PLACE_H
#define GW_TESTS_SOAK_PLACE_H

#include <godwit/hypervisor.h>

#include "../migrate/faulty.h"

struct guest;

struct place {
	struct guest *guest; /* NULL: a domain in memory */
	struct faulty *f;
};

/* A domain to save or send: the guest runs. */
struct place place_source(bool emu);
/* A paused domain without memory, to restore or receive into. */
struct place place_empty(bool emu);
void place_free(struct place *p);

/* After a save or a migration that failed, or whose copy was given up: it runs on here. */
void place_resume(struct place *p);
/*
 * What is left of an operation on it: NULL if nothing is (no mapping, no log-dirty mode), else a
 * sentence about it.
 */
const char *place_leftover(const struct place *p);
/* True if the guest goes on and finds its memory whole for so long; a domain in memory always. */
bool place_beats(struct place *p, unsigned seconds);

#endif
