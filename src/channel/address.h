/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Addresses of the command line: "tcp:HOST:PORT", "tls:HOST:PORT", "unix:PATH", "fd:N",
 * "fd:IN,OUT". Parsing makes no system call.
 */
#ifndef GW_CHANNEL_ADDRESS_H
#define GW_CHANNEL_ADDRESS_H

#include <sys/socket.h>
#include <sys/un.h>

#include <godwit/error.h>

enum gw_address_kind { GW_ADDRESS_TCP, GW_ADDRESS_TLS, GW_ADDRESS_UNIX, GW_ADDRESS_FD };

struct gw_address {
	enum gw_address_kind kind;
	char host[256]; /* tcp, tls: a name or a number, without brackets; may be empty */
	char port[6];	/* tcp, tls: decimal, "0" to "65535" */
	int fd;		/* read and written; or only read, if out_fd is another */
	int out_fd;
	struct sockaddr_un path; /* unix */
};

/* Parses text. Returns 0, or -1 with GW_USAGE. */
int gw_address_parse(struct gw_address *address, const char *text, struct gw_error *err);

#endif
