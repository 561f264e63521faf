/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A channel that goes wrong as planned, for the tests of whatever sits above one.
 */
#ifndef GW_CHANNEL_FAULT_H
#define GW_CHANNEL_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/channel.h>

#define GW_FAULT_NEVER UINT64_MAX

/* What goes wrong in one direction, each at the byte with this number (the first is 0), or
 * GW_FAULT_NEVER. */
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
/* Nothing goes wrong: to be filled in by field. */
#define GW_FAULT_PLAN_INIT                                                                         \
	{                                                                                          \
		0, GW_FAULT_POINTS_INIT, GW_FAULT_POINTS_INIT                                      \
	}

/*
 * Wraps below, which is closed with it; the plan is copied. NULL with err: below is then still the
 * caller's. Positions count from here, whatever below's are.
 */
struct gw_channel *gw_channel_fault(struct gw_channel *below, const struct gw_fault_plan *plan,
				    struct gw_error *err);

#endif
