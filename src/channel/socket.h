/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sockets: what connections and listeners share.
 */
#ifndef GW_CHANNEL_SOCKET_H
#define GW_CHANNEL_SOCKET_H

#include <stddef.h>
#include <sys/socket.h>

/* Sets the options of a TCP socket for a long stream. Does nothing for other families. */
void gw_socket_tune(int fd, int family);

/* Formats a TCP address as text, such as "tcp:127.0.0.1:7000" or "tcp:[::1]:7000". */
void gw_socket_name(char *text, size_t size, const struct sockaddr *addr, socklen_t len);

#endif
