/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Addresses and peers of this machine.
 */
#ifndef GW_CHANNEL_LOCAL_H
#define GW_CHANNEL_LOCAL_H

#include <stdbool.h>
#include <sys/types.h>

#include <godwit/channel.h>

/*
 * True if no byte to or from this address leaves the machine by its name: a unix socket, a
 * descriptor, or a host all of whose addresses are in 127.0.0.0/8 or are ::1. Looks the host up.
 * Returns 0 or -1.
 */
int gw_address_is_local(const char *text, const struct gw_cancel *cancel, bool *local,
			struct gw_error *err);
/* The same of the other end of a connection: true if it is no TCP connection, or one to such an
 * address. */
bool gw_peer_is_local(int fd);

/* The user at the other end of a unix socket. Returns 1, or 0 if fd is no unix socket. */
int gw_peer_uid(int fd, uid_t *uid);

#endif
