/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The command line with which libxl starts the save helper (tools/libs/light/libxl_save_callout.c
 * of Xen 4.14 and later): every argument stands at a fixed place.
 */
#ifndef GW_HELPER_ARGUMENTS_H
#define GW_HELPER_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/toolstack.h>

#include "guest/guest.h"

/* What both modes are given, and what only one of them is. */
struct gw_helper_arguments {
	bool restore; /* --restore-domain; else --save-domain */
	int io_fd;
	/*
	 * The other direction of COLO. libxl passes any descriptor here for other streams, also one
	 * that must not be touched.
	 */
	int back_fd;
	uint32_t domid;
	uint32_t callbacks; /* 1 << enum gw_libxl_message of those that libxl serves */
	enum gw_stream_type stream_type;
	/* --save-domain */
	bool live;
	bool debug; /* send all memory again, for the receiver to compare */
	/* --restore-domain */
	struct gw_ring_end store, console;
};

/* Reads argv strictly. -1 with GW_USAGE, which names the argument. */
int gw_helper_arguments_parse(struct gw_helper_arguments *args, int argc, char **argv,
			      struct gw_error *err);

#endif
