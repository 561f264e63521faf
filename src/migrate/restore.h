/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The restore of a domain from a libxc image, or from a libxl stream around one.
 */
#ifndef GW_MIGRATE_RESTORE_H
#define GW_MIGRATE_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/cancel.h>
#include <godwit/channel.h>
#include <godwit/hypervisor.h>
#include <godwit/toolstack.h>

#include "base/buffer.h"
#include "guest/guest.h"
#include "migrate/operation.h"
#include "migrate/report.h"

struct gw_image_header;
struct gw_config_facts;
struct gw_emulator_records;

/*
 * A fault of the image that only a restore can check, because that needs the guest's memory or the
 * domain. It has the broken rule (format/rules/rules.h) and the record where it was found, if it
 * was in a record of the input.
 */
struct gw_refusal {
	const char *rule; /* id; NULL: the restore succeeded, or failed for another reason */
	bool has_record;
	uint32_t record_type;
	uint64_t record_number, offset; /* offset from the first byte of the input */
	char text[400];
};

/* The inputs of a restore. All pointers are borrowed until it returns. */
struct gw_restore_args {
	struct gw_domain *domain; /* paused, without memory; NULL: static_data creates it */
	struct gw_channel *in;
	uint64_t origin;		      /* offset of the next byte of in, for messages */
	const struct gw_config_facts *config; /* of the config before the image; NULL: none */
	/* A stream: gets the emulator records of the last complete round, or stays as it is. NULL:
	 * they are dropped. */
	struct gw_emulator_records *emulator;
	/* The far ends of the guest's rings on this host, as bound by the domain's owner. */
	struct gw_ring_end store, console;
	const struct gw_toolstack *toolstack; /* NULL is fine */
	struct gw_operation *op; /* gets the progress, like the toolstack; NULL: none */
	const struct gw_cancel *cancel;
	/* The type that the container or the sender announced. PLAIN also accepts a stored image
	 * with checkpoints, and restores the last complete one. */
	enum gw_stream_type stream_type;
	/* The sender waits at the other end: a CHECKPOINT in a PLAIN stream is refused, as in
	 * Xen. After each checkpoint of a COLO stream the domain runs as the secondary (the
	 * toolstack's postcopy, wait_checkpoint, suspend, back channel). */
	bool under_way;
	void *owner; /* passed to the calls below, any of which may be NULL */
	/* Called with the image's header, before any record of it is read; -1 ends the restore. */
	int (*header)(void *owner, const struct gw_image_header *header, struct gw_error *err);
	/*
	 * Called with the static data (policies, versions) as soon as it is complete, before the
	 * domain is touched; -1 ends the restore. May set *domain when it is NULL (a receiver that
	 * creates the domain only then).
	 */
	int (*static_data)(void *owner, struct gw_domain **domain, enum gw_guest_type type,
			   const struct gw_policy *policy, struct gw_error *err);
	/*
	 * Called after static_data: the pages with contents that are expected, for the progress;
	 * 0: unknown. Not needed for a file.
	 */
	uint64_t (*expected_pages)(void *owner);
	/* The pages that the domain can have: a bound for a round of checkpoints. 0: unknown. */
	uint64_t max_pages;
	/*
	 * A stream of checkpoints. complete: the checkpoint has arrived and is not applied yet; an
	 * enum gw_checkpoint_verdict, or -1. After it the toolstack is asked. applied: the domain
	 * has the state of this checkpoint and can be completed; the same values. Numbers count
	 * from 1.
	 */
	int (*checkpoint_complete)(void *owner, uint64_t number, struct gw_error *err);
	int (*checkpoint_applied)(void *owner, uint64_t number, struct gw_error *err);
	/*
	 * Called with every refusal. If it is set, a refusal ends the restore only where it is not
	 * safe to go on; otherwise the record or the page is left out, so that all faults are
	 * found. Such a domain must never run.
	 */
	void (*refused)(void *owner, const struct gw_refusal *refusal);
};

/* The result of a restore. */
struct gw_restore_result {
	bool failed_over;	    /* the input ended after a complete checkpoint */
	uint64_t checkpoints;	    /* complete checkpoints that were applied */
	uint64_t bytes;		    /* of the input that were read */
	uint64_t verify_mismatches; /* pages after VERIFY that differ from those sent before; each
				       was logged */
	/* Of all records but the pages: another snapshot of the same guest has another one, because
	 * its clocks and registers differ. */
	uint64_t fingerprint;
	struct gw_refusal refusal; /* the cause, if the restore failed because of such a fault */
	struct gw_report report;   /* filled if the restore succeeds */
};

/* Reads exactly one image. *result is always filled; NULL is fine. 0: the domain's owner calls
 * gw_control_restored() before it lets the domain run. -1: the domain is incomplete, and its owner
 * destroys it. */
int gw_restore_image(const struct gw_restore_args *args, struct gw_restore_result *result,
		     struct gw_error *err);
/* Reads exactly one libxl stream. device_model receives the state of the device model in the last
 * complete round (or stays empty). NULL: dropped. */
int gw_restore_stream(const struct gw_restore_args *args, struct gw_buffer *device_model,
		      struct gw_restore_result *result, struct gw_error *err);

#endif
