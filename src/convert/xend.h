/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the xend header from a channel, for callers that need its config. A conversion ignores it.
 */
#ifndef GW_CONVERT_XEND_H
#define GW_CONVERT_XEND_H

#include <godwit/channel.h>
#include <godwit/error.h>

#include "format/rules/rules.h"

/*
 * Reads header and config up to the first byte of the image after them, and checks them against the
 * rules (out may be NULL). 0; -1 if a rule of level error is broken
 * (GW_INVALID, GW_TRUNCATED) or the channel cannot be read. *xend, zeroed before, is the caller's
 * to free either way.
 */
int gw_xend_read(struct gw_channel *in, const struct gw_findings *out, struct gw_xend *xend,
		 struct gw_error *err);

#endif
