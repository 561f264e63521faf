/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tests' generator: splitmix64, whose states form one cycle of 2^64, so that no state is a dead
 * end.
 */
#include "lib/random.h"

#include <stdlib.h>

#define DEFAULT_SEED UINT64_C(20261120)

static uint64_t first_state, state;

uint64_t random_next(uint64_t *from)
{
	uint64_t z = *from += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t random64(void)
{
	return random_next(&state);
}

uint64_t random_below(uint64_t n)
{
	return n ? random64() % n : 0;
}

uint64_t random_seed(void)
{
	return first_state;
}

void random_start(uint64_t seed, const char *test)
{
	first_state = random_next(&seed);
	for (; *test; test++) {
		first_state ^= (unsigned char)*test;
		first_state = random_next(&first_state);
	}
	state = first_state;
}

uint64_t random_program_seed(void)
{
	const char *given = getenv("GODWIT_SEED");

	return given ? strtoull(given, NULL, 0) : DEFAULT_SEED;
}
