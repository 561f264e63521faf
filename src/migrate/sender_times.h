/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The times that the receiver of a migration gives its sender.
 */
#ifndef GW_MIGRATE_SENDER_TIMES_H
#define GW_MIGRATE_SENDER_TIMES_H

#include <stdint.h>

#define GW_HELLO_MS   10000
#define GW_DATA_MS    300000
#define GW_DATA_BYTES (64 << 10)

/*
 * The time that a sender has, whatever it does with it: a byte now and then, or ALIVE, gains
 * nothing. Zeroed members are the defaults.
 */
struct gw_sender_times {
	int hello_ms;	  /* for its HELLO, 10 s */
	int config_ms;	  /* from there to STATIC_END, 60 s */
	int data_ms;	  /* for each piece of the stream that follows, 300 s */
	int suspend_ms;	  /* from SWITCHOVER to the next byte of the stream, 3660 s */
	int handover_ms;  /* READY to YOURS, and MINE to RELEASE, 60 s each */
	int data_bytes;	  /* of such a piece, 64 KiB */
	uint64_t from_ms; /* gw_clock_ms() at which the time for HELLO began; 0: at the call */
};

#endif
