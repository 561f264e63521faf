/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Saves a domain: the libxc image, and the libxl stream around it. The engine asks the toolstack
 * for every change of the domain's state; it never suspends or resumes a domain itself.
 */
#ifndef GW_MIGRATE_SAVE_H
#define GW_MIGRATE_SAVE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/cancel.h>
#include <godwit/channel.h>
#include <godwit/hypervisor.h>
#include <godwit/toolstack.h>

#include "migrate/operation.h"
#include "migrate/precopy.h"
#include "migrate/report.h"

/*
 * A layer around the image: the libxl stream, the frames of a migration. The writer of the image
 * calls it in the thread of the save, the innermost layer first. Each entry may be NULL.
 */
struct gw_save_layer {
	void *opaque;
	const struct gw_save_layer *outer; /* the layer around this one; NULL: none */
	/* The static data (headers to STATIC_DATA_END) is on the channel, and no memory yet: here a
	 * migration waits for ACCEPT. */
	int (*static_data_written)(void *opaque, struct gw_error *err);
	/* The save pauses because its bandwidth is limited: called a few times a second. */
	int (*paused)(void *opaque, struct gw_error *err);
	/* The save will suspend the domain next (toolstack->suspend). Called once in a save. */
	int (*switchover)(void *opaque, struct gw_error *err);
	/* The domain is suspended and its vCPUs' state was read: gets the device model's state, if
	 * this layer carries it. */
	int (*take_device_state)(void *opaque, const struct gw_toolstack *toolstack,
				 struct gw_error *err);
	/* The time of the messages that hand the domain over after the image, as measured so far.
	 * The layer has a receiver. */
	uint64_t (*handover_ns)(void *opaque);
	/* The image is at a CHECKPOINT (the domain may run again) or, if last, at END: writes this
	 * layer's records for it. */
	int (*checkpoint)(void *opaque, bool last, struct gw_error *err);
};

struct gw_emulator_records;

/* The inputs of a save. */
struct gw_save_args {
	struct gw_domain *domain;
	struct gw_channel *out;
	const struct gw_toolstack *toolstack;
	/* Gets the progress, like the toolstack; its cancel token is obeyed. NULL: none. */
	struct gw_operation *op;
	const struct gw_cancel *cancel; /* instead of op's; NULL is fine */
	bool live;
	/* live and plain: a domain without log-dirty is suspended first, with a warning in the log.
	 * Else its save fails with GW_UNSUPPORTED. */
	bool suspend_if_not_logged;
	/* not live and plain, out is a regular file, whose position is a multiple of 8: all pages
	 * begin on page boundaries of the file, but those of a short last record. */
	bool align_pages;
	bool static_only; /* end after STATIC_DATA_END: the domain is never suspended */
	bool verify;	  /* live and plain: send everything again after VERIFY */
	enum gw_stream_type stream_type;
	struct gw_precopy precopy;
	struct gw_precopy_cost cost; /* as measured before */
	/* Called after each live pass, whose number counts from 0, with what the policy says. NULL:
	 * nothing. */
	void (*decided)(void *opaque, unsigned number, const struct gw_precopy_round *pass,
			const struct gw_precopy_verdict *verdict);
	void *decided_opaque;
	const struct gw_save_layer *layer; /* around the stream; NULL: none */
	/* A stream: the domain came with these records, and they go with it before what the
	 * toolstack gives. NULL: none. */
	const struct gw_emulator_records *emulator;
};

/*
 * Writes the libxc image of args->domain to args->out, including END. report gets the result, also
 * after a failure; NULL is fine. In every case log-dirty is off on return, nothing is mapped, and
 * the channel uses no memory of the domain. It never resumes the domain after the final round: if
 * toolstack->suspend was called, the domain's owner resumes it, also after a failure or cancel.
 */
int gw_save_image(const struct gw_save_args *args, struct gw_report *report, struct gw_error *err);
/*
 * The same inside a libxl stream: header, LIBXC_CONTEXT, image, [EMULATOR_CONTEXT], END. The state
 * of the device model comes from the toolstack.
 */
int gw_save_stream(const struct gw_save_args *args, struct gw_report *report, struct gw_error *err);

#endif
