/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a receiver may hold: --max-memory and --max-domains, or their settings in godwit.conf(5).
 */
#ifndef GW_CLI_BUDGET_H
#define GW_CLI_BUDGET_H

#include "cli/args.h"
#include "vmm/reservations.h"

/* For the table of receive. */
#define GW_BUDGET_OPTIONS                                                                          \
	{"max-memory",                                                                             \
	 0,                                                                                        \
	 GW_KIND_SIZE,                                                                             \
	 "SIZE",                                                                                   \
	 "refuse a domain whose memory, with that of the domains that this receiver has or is "    \
	 "receiving, is more than SIZE",                                                           \
	 .min = 1 << 20},                                                                          \
	{                                                                                          \
		"max-domains", 0, GW_KIND_NUMBER, "N",                                             \
			"refuse a domain if this receiver has N already, those included that are " \
			"arriving",                                                                \
			.min = 1, .max = 4096                                                      \
	}

/* Reads the options before the site's file, and draws the receiver's id. 0 or -1. */
int gw_budget_read(struct gw_budget *budget, const struct gw_args *args, struct gw_error *err);

#endif
