/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Saving a domain: the libxc image, and the libxl stream around it. The engine asks a toolstack for
 * whatever concerns the domain's life; it never suspends or resumes one by itself.
 */
#ifndef GW_MIGRATE_SAVE_H
#define GW_MIGRATE_SAVE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/cancel.h>
#include <godwit/channel.h>
#include <godwit/hypervisor.h>
#include <godwit/toolstack.h>

#include "base/buffer.h"
#include "migrate/precopy.h"
#include "migrate/report.h"

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

#endif
