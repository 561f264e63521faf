/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connections that a receiver gets as descriptors: "fd:N", "fd:IN,OUT".
 */
#ifndef GW_CLI_PASSED_H
#define GW_CLI_PASSED_H

#include <godwit/channel.h>

#include "channel/address.h"

/*
 * Takes the descriptors of an address out of the way of everything that prints: a standard one is
 * replaced by /dev/null, and no child program inherits the others. Call it before anything is
 * printed or forked. Returns 0 with the new numbers in address, or -1.
 */
int gw_passed_take(struct gw_address *address, struct gw_error *err);
/* The channel over them, which owns them. NULL with err. */
struct gw_channel *gw_passed_channel(const struct gw_address *address, const char *name,
				     struct gw_error *err);

#endif
