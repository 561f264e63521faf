/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The precopy policy: decides when a live save stops copying and suspends the guest, as a pure
 * function of measurements. Also the pacing of the live rounds. Neither uses a domain or a channel.
 */
#ifndef GW_MIGRATE_PRECOPY_H
#define GW_MIGRATE_PRECOPY_H

#include <stdbool.h>
#include <stdint.h>

#define GW_PRECOPY_DOWNTIME_MS 300u
#define GW_PRECOPY_MAX_ROUNDS  30u

/* Why the live passes of a save ended. */
enum gw_stop_reason {
	GW_STOP_NONE,	    /* they did not end, or nothing was saved */
	GW_STOP_DOWNTIME,   /* the dirty pages can be sent within the target */
	GW_STOP_MAX_ROUNDS, /* the limit of passes was reached */
	GW_STOP_TIMEOUT,    /* the limit of time was reached */
	GW_STOP_NOT_LIVE,   /* there were none, because the save was not live */
	GW_STOP_TOOLSTACK,  /* the domain's owner decided it */
	GW_NR_STOP_REASONS,
};

/* "downtime", "max-rounds", ...; NULL for NONE. */
const char *gw_stop_reason_name(enum gw_stop_reason reason);

/*
 * The precopy policy: stops when the dirty pages can be sent within downtime_ms at the measured
 * rate, or after timeout_ms or max_rounds.
 */
struct gw_precopy {
	unsigned downtime_ms; /* default 300 */
	uint64_t timeout_ms;  /* limit of the live phase; 0: none */
	unsigned max_rounds;  /* live passes; 0: the default, 30 */
	uint64_t bandwidth;   /* limit in bytes a second; 0: unlimited. The final round is not
				 limited. */
};

/* Measurements of one live pass. */
struct gw_precopy_round {
	uint64_t pages;	  /* sent with data */
	uint64_t bytes;	  /* of the stream */
	uint64_t busy_ns; /* time of sending them, without the waits of pacing */
	uint64_t wall_ns; /* the whole pass */
	uint64_t due;	  /* pfns that were due when it began */
	uint64_t dirty;	  /* pages known to be dirty at its end */
};

struct gw_precopy_verdict {
	enum gw_stop_reason stop;      /* NONE: go on */
	uint64_t bytes_per_s;	       /* the expected rate of the final round; 0: unknown */
	uint64_t expected_downtime_ns; /* time to send the dirty pages at that rate; UINT64_MAX:
					  unknown */
};

/*
 * Decides after a pass: rounds[0..n-1] are all live passes so far, n >= 1. The rate comes from the
 * latest passes that moved enough bytes, because a small pass into an empty pipe is faster than the
 * final round can be.
 */
struct gw_precopy_verdict gw_precopy_decide(const struct gw_precopy *policy,
					    const struct gw_precopy_round *rounds, unsigned n);

/* Token pacing. Zeroed with bytes_per_s set is ready for use. */
struct gw_pacing {
	uint64_t bytes_per_s; /* 0: unlimited */
	uint64_t ready_ns;    /* time before which nothing more should be sent */
};

/*
 * Called when bytes were sent, at time now_ns: returns the time to wait before sending more. A
 * sender that is late can catch up by at most a tenth of a second.
 */
uint64_t gw_pacing_wait_ns(struct gw_pacing *pacing, uint64_t bytes, uint64_t now_ns);

#endif
