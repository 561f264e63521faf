/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A channel that reads another one, and leaves it open when it is closed.
 */
#ifndef GW_CHANNEL_BORROW_H
#define GW_CHANNEL_BORROW_H

#include <godwit/channel.h>

/* Reads what ch has next; positions count from there. ch has to outlive it. Returns NULL on
 * failure. */
struct gw_channel *gw_channel_borrow(struct gw_channel *ch, struct gw_error *err);

#endif
