/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The toolstack: the owner of a domain while the engine saves or restores it. The engine never
 * suspends, resumes or creates a domain by itself: it asks through this table. The entries mean
 * what libxl-save-helper's callbacks of the same names mean.
 */
#ifndef GODWIT_TOOLSTACK_H
#define GODWIT_TOOLSTACK_H

#include <stddef.h>
#include <stdint.h>

#include <godwit/channel.h>
#include <godwit/error.h>
#include <godwit/hypervisor.h>
#include <godwit/log.h>
#include <godwit/progress.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the two ends agreed on: one image, or one with checkpoints. */
enum gw_stream_type { GW_STREAM_PLAIN, GW_STREAM_REMUS, GW_STREAM_COLO };

enum gw_checkpoint_verdict {
	GW_CHECKPOINT_STOP = 0,	    /* save: end here */
	GW_CHECKPOINT_GO_ON = 1,    /* next round */
	GW_CHECKPOINT_FAILOVER = 2, /* restore: the sender is gone, run the last complete state */
};

enum gw_precopy_decision {
	GW_PRECOPY_ABORT = -1,	 /* end the save; the domain was not suspended */
	GW_PRECOPY_CONTINUE = 0, /* one more live pass */
	GW_PRECOPY_STOP = 1,	 /* suspend, send the rest */
};

/* What is known after a live pass. */
struct gw_precopy_stats {
	unsigned iteration;	/* live passes so far, 1 after the first */
	uint64_t total_written; /* pages with data sent so far */
	uint64_t dirty_count;	/* pages known to be due now */
	uint64_t bytes_per_s;	/* the rate the final round is expected to run at; 0 unknown */
	uint64_t expected_downtime_ns; /* of sending dirty_count at that rate; UINT64_MAX unknown */
	enum gw_precopy_decision advice; /* what the library's own policy says */
	uint64_t last_due; /* pfns that were due when the last pass began: all, then the dirty ones
			    */
};

/*
 * Filled by the domain's owner. Every entry is optional: the library supplies what its comment
 * calls the default, also for entries that a table of an older size does not have. Entries that
 * return int return 0, or -1 with err, unless they say otherwise. All entries are called from the
 * thread that runs the operation, one at a time.
 */
struct gw_toolstack {
	struct gw_table_head head; /* GW_TABLE_HEAD(struct gw_toolstack) */
	void *owner;		   /* the first argument of each entry */
	struct gw_log log;
	/* NULL is fine, as it is for every entry below. */
	void (*progress)(void *owner, const struct gw_progress *progress);

	/*
	 * save: suspends the domain; on return no vCPU runs and the device model is still. COLO's
	 * restore: the same of the secondary; GW_CHECKPOINT_FAILOVER: the primary is gone.
	 * Default: there is none, and a save or COLO is refused (GW_USAGE).
	 */
	int (*suspend)(void *owner, struct gw_error *err);
	/*
	 * save, checkpointed: lets the suspended domain and its device model run again after its
	 * memory and state were copied. Has nothing to do with post-copy migration; the name is
	 * libxl's. COLO's restore: lets the secondary run; GW_CHECKPOINT_FAILOVER: the primary is
	 * gone. Default: a checkpointed save or COLO is refused (GW_USAGE).
	 */
	int (*postcopy)(void *owner, struct gw_error *err);
	/*
	 * A checkpoint is complete on the channel (save) or spooled (restore): an enum
	 * gw_checkpoint_verdict, or -1. Default: a checkpointed save is refused (GW_USAGE); a
	 * restore goes on.
	 */
	int (*checkpoint)(void *owner, struct gw_error *err);
	/* COLO: waits for the next reason to checkpoint: an enum gw_checkpoint_verdict, or -1.
	 * Default: goes on. */
	int (*wait_checkpoint)(void *owner, struct gw_error *err);
	/*
	 * save, live: asked after each live pass, before the next or the suspend: an enum
	 * gw_precopy_decision; for ABORT err may say why. Default: stats->advice.
	 */
	int (*precopy_policy)(void *owner, const struct gw_precopy_stats *stats,
			      struct gw_error *err);
	/*
	 * save, HVM: makes the device model log the pages that it writes (enable 1), or not (0).
	 * Default: does nothing, as for a domain without a device model.
	 */
	int (*logdirty_switch)(void *owner, int enable, struct gw_error *err);
	/*
	 * save, HVM, in a libxl stream: the state of the device model. Asked after each suspend, so
	 * at each checkpoint, before postcopy. *state is malloc'ed for the caller; *len 0: there is
	 * no device model. Default: none.
	 */
	int (*device_model_state)(void *owner, void **state, size_t *len, struct gw_error *err);
	/*
	 * restore: the policies that the image brings (empty ones: none came), before the domain is
	 * touched. -1 refuses the domain, with the reasons in err. policy is borrowed for the call.
	 * Default: accepts.
	 */
	int (*static_data)(void *owner, enum gw_guest_type type, const struct gw_policy *policy,
			   struct gw_error *err);
	/*
	 * restore: the static data was applied to the domain. missing: bit 0 no CPUID policy came,
	 * bit 1 no MSR policy: the owner has to set its own. Default: does nothing.
	 */
	int (*static_data_done)(void *owner, unsigned missing, struct gw_error *err);
	/*
	 * restore: the domain is complete. The gfns of its xenstore and console rings;
	 * GW_INVALID_PFN: it has none. Default: does nothing.
	 */
	int (*restore_results)(void *owner, uint64_t store_gfn, uint64_t console_gfn,
			       struct gw_error *err);
	/* COLO: the pfns that the secondary has written, brought (save) or taken away (restore).
	 * Borrowed. Default: COLO is refused (GW_USAGE). */
	struct gw_channel *back_channel;
	/*
	 * save, live: slows the vCPUs, so that they run (100 - percent) % of the time; 0: at full
	 * speed. Called with 0 before the save begins, if its policy may slow them: -1
	 * (GW_UNSUPPORTED) if that is not possible. Default: it is not.
	 */
	int (*throttle)(void *owner, unsigned percent, struct gw_error *err);
};

#ifdef __cplusplus
}
#endif
#endif
