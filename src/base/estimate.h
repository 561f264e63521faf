/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Estimates of a running operation: its rate over the last seconds, and its percentage. Only
 * arithmetic: the caller gives the time.
 */
#ifndef GW_BASE_ESTIMATE_H
#define GW_BASE_ESTIMATE_H

#include <stdint.h>

#include <godwit/progress.h>

#define GW_ESTIMATE_SAMPLES 16

/* Zeroed is ready for use; the first call to gw_estimate() starts the measurement. */
struct gw_estimate {
	struct {
		uint64_t ns, bytes;
	} samples[GW_ESTIMATE_SAMPLES]; /* a ring, in the order of time */
	unsigned first, nr;
	unsigned percent; /* the highest so far */
};

/*
 * Notes that p->bytes have moved at now_ns, and fills p->bytes_per_s, p->percent and, if bytes
 * exceed it, p->bytes_total. There is no rate in the first tenth of a second, because too little
 * was measured. A time in which nothing moves lowers the rate.
 */
void gw_estimate(struct gw_estimate *e, struct gw_progress *p, uint64_t now_ns);

/* The bytes that have still to move; 0 if bytes_total is unknown. */
uint64_t gw_progress_bytes_left(const struct gw_progress *p);
/* The seconds that they take at the measured rate, rounded up; UINT64_MAX if that is unknown. */
uint64_t gw_progress_seconds_left(const struct gw_progress *p);

#endif
