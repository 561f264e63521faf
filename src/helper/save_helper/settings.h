/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The settings of the save helper: /etc/godwit/helper.conf, and the environment over it
 * (godwit-save-helper(8)).
 */
#ifndef GW_HELPER_SETTINGS_H
#define GW_HELPER_SETTINGS_H

#include <stdbool.h>

#include <godwit/error.h>

#include "migrate/accept.h"
#include "migrate/precopy.h"

#define GW_HELPER_CONF "/etc/godwit/helper.conf"

struct gw_helper_settings {
	/* downtime_ms, max_rounds and on_stall 0: live passes end where those of Xen's own helper
	 * end. */
	struct gw_precopy precopy;
	char report[1024];		 /* a file to which reports are appended; "": none */
	struct gw_acceptance acceptance; /* of godwit.conf(5) */
};

/* -1 with GW_USAGE for a setting that makes no sense, with the line or the variable. */
int gw_helper_settings_load(struct gw_helper_settings *settings, struct gw_error *err);
/* True if the passes end by godwit's policy and not by Xen's. */
bool gw_helper_settings_have_target(const struct gw_helper_settings *settings);

#endif
