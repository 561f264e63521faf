/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The toolstack: whoever owns the domain while the engine saves or restores it.
 * The engine never suspends, resumes or creates a domain by itself; it asks through this
 * table. The meanings are those of libxl-save-helper's callbacks.
 */
#ifndef GODWIT_TOOLSTACK_H
#define GODWIT_TOOLSTACK_H

#include <stdint.h>

#include <godwit/error.h>
#include <godwit/log.h>

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

struct gw_progress {
	const char *stage;    /* "static data", "memory", "final round", "device state", ... */
	unsigned round;	      /* 0 first */
	uint64_t pages_done;  /* of this round */
	uint64_t pages_total; /* of this round; 0 unknown */
	uint64_t bytes;	      /* of the whole operation */
	uint64_t bytes_per_s; /* measured lately; 0 unknown */
	uint64_t dirty_pages; /* at the start of this round */
};

/*
 * Entries that may be NULL say so. Those that return int: 0 done, -1 with err, unless they say
 * otherwise. All are called from the thread that runs the operation.
 */
struct gw_toolstack {
	void *opaque;
	/* save: suspend the domain; on return no vCPU runs and the device model is still. */
	int (*suspend)(void *opaque, struct gw_error *err);
	/* save, checkpointed: let it run again. NULL in a plain save. */
	int (*resume)(void *opaque, struct gw_error *err);
	/* A checkpoint is whole on the channel (save) or spooled (restore): enum
	 * gw_checkpoint_verdict or -1. NULL: plain. */
	int (*checkpoint)(void *opaque, struct gw_error *err);
	/* COLO: wait for the next reason to checkpoint. NULL otherwise. */
	int (*wait_checkpoint)(void *opaque, struct gw_error *err);
	/* save, HVM: the device model shall (not) log the pages it writes. NULL: there is none. */
	int (*logdirty_switch)(void *opaque, int enable, struct gw_error *err);
	/* restore: static data is in. missing: bit 0 no CPUID policy, bit 1 no MSR policy came.
	 * NULL is fine. */
	int (*static_data_done)(void *opaque, unsigned missing, struct gw_error *err);
	/* restore: where xenstore and console rings are. NULL is fine. */
	void (*restore_results)(void *opaque, uint64_t store_gfn, uint64_t console_gfn);
	/* NULL is fine. */
	void (*progress)(void *opaque, const struct gw_progress *progress);
	struct gw_log log;
};

#ifdef __cplusplus
}
#endif
#endif
