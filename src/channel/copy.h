/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A channel whose bytes are kept as they are read, so that what can be read only once can be read
 * again.
 */
#ifndef GW_CHANNEL_COPY_H
#define GW_CHANNEL_COPY_H

#include <godwit/channel.h>

#include "channel/spool.h"

/*
 * A channel that reads below and puts every byte into spool, which begins anew, also those that are
 * skipped. Takes below over; it is closed on failure, and NULL returned.
 */
struct gw_channel *gw_channel_copy(struct gw_channel *below, struct gw_spool *spool,
				   struct gw_error *err);

#endif
