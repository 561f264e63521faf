/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The engine's front: operations, save and restore of the libxc image and of the libxl stream
 * around it, the precopy policy, the report. It asks a toolstack for whatever concerns the
 * domain's life, and never creates, suspends or resumes one by itself.
 */
#ifndef GW_MIGRATE_ENGINE_H
#define GW_MIGRATE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/cancel.h>
#include <godwit/channel.h>
#include <godwit/hypervisor.h>
#include <godwit/toolstack.h>

#include "base/buffer.h"

struct gw_image_header;

/* Where the downtime went, in ns; and what was moved. Filled by save and restore as they go. */
struct gw_report {
	/* save */
	unsigned rounds;	  /* memory passes, the final one included */
	uint64_t round_pages[64]; /* pages with data of each round (the last entry sums the rest) */
	uint64_t round_ns[64];
	uint64_t pages; /* with data, resends counted */
	uint64_t bytes; /* of the stream */
	uint64_t total_ns;
	const char *stopped_by; /* "downtime", "max-rounds", "timeout", "not live", ... */
	/* downtime, by stage */
	uint64_t pause_ns, final_round_ns, device_state_ns, transfer_ns, resume_ns;
	uint64_t downtime_ns;	       /* sum, as this side sees it */
	uint64_t expected_downtime_ns; /* what the policy promised when it stopped */
};

enum gw_stream_type { GW_STREAM_PLAIN, GW_STREAM_REMUS, GW_STREAM_COLO };

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

struct gw_save_args {
	struct gw_domain *domain;
	struct gw_channel *out;
	const struct gw_toolstack *toolstack;
	const struct gw_cancel *cancel;
	bool live;
	bool verify; /* live and plain: send everything again behind VERIFY */
	enum gw_stream_type stream_type;
	struct gw_precopy precopy;
	struct gw_report *report; /* may be NULL */
	/*
	 * Called when static data (headers to STATIC_DATA_END) stands on the channel and before any
	 * memory: the place where a migration waits for ACCEPT. NULL is fine.
	 */
	int (*static_data_sent)(void *opaque, struct gw_error *err);
	/* Called when the decision to stop is taken, before toolstack->suspend. NULL is fine. */
	int (*switchover)(void *opaque, struct gw_error *err);
	void *opaque;
};

/*
 * Writes the libxc image of args->domain to args->out, END included. When it returns, whatever it
 * returns, log-dirty is off, nothing is mapped, and the channel refers to no byte of the domain's.
 * It never resumes a domain behind the last round: if toolstack->suspend was called, that is left
 * to whoever owns the domain, on failure and cancel as well.
 */
int gw_save_image(const struct gw_save_args *args, struct gw_error *err);
/*
 * The same inside a libxl stream: header, LIBXC_CONTEXT, image, [emulator records], END.
 * emulator: state of a device model (EMULATOR_CONTEXT), or NULL.
 */
int gw_save_stream(const struct gw_save_args *args, const struct gw_buffer *emulator,
		   struct gw_error *err);

/*
 * A fault of the image that only a restore can see, because it needs the guest's memory or the
 * domain: the rule (format/rules.h) it breaks, and the record where it was seen, if it was in one
 * of the input.
 */
struct gw_refusal {
	const char *rule; /* id; NULL: the restore did not fail, or for another reason */
	bool has_record;
	uint32_t record_type;
	uint64_t record_number, offset; /* the latter from the first byte of the input */
	char text[400];
};

struct gw_restore_args {
	struct gw_domain *domain; /* paused, without memory */
	struct gw_channel *in;
	uint64_t base; /* offset of the layer's first byte in the input, for messages */
	const struct gw_toolstack *toolstack;
	const struct gw_cancel *cancel;
	/* What the container or the sender announced. PLAIN takes a stored image with checkpoints
	 * in it, too: its last complete checkpoint. */
	enum gw_stream_type stream_type;
	/* The sender waits at the other end: a CHECKPOINT in a PLAIN stream is refused, as Xen
	 * refuses it. */
	bool under_way;
	struct gw_report *report;
	/*
	 * Called with the static data (policies, versions) as soon as it is complete, before domain
	 * is touched; refusing (-1) ends the restore. May set args->domain when it was NULL (a
	 * receiver that creates the domain only then).
	 */
	int (*static_data)(void *opaque, struct gw_domain **domain, enum gw_guest_type type,
			   const struct gw_policy *policy, struct gw_error *err);
	/* Called with the image's header, before any record of it is read: refusing (-1) ends the
	 * restore. NULL is fine. */
	int (*header)(void *opaque, const struct gw_image_header *header, struct gw_error *err);
	void *opaque;
	/* results */
	bool failed_over;	    /* the input ended behind a complete checkpoint */
	uint64_t checkpoints;	    /* complete ones that were applied */
	uint64_t bytes;		    /* consumed */
	uint64_t verify_mismatches; /* pages behind VERIFY that are not what they were; each was
				       logged */
	struct gw_refusal refusal;  /* why it failed, if it is such a fault */
};

/* Reads exactly one image. On failure the domain is half built: its owner destroys it. */
int gw_restore_image(struct gw_restore_args *args, struct gw_error *err);
/* Reads exactly one libxl stream; emulator receives the last device model state (or stays empty).
 * NULL: dropped. */
int gw_restore_stream(struct gw_restore_args *args, struct gw_buffer *emulator,
		      struct gw_error *err);

/*
 * An operation: a function that runs in a thread of its own, with progress and cancel. Start, poll
 * (its fd is readable when it is over), progress, cancel, wait.
 */
struct gw_operation;
typedef int (*gw_operation_fn)(void *opaque, struct gw_operation *op, struct gw_error *err);
struct gw_operation *gw_operation_start(const char *name, gw_operation_fn fn, void *opaque,
					struct gw_error *err);
int gw_operation_fd(const struct gw_operation *op);
void gw_operation_progress(struct gw_operation *op, struct gw_progress *progress);
/* For fn: publishes progress. */
void gw_operation_set_progress(struct gw_operation *op, const struct gw_progress *progress);
const struct gw_cancel *gw_operation_cancel_token(struct gw_operation *op);
/* 0 asked for; -1 with GW_TOO_LATE inside the commit window. */
int gw_operation_cancel(struct gw_operation *op, struct gw_error *err);
/* For fn: from now on cancel says "too late" (true), or may be asked again. -1 with GW_CANCELLED if
 * it was asked before. */
int gw_operation_commit_window(struct gw_operation *op, bool open, struct gw_error *err);
/* Waits for the end, frees op, returns what fn returned. */
int gw_operation_wait(struct gw_operation *op, struct gw_error *err);

#endif
