/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Host names to socket addresses, without a wait that the token cannot reach.
 */
#ifndef GW_CHANNEL_RESOLVE_H
#define GW_CHANNEL_RESOLVE_H

#include <netdb.h>

#include <godwit/cancel.h>

/*
 * All stream addresses of host and port, for freeaddrinfo(); passive: for listening. NULL with err.
 * The name service cannot be interrupted: on cancel the thread that asks it is left to end by
 * itself.
 */
struct addrinfo *gw_resolve(const char *host, const char *port, bool passive,
			    const struct gw_cancel *cancel, struct gw_error *err);

#endif
