/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sockets: what connections and listeners share.
 */
#ifndef GW_CHANNEL_SOCKET_H
#define GW_CHANNEL_SOCKET_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <godwit/channel.h>

/* Sets the options of a TCP socket for a long stream. Does nothing for other families. */
void gw_socket_tune(int fd, int family);

/* Formats a TCP address as text, such as "tcp:127.0.0.1:7000" or "tcp:[::1]:7000". */
void gw_socket_name(char *text, size_t size, const struct sockaddr *addr, socklen_t len);

/* The address of a socket in an open folder. 0 or -1. */
int gw_socket_path(struct sockaddr_un *path, int dir, const char *name, struct gw_error *err);

/*
 * As gw_channel_connect() and gw_listener_open(), and an address tls:HOST:PORT works, too. Its
 * connections are plain: the caller puts TLS around each (tls.h) before it reads or writes a byte.
 */
struct gw_channel *gw_socket_connect(const char *address, const struct gw_cancel *cancel,
				     struct gw_error *err);
struct gw_listener *gw_socket_listen(const char *address, struct gw_error *err);
/* Lets every user of the machine connect to a unix socket: the caller judges them (local.h). Does
 * nothing to others. Returns 0 or -1. */
int gw_socket_open_to_all(const struct gw_listener *listener, struct gw_error *err);

#endif
