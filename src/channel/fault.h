/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A channel with planned faults, for tests of code that uses channels.
 */
#ifndef GW_CHANNEL_FAULT_H
#define GW_CHANNEL_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/channel.h>

#define GW_FAULT_NEVER UINT64_MAX

/* The faults of one direction. Each happens at the byte with this number (from 0), or never
 * (GW_FAULT_NEVER). */
struct gw_fault_points {
	uint64_t error_at; /* from here on: fails with errnum */
	uint64_t end_at; /* reading: the input ends here. Writing: fails with EPIPE from here on */
	uint64_t stall_at;    /* once: a silence of stall_ms */
	uint64_t corrupt_at;  /* this byte is delivered XORed with corrupt_with */
	int errnum;	      /* 0: EIO */
	int stall_ms;	      /* -1: until it is cancelled */
	uint8_t corrupt_with; /* 0: 0xff */
	uint32_t most; /* a call moves a random number of bytes from 1 to this; 0: as many as it can
			*/
};

struct gw_fault_plan {
	uint64_t seed;
	struct gw_fault_points read, write;
};

#define GW_FAULT_POINTS_INIT                                                                       \
	{                                                                                          \
		GW_FAULT_NEVER, GW_FAULT_NEVER, GW_FAULT_NEVER, GW_FAULT_NEVER, 0, -1, 0, 0        \
	}
/* A plan without faults, in which the caller sets fields. */
#define GW_FAULT_PLAN_INIT                                                                         \
	{                                                                                          \
		0, GW_FAULT_POINTS_INIT, GW_FAULT_POINTS_INIT                                      \
	}

/*
 * Wraps below in a channel with the faults of plan, which is copied. Positions count from this
 * call. Closing the channel closes below. Returns NULL on failure; below is then still the
 * caller's.
 */
struct gw_channel *gw_channel_fault(struct gw_channel *below, const struct gw_fault_plan *plan,
				    struct gw_error *err);

#endif
