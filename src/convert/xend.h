/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Taking the header of xend off a channel, for whoever needs what its config says: a conversion
 * itself has no use for it.
 */
#ifndef GW_CONVERT_XEND_H
#define GW_CONVERT_XEND_H

#include <godwit/channel.h>
#include <godwit/error.h>

#include "format/rules/rules.h"

/*
 * Reads header and config, which come next, up to the first byte of the image behind them, and
 * holds them against the rules (out may be NULL). 0; -1 if a rule of level error is broken
 * (GW_INVALID, GW_TRUNCATED) or the channel cannot be read. *xend, zeroed before, is the caller's
 * to free either way.
 */
int gw_xend_read(struct gw_channel *in, const struct gw_findings *out, struct gw_xend *xend,
		 struct gw_error *err);

#endif
