/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A channel that copies what is written to it, and sends it later: a suspended guest waits for a
 * copy of its dirty pages in memory, and not for the network.
 */
#ifndef GW_MIGRATE_ASIDE_H
#define GW_MIGRATE_ASIDE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/channel.h>

/* Opens a channel in front of out, which it borrows. It keeps at most limit bytes. NULL with err.
 */
struct gw_channel *gw_aside_open(struct gw_channel *out, uint64_t limit, struct gw_error *err);
/* From now on what is written is kept. Beyond the limit all of it is sent, and the writes wait for
 * out until gw_aside_keep() is called again. */
void gw_aside_keep(struct gw_channel *ch);
/* Sends what is kept; writes go to out from now on. *all: nothing had to be sent before. 0 or -1.
 */
int gw_aside_send(struct gw_channel *ch, bool *all, struct gw_error *err);

#endif
