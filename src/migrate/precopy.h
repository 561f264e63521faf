/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The precopy policy: decides after each live pass of a save, as a pure function of measurements.
 * Also the pacing of the live passes. Neither uses a domain or a channel; trace.h replays recorded
 * measurements.
 */
#ifndef GW_MIGRATE_PRECOPY_H
#define GW_MIGRATE_PRECOPY_H

#include <stdbool.h>
#include <stdint.h>

#define GW_PRECOPY_DOWNTIME_MS 300u
#define GW_PRECOPY_MAX_ROUNDS  30u

/* What the parts of a downtime are assumed to take as long as they were never measured. */
#define GW_PRECOPY_SUSPEND_NS  UINT64_C(10000000)
#define GW_PRECOPY_STATE_NS    UINT64_C(5000000)
#define GW_PRECOPY_RECEIVER_NS UINT64_C(20000000)

/* Why the live passes of a save ended. */
enum gw_stop_reason {
	GW_STOP_NONE,	    /* they did not end, or nothing was saved */
	GW_STOP_DOWNTIME,   /* the downtime is expected to be within the target */
	GW_STOP_MAX_ROUNDS, /* the limit of passes was reached */
	GW_STOP_TIMEOUT,    /* the limit of time was reached */
	GW_STOP_NOT_LIVE,   /* there were none, because the save was not live */
	GW_STOP_TOOLSTACK,  /* the domain's owner decided it */
	GW_STOP_STALLED,    /* another pass would bring the target no nearer */
	GW_NR_STOP_REASONS,
};

/* "downtime", "max-rounds", ...; NULL for NONE. */
const char *gw_stop_reason_name(enum gw_stop_reason reason);
/* The reason of that name; NONE for NULL or another name. */
enum gw_stop_reason gw_stop_reason_from_name(const char *name);

/* What is done when the live passes stall. */
enum gw_on_stall {
	GW_ON_STALL_SWITCH,   /* suspend the guest, and miss the target */
	GW_ON_STALL_ABORT,    /* end the save; the guest runs on */
	GW_ON_STALL_THROTTLE, /* slow the vCPUs in steps; suspend when they are slowest */
	GW_NR_ON_STALL,
};

/* "switch", "abort", "throttle". */
const char *gw_on_stall_name(enum gw_on_stall on_stall);
/* False if name (NULL is fine) is not one of them. */
bool gw_on_stall_from_name(const char *name, enum gw_on_stall *on_stall);

/* The user's wishes. */
struct gw_precopy {
	unsigned downtime_ms; /* upper bound of the whole downtime; 0: the default, 300 */
	uint64_t timeout_ms;  /* limit of the live phase; 0: none */
	unsigned max_rounds;  /* live passes; 0: the default, 30 */
	uint64_t bandwidth;   /* limit in bytes a second; 0: unlimited. The final round is not
				 limited. */
	enum gw_on_stall on_stall;
};

/* The downtime that does not depend on the dirty pages, as it was measured; 0: never. */
struct gw_precopy_cost {
	uint64_t suspend_ns;  /* the guest suspends itself */
	uint64_t state_ns;    /* its state is collected */
	uint64_t receiver_ns; /* the receiver restores it and lets it run */
	uint64_t handover_ns; /* the messages between the two sides */
	bool has_receiver;    /* the two above belong to it: false for a file */
};

/* Their sum, with the assumed values for what was never measured. */
uint64_t gw_precopy_fixed_ns(const struct gw_precopy_cost *cost);

/* Measurements of one live pass. */
struct gw_precopy_round {
	uint64_t pages;	  /* sent with data */
	uint64_t bytes;	  /* of the stream */
	uint64_t busy_ns; /* time of sending them, without the waits of pacing */
	uint64_t wall_ns; /* the whole pass */
	uint64_t due;	  /* pages that were due when it began; of the first: the domain's memory */
	uint64_t dirty;	  /* pages known to be dirty at its end */
	uint64_t fixed_ns; /* gw_precopy_fixed_ns() at its end */
	unsigned throttle; /* by how many percent the vCPUs were slowed in it */
};

enum gw_precopy_action {
	GW_PRECOPY_GO_ON,	/* another live pass */
	GW_PRECOPY_SLOW_DOWN,	/* another one, with the vCPUs slowed by verdict.throttle */
	GW_PRECOPY_SWITCH_OVER, /* suspend, because of verdict.reason */
	GW_PRECOPY_GIVE_UP,	/* end the save, because of verdict.reason */
	GW_NR_PRECOPY_ACTIONS,
};

/* "go on", "throttle", "switch", "abort". */
const char *gw_precopy_action_name(enum gw_precopy_action action);

struct gw_precopy_verdict {
	enum gw_precopy_action action;
	enum gw_stop_reason reason; /* of SWITCH_OVER and GIVE_UP, else NONE */
	unsigned throttle;	    /* of SLOW_DOWN: percent */
	uint64_t bytes_per_s;	    /* the expected rate of the final round; 0: unknown */
	/* Of the whole downtime: the dirty pages at that rate, and fixed_ns. UINT64_MAX: unknown */
	uint64_t expected_downtime_ns;
};

/*
 * Decides after a pass: rounds[0..n-1] are all live passes so far, n >= 1. The rate comes from the
 * latest passes that moved enough bytes, because a small pass into an empty pipe is faster than the
 * final round can be. The rules are the table in precopy.c, the first that applies decides.
 */
struct gw_precopy_verdict gw_precopy_decide(const struct gw_precopy *policy,
					    const struct gw_precopy_round *rounds, unsigned n);

/* The target in force, in milliseconds. */
unsigned gw_precopy_target_ms(const struct gw_precopy *policy);

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
