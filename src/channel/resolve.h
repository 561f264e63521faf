/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Host names to socket addresses, in a way that can be cancelled.
 */
#ifndef GW_CHANNEL_RESOLVE_H
#define GW_CHANNEL_RESOLVE_H

#include <netdb.h>

#include <godwit/cancel.h>

/*
 * Returns all stream addresses of host and port, for freeaddrinfo(), or NULL with err. passive: the
 * addresses are for listening. A lookup cannot be interrupted: after a cancel its thread ends by
 * itself.
 */
struct addrinfo *gw_resolve(const char *host, const char *port, bool passive,
			    const struct gw_cancel *cancel, struct gw_error *err);

#endif
