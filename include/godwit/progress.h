/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The progress of an operation, and the observer that a long call reports it to.
 */
#ifndef GODWIT_PROGRESS_H
#define GODWIT_PROGRESS_H

#include <stdint.h>

#include <godwit/log.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an operation is doing. New stages are added at the end. */
enum gw_stage {
	GW_STAGE_NONE, /* nothing was published yet */
	GW_STAGE_STATIC_DATA,
	GW_STAGE_MEMORY,
	GW_STAGE_SUSPEND,
	GW_STAGE_FINAL_ROUND,
	GW_STAGE_VERIFY,
	GW_STAGE_DEVICE_STATE,
	GW_STAGE_READING,
	GW_STAGE_CONVERTING,
	GW_STAGE_COMPARING,
	GW_STAGE_WAITING, /* for the receiver, which is busy with other migrations */
	GW_STAGE_WRITING,
	GW_STAGE_DONE, /* published once, when all is written or read */
	GW_NR_STAGES,
};

/* "memory", "final round", ...; of NONE and of anything else "". */
const char *gw_stage_name(enum gw_stage stage);
/* The stage of that name, or NONE. */
enum gw_stage gw_stage_from_name(const char *name);

/*
 * Pages and bytes are those that travel: pages with contents, and the bytes of the stream. A range
 * of pfns without pages counts for nothing.
 */
struct gw_progress {
	enum gw_stage stage;
	unsigned round;	      /* 0 first */
	uint64_t pages_done;  /* of this round */
	uint64_t pages_total; /* of this round; 0 unknown */
	uint64_t bytes;	      /* of the whole operation, so far */
	uint64_t bytes_per_s; /* measured over the last seconds; 0 unknown */
	uint64_t dirty_pages; /* at the start of this round */
	/* Of the whole operation, as far as it is known now: a guest that runs adds to it. 0:
	 * unknown. */
	uint64_t bytes_total;
	unsigned percent;     /* of bytes_total; never falls; 100 only in the stage DONE */
	uint64_t dirty_per_s; /* pages that the guest wrote, in the last live pass; 0 unknown */
	uint64_t expected_downtime_ns; /* if the guest were suspended now; 0 unknown */
	unsigned throttle;	       /* by how many percent the vCPUs are slowed */
};

/*
 * Gets the log and the progress of a call that needs no domain (a conversion, an examination). The
 * caller keeps it; zeroed, it hears nothing.
 */
struct gw_observer {
	void *owner; /* the first argument of progress */
	struct gw_log log;
	/* May be NULL. Called from the thread that runs the call, as often as the call likes. */
	void (*progress)(void *owner, const struct gw_progress *progress);
};

#ifdef __cplusplus
}
#endif
#endif
