/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The monotonic clock, in nanoseconds and milliseconds.
 */
#ifndef GW_BASE_CLOCK_H
#define GW_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t gw_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t gw_clock_ms(void)
{
	return gw_clock_ns() / 1000000u;
}

#endif
