/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * When a live save stops copying and suspends the guest: a pure function of what was
 * measured, and the pacing of the live rounds. Neither knows a domain or a channel.
 */
#ifndef GW_MIGRATE_PRECOPY_H
#define GW_MIGRATE_PRECOPY_H

#include <stdbool.h>
#include <stdint.h>

#define GW_PRECOPY_DOWNTIME_MS 300u
#define GW_PRECOPY_MAX_ROUNDS  30u

/* Why the live passes of a save ended. */
enum gw_stop_reason {
	GW_STOP_NONE,	    /* they did not, or nothing was saved */
	GW_STOP_DOWNTIME,   /* what is dirty can be sent within the target */
	GW_STOP_MAX_ROUNDS, /* the limit of passes was reached */
	GW_STOP_TIMEOUT,    /* the limit of time was reached */
	GW_STOP_NOT_LIVE,   /* there were none: the save was not live */
	GW_STOP_TOOLSTACK,  /* the domain's owner wanted it */
	GW_NR_STOP_REASONS,
};

/* "downtime", "max-rounds", ...; NULL of NONE. */
const char *gw_stop_reason_name(enum gw_stop_reason reason);

/*
 * The precopy policy: stop when what is dirty can be sent within downtime_ms at the measured rate;
 * give up waiting for that after timeout_ms or max_rounds (then stop and copy anyway).
 */
struct gw_precopy {
	unsigned downtime_ms; /* default 300 */
	uint64_t timeout_ms;  /* of the live phase; 0: none */
	unsigned max_rounds;  /* live passes; 0: the default, 30 */
	uint64_t bandwidth; /* bytes a second at most; 0: unlimited. The final round is not limited.
			     */
};

/* One live pass, as it was measured. */
struct gw_precopy_round {
	uint64_t pages;	  /* sent with data */
	uint64_t bytes;	  /* of the stream */
	uint64_t busy_ns; /* sending them, without the time that pacing waited */
	uint64_t wall_ns; /* the whole pass */
	uint64_t due;	  /* pfns that were due when it began */
	uint64_t dirty;	  /* pages known to be due when it was over */
};

struct gw_precopy_verdict {
	enum gw_stop_reason stop; /* NONE: go on */
	uint64_t bytes_per_s;	  /* the rate the final round is expected to run at; 0 unknown */
	uint64_t expected_downtime_ns; /* of sending what is dirty now at that rate; UINT64_MAX
					  unknown */
};

/*
 * Decides after a pass: rounds[0..n-1] are all live passes so far, n >= 1. The rate comes from the
 * latest passes that moved enough to be believed, so that a small pass into an empty pipe does not
 * promise a speed which the final round will not have.
 */
struct gw_precopy_verdict gw_precopy_decide(const struct gw_precopy *policy,
					    const struct gw_precopy_round *rounds, unsigned n);

/* Token pacing. Zeroed with bytes_per_s set is ready. */
struct gw_pacing {
	uint64_t bytes_per_s; /* 0: unlimited */
	uint64_t ready_ns;    /* before this time nothing more should be sent */
};

/*
 * bytes were sent and it is now_ns: how long to wait before sending more. A sender that fell behind
 * may catch up by at most a tenth of a second.
 */
uint64_t gw_pacing_wait_ns(struct gw_pacing *pacing, uint64_t bytes, uint64_t now_ns);

#endif
