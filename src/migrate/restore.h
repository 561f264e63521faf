/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Restoring a domain from a libxc image, and from a libxl stream around one.
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
#include "migrate/report.h"

struct gw_image_header;

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

/*
 * Reads exactly one image. On failure the domain is half built: its owner destroys it. On success
 * its owner calls gw_control_restored() before it lets the domain run.
 */
int gw_restore_image(struct gw_restore_args *args, struct gw_error *err);
/* Reads exactly one libxl stream; emulator receives the last device model state (or stays empty).
 * NULL: dropped. */
int gw_restore_stream(struct gw_restore_args *args, struct gw_buffer *emulator,
		      struct gw_error *err);

#endif
