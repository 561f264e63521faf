/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Points at which a fault can happen, counted: the one with a chosen number fails. Only the thread
 * under test counts, so that a number means the same in each run.
 */
#ifndef GW_TESTS_SOAK_POINTS_H
#define GW_TESTS_SOAK_POINTS_H

#include <stdbool.h>

#define POINTS_NEVER (~0u)

/* The next run: the point with this number fails; POINTS_NEVER: none. */
void points_start(unsigned fail_at);
/* This thread counts from now on, or no longer. Returns what was before. */
bool points_watch(bool on);

/* Counts one; true if it has to fail. Each allocation of the library's code is one as well. */
bool point(const char *what);

unsigned points_seen(void);
/* What the point was that failed; "" if none did. */
const char *points_failed(void);

#endif
