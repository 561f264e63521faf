/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tests' generator of random numbers. It starts afresh for each test, from GODWIT_SEED and the
 * test's name: a test draws the same numbers alone as among others. Any number is a valid seed.
 * Every program prints its seed when it starts and again after each test that fails.
 */
#ifndef GW_TESTS_RANDOM_H
#define GW_TESTS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* The next 64 random bits of the running test. Only for the test's own thread: any other has a
 * state of its own and calls random_next(). */
uint64_t random64(void);

/* A random number of the running test, less than n; 0 if n is 0. */
uint64_t random_below(uint64_t n);

/* The running test's first state: for what takes a seed itself, such as legacy_make(). */
uint64_t random_seed(void);

/* The next 64 random bits after this state, which may start with any value. */
uint64_t random_next(uint64_t *state);

/* Starts the test of this name from this seed; gwtest.h calls it before each test. */
void random_start(uint64_t seed, const char *test);

/* The program's seed: GODWIT_SEED, in decimal, octal or hexadecimal, else always the same one. */
uint64_t random_program_seed(void);

#endif
