/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Connections to an address. listener.c accepts connections; fd.c moves the bytes.
 */
#include "channel/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <godwit/channel.h>

#include "base/safe_path.h"
#include "base/util.h"
#include "channel/address.h"
#include "channel/local.h"
#include "channel/pair.h"
#include "channel/resolve.h"

/* Time-out of one address of a host, before the next is tried. */
#define CONNECT_TIMEOUT_MS 30000
/* Interval between attempts on a unix socket whose queue is full: poll does not report room. */
#define UNIX_ASK_MS 10

void gw_socket_tune(int fd, int family)
{
	static const struct {
		int level, option, value;
	} options[] = {
		/* Small frames between large ones must not wait for an acknowledgement. */
		{IPPROTO_TCP, TCP_NODELAY, 1},
		/* A dead host is noticed after 90 seconds instead of two hours. */
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 30},
		{IPPROTO_TCP, TCP_KEEPINTVL, 10},
		{IPPROTO_TCP, TCP_KEEPCNT, 6},
	};

	/* Buffer sizes are not set: that would end the kernel's own tuning. */
	if (family != AF_INET && family != AF_INET6)
		return;
	for (size_t i = 0; i < GW_ARRAY_SIZE(options); i++)
		setsockopt(fd, options[i].level, options[i].option, &options[i].value, sizeof(int));
}

void gw_socket_name(char *text, size_t size, const struct sockaddr *addr, socklen_t len)
{
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
	bool six = addr->sa_family == AF_INET6;

	getnameinfo(addr, len, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(text, size, six ? "tcp:[%s]:%s" : "tcp:%s:%s", host, port);
}

/* Waits until a pending connection is established. */
static int await(int fd, const struct gw_cancel *cancel, struct gw_error *err)
{
	int errnum = 0;
	socklen_t len = sizeof(errnum);
	int ready = gw_cancel_wait(cancel, fd, POLLOUT, CONNECT_TIMEOUT_MS, err);

	if (ready < 0)
		return -1;
	if (ready == 0)
		errnum = ETIMEDOUT;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &len) < 0)
		errnum = errno;
	if (!errnum)
		return 0;
	errno = errnum;
	return gw_fail_errno(err, "connecting");
}

static int start(int fd, const struct sockaddr *addr, socklen_t len, const struct gw_cancel *cancel,
		 struct gw_error *err)
{
	while (connect(fd, addr, len) < 0) {
		if (errno == EINPROGRESS || errno == EINTR)
			return await(fd, cancel, err);
		if (errno != EAGAIN)
			return gw_fail_errno(err, "connecting");
		if (gw_cancel_wait(cancel, -1, 0, UNIX_ASK_MS, err) < 0)
			return -1;
	}
	return 0;
}

/* Returns a connected, blocking socket, or -1. */
static int connect_one(const struct sockaddr *addr, socklen_t len, const struct gw_cancel *cancel,
		       struct gw_error *err)
{
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return gw_fail_errno(err, "a socket");
	if (gw_cancel_is_set(cancel))
		gw_fail(err, GW_CANCELLED, "cancelled");
	else if (start(fd, addr, len, cancel, err) == 0) {
		gw_socket_tune(fd, addr->sa_family);
		/* Another process may get the descriptor and expects it to block. */
		fcntl(fd, F_SETFL, O_RDWR);
		return fd;
	}
	close(fd);
	return -1;
}

static int connect_tcp(const struct gw_address *address, const struct gw_cancel *cancel,
		       struct gw_error *err)
{
	struct addrinfo *all;
	int fd = -1;

	if (!*address->host)
		return gw_fail(err, GW_USAGE, "there is no host to connect to");
	if (strcmp(address->port, "0") == 0)
		return gw_fail(err, GW_USAGE, "port 0 is no port to connect to");
	all = gw_resolve(address->host, address->port, false, cancel, err);
	for (struct addrinfo *one = all; one && fd < 0; one = one->ai_next) {
		if (one != all)
			gw_error_clear(err);
		fd = connect_one(one->ai_addr, one->ai_addrlen, cancel, err);
		if (gw_cancel_is_set(cancel))
			break;
	}
	if (all)
		freeaddrinfo(all);
	if (fd >= 0)
		gw_error_clear(err);
	return fd;
}

