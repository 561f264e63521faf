/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of the save helper, and its parts: the toolstack table over the pipe to libxl, the
 * save, the restore, and what stands in for Xen in tests.
 */
#ifndef GW_HELPER_HELPER_H
#define GW_HELPER_HELPER_H

#include <godwit/cancel.h>
#include <godwit/channel.h>
#include <godwit/hypervisor.h>
#include <godwit/toolstack.h>

#include "helper/save_helper/arguments.h"
#include "helper/save_helper/libxl_pipe.h"
#include "helper/save_helper/settings.h"
#include "migrate/report.h"

struct gw_stand_in;

struct gw_helper {
	struct gw_helper_arguments args;
	struct gw_helper_settings settings;
	struct gw_libxl_pipe pipe;
	struct gw_cancel *cancel; /* set by SIGTERM, and when libxl is gone */
	struct gw_host *host;
	struct gw_domain *domain;
	struct gw_channel *io, *back; /* back: COLO only */
	struct gw_stand_in *stand_in; /* NULL: the domain is libxl's, on Xen */

	uint64_t start_ns;
	bool suspended;			 /* libxl has said so, and has not resumed it since */
	uint64_t store_gfn, console_gfn; /* results of a restore; 0: none */
	/* What the progress was about when it was last sent. */
	enum gw_stage stage;
	unsigned round;
};

/* The log of the engine: libxl's. */
struct gw_log gw_helper_log(struct gw_helper *h);

/* Fills the entries that libxl serves (bits of the callback flags). */
void gw_helper_fill_toolstack(struct gw_helper *h, struct gw_toolstack *table);

/* Saves or restores the domain. report is filled as far as it went. 0 or -1. */
int gw_helper_save(struct gw_helper *h, struct gw_report *report, struct gw_error *err);
int gw_helper_restore(struct gw_helper *h, struct gw_report *report, struct gw_error *err);

#endif
