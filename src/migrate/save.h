/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Saving a domain: the libxc image, and the libxl stream around it. The engine asks the toolstack
 * for whatever concerns the domain's life; it never suspends or resumes one by itself.
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
	/* The static data (headers to STATIC_DATA_END) is on the channel, and no memory yet: the
	 * place where a migration waits for ACCEPT. */
	int (*static_data_written)(void *opaque, struct gw_error *err);
	/* The decision to stop is taken; toolstack->suspend comes next. Once a save. */
	int (*switchover)(void *opaque, struct gw_error *err);
	/* The domain is suspended and the state of its vCPUs was taken: takes what this layer
	 * carries of the device model. */
	int (*take_device_state)(void *opaque, const struct gw_toolstack *toolstack,
				 struct gw_error *err);
	/* The image stands at a CHECKPOINT (the domain may run again) or, if last, at END: writes
	 * this layer's records of it. */
	int (*checkpoint)(void *opaque, bool last, struct gw_error *err);
};

/* The inputs of a save. */
struct gw_save_args {
	struct gw_domain *domain;
	struct gw_channel *out;
	const struct gw_toolstack *toolstack;
	/* Receives the progress, as the toolstack does, and its cancel token is honoured. NULL:
	 * none. */
	struct gw_operation *op;
	const struct gw_cancel *cancel; /* instead of op's; NULL is fine */
	bool live;
	/* live and plain: a domain without log-dirty is suspended first, with a warning in the log.
	 * Else its save fails with GW_UNSUPPORTED. */
	bool suspend_if_not_logged;
	bool static_only; /* end after STATIC_DATA_END: the domain is never suspended */
	bool verify;	  /* live and plain: send everything again after VERIFY */
	enum gw_stream_type stream_type;
	struct gw_precopy precopy;
	const struct gw_save_layer *layer; /* around the stream; NULL: none */
};

/*
 * Writes the libxc image of args->domain to args->out, END included. report receives the result,
 * after a failure as well; NULL is fine. When it returns, whatever it returns, log-dirty is off,
 * nothing is mapped, and the channel refers to no byte of the domain's. It never resumes the domain
 * after the final round: if toolstack->suspend was called, that is left to the domain's owner, on
 * failure and cancel as well.
 */
int gw_save_image(const struct gw_save_args *args, struct gw_report *report, struct gw_error *err);
/*
 * The same inside a libxl stream: header, LIBXC_CONTEXT, image, [EMULATOR_CONTEXT], END. The state
 * of the device model comes from the toolstack.
 */
int gw_save_stream(const struct gw_save_args *args, struct gw_report *report, struct gw_error *err);

#endif