/* The owner of a socket in a shared folder is judged twice: its file may be another by now. */
static int connect_unix(const struct gw_address *address, const struct gw_cancel *cancel,
			struct gw_error *err)
{
	const char *text = address->path.sun_path;
	struct sockaddr_un path = address->path;
	struct gw_safe_path at;
	int fd = -1;
	uid_t uid;
	int rc = gw_safe_path_walk(&at, text, GW_SAFE_FOLLOW, err);

	if (rc == 0)
		rc = gw_safe_path_check(&at, text, GW_SAFE_DATA, err);
	if (rc == 0 && at.shared)
		rc = gw_socket_path(&path, at.dir, at.name, err);
	if (rc == 0)
		fd = connect_one((const struct sockaddr *)&path, sizeof(path), cancel, err);
	if (fd >= 0 && at.shared && (!gw_peer_uid(fd, &uid) || !gw_safe_owner(uid))) {
		close(fd);
		fd = gw_fail(err, GW_REFUSED, "the socket belongs to another user");
	}
	gw_safe_path_close(&at);
	return fd;
}

int gw_socket_path(struct sockaddr_un *path, int dir, const char *name, struct gw_error *err)
{
	*path = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (snprintf(path->sun_path, sizeof(path->sun_path), "/proc/self/fd/%d/%s", dir, name) <
	    (int)sizeof(path->sun_path))
		return 0;
	return gw_fail(err, GW_USAGE, "the name \"%s\" is too long for a socket's address", name);
}

static int connect_address(const struct gw_address *address, const struct gw_cancel *cancel,
			   struct gw_error *err)
{
	switch (address->kind) {
	case GW_ADDRESS_TCP:
	case GW_ADDRESS_TLS:
		return connect_tcp(address, cancel, err);
	case GW_ADDRESS_UNIX:
		return connect_unix(address, cancel, err);
	default:
		return gw_fail(err, GW_USAGE, "a descriptor is not connected to");
	}
}

static struct gw_channel *passed(int fd, const char *name, struct gw_error *err)
{
	return gw_channel_from_fd(fd, fd > STDERR_FILENO, name, err);
}

static struct gw_channel *connect_parsed(const struct gw_address *address, const char *text,
					 const struct gw_cancel *cancel, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_channel *ch;
	int fd;

	if (address->kind == GW_ADDRESS_FD) {
		ch = passed(address->fd, text, err);
		if (ch && address->out_fd != address->fd)
			ch = gw_channel_pair(ch, passed(address->out_fd, text, err), text, err);
		return ch;
	}
	fd = connect_address(address, cancel, &why);
	if (fd < 0) {
		if (err && err->code == GW_OK)
			*err = why;
		gw_fail_in(err, "%s", text);
		return NULL;
	}
	ch = gw_channel_from_fd(fd, true, text, err);
	if (!ch)
		close(fd);
	return ch;
}

struct gw_channel *gw_socket_connect(const char *text, const struct gw_cancel *cancel,
				     struct gw_error *err)
{
	struct gw_address address;
	struct gw_channel *ch;

	if (gw_address_parse(&address, text, err))
		return NULL;
	ch = connect_parsed(&address, text, cancel, err);
	if (ch)
		gw_channel_set_cancel(ch, cancel);
	return ch;
}

struct gw_channel *gw_channel_connect(const char *text, const struct gw_cancel *cancel,
				      struct gw_error *err)
{
	struct gw_address address;

	if (gw_address_parse(&address, text, err))
		return NULL;
	if (address.kind == GW_ADDRESS_TLS) {
		gw_fail(err, GW_USAGE, "%s needs certificates or a key, which this call has not",
			text);
		return NULL;
	}
	return gw_socket_connect(text, cancel, err);
}
