/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What connecting and listening have in common.
 */
#ifndef GW_CHANNEL_SOCKET_H
#define GW_CHANNEL_SOCKET_H

#include <stddef.h>
#include <sys/socket.h>

/* Sets what a long stream over TCP wants; nothing on other sockets. */
void gw_socket_tune(int fd, int family);

/* "tcp:127.0.0.1:7000", "tcp:[::1]:7000". */
void gw_socket_name(char *text, size_t size, const struct sockaddr *addr, socklen_t len);

#endif
