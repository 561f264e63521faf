/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Listening sockets and the channels of accepted connections.
 */
#include <godwit/channel.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "channel/address.h"
#include "channel/path.h"
#include "channel/resolve.h"
#include "channel/socket.h"

#define BACKLOG 16
/* The longest wait for another process that sets up a socket in the same folder. */
#define LOCK_MS 1000

struct gw_listener {
	int fd;
	bool tls; /* its address says so */
	char *address;
	struct gw_place place; /* unix: the path, for its removal */
	dev_t dev;	       /* unix: the file that bind made */
	ino_t ino;
};

static int new_socket(struct gw_listener *l, int family, struct gw_error *err)
{
	l->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return l->fd < 0 ? gw_fail_errno(err, "a socket") : 0;
}

static void drop_socket(struct gw_listener *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static int listen_tcp_one(struct gw_listener *l, const struct addrinfo *one, struct gw_error *err)
{
	static const int on = 1;

	if (new_socket(l, one->ai_family, err))
		return -1;
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(l->fd, one->ai_addr, one->ai_addrlen) == 0 && listen(l->fd, BACKLOG) == 0)
		return 0;
	gw_fail_errno(err, "listening");
	drop_socket(l);
	return -1;
}

/* "tcp:..." becomes "tls:...". */
static void set_scheme(const struct gw_listener *l, char *name)
{
	if (l->tls)
		memcpy(name, "tls", 3);
}

static int listen_tcp(struct gw_listener *l, const struct gw_address *address, struct gw_error *err)
{
	const char *host = *address->host ? address->host : "127.0.0.1";
	struct addrinfo *all = gw_resolve(host, address->port, true, NULL, err);
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	char name[NI_MAXHOST + 16];

	for (struct addrinfo *one = all; one && l->fd < 0; one = one->ai_next) {
		gw_error_clear(err);
		listen_tcp_one(l, one, err);
	}
	if (all)
		freeaddrinfo(all);
	if (l->fd < 0)
		return -1;
	if (getsockname(l->fd, (struct sockaddr *)&bound, &len) < 0)
		return gw_fail_errno(err, "the port that was given");
	gw_socket_name(name, sizeof(name), (struct sockaddr *)&bound, len);
	l->tls = address->kind == GW_ADDRESS_TLS;
	set_scheme(l, name);
	l->address = strdup(name);
	return l->address ? 0 : gw_fail_errno(err, "an address");
}

/*
 * Returns true if the path is a socket without an owner. The probe is a socket of another type: a
 * live socket answers it with EPROTOTYPE, and its owner sees no connection.
 */
static bool is_stale(const struct gw_listener *l, const struct sockaddr_un *path)
{
	struct stat st;
	bool refused;

	if (fstatat(l->place.dir, l->place.name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISSOCK(st.st_mode))
		return false;

	int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (probe < 0)
		return false;
	refused = connect(probe, (const struct sockaddr *)path, sizeof(*path)) < 0 &&
		  errno == ECONNREFUSED;
	close(probe);
	return refused;
}

static int bind_path(struct gw_listener *l, const struct sockaddr_un *path, struct gw_error *err)
{
	if (bind(l->fd, (const struct sockaddr *)path, sizeof(*path)) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return gw_fail_errno(err, "listening");
	if (!is_stale(l, path)) {
		errno = EADDRINUSE;
		return gw_fail_errno(err, "the path is in use or is no socket");
	}
	if (unlinkat(l->place.dir, l->place.name, 0) < 0)
		return gw_fail_errno(err, "removing a leftover socket");
	if (bind(l->fd, (const struct sockaddr *)path, sizeof(*path)) < 0)
		return gw_fail_errno(err, "listening");
	return 0;
}

/*
 * Two processes that find the same stale socket could each remove the other's new one. So a process
 * removes and binds under a lock on the folder, which leaves no file. If it cannot get the lock, it
 * listens without.
 */
static void lock(const struct gw_listener *l)
{
	uint64_t until = gw_clock_ms() + LOCK_MS;

	while (flock(l->place.dir, LOCK_EX | LOCK_NB) < 0 &&
	       (errno == EWOULDBLOCK || errno == EINTR) && gw_clock_ms() < until)
		usleep(5000);
}

/* Finds the folder of the path; in a shared one the socket is reached through it alone. */
static int find_place(struct gw_listener *l, struct sockaddr_un *path, struct gw_error *err)
{
	const char *text = path->sun_path;
	struct gw_safe_path at;
	int rc = text[strlen(text) - 1] == '/'
			 ? gw_fail(err, GW_USAGE, "\"%s\" names no file", text)
			 : 0;

	if (rc < 0)
		return -1;
	rc = gw_safe_path_walk(&at, text, GW_SAFE_STAY, err);
	if (rc == 0)
		rc = gw_safe_path_check(&at, text, GW_SAFE_DATA, err);
	if (rc == 0)
		rc = gw_place_open(&l->place, &at, text, err);
	if (rc == 0 && at.shared)
		rc = gw_socket_path(path, l->place.dir, l->place.name, err);
	gw_safe_path_close(&at);
	return rc;
}

static int listen_unix(struct gw_listener *l, struct gw_address *address, const char *text,
		       struct gw_error *err)
{
	struct stat st;
	int rc = -1;

	l->address = strdup(text);
	if (!l->address)
		return gw_fail_errno(err, "an address");
	if (find_place(l, &address->path, err) || new_socket(l, AF_UNIX, err))
		return -1;
	/* bind() creates the file with the socket's mode, so it is never wider. */
	if (fchmod(l->fd, 0600) < 0)
		return gw_fail_errno(err, "the mode of the socket");
	lock(l);
	if (bind_path(l, &address->path, err) == 0) {
		rc = 0;
		if (fstatat(l->place.dir, l->place.name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
			l->dev = st.st_dev;
			l->ino = st.st_ino;
		}
		if (listen(l->fd, BACKLOG) < 0)
			rc = gw_fail_errno(err, "listening");
	}
	flock(l->place.dir, LOCK_UN);
	return rc;
}

static int listen_address(struct gw_listener *l, const char *text, struct gw_error *err)
{
	struct gw_address address;

	if (gw_address_parse(&address, text, err))
		return -1;
	switch (address.kind) {
	case GW_ADDRESS_TCP:
	case GW_ADDRESS_TLS:
		return listen_tcp(l, &address, err);
	case GW_ADDRESS_UNIX:
		return listen_unix(l, &address, text, err);
	default:
		return gw_fail(err, GW_USAGE, "only tls:, tcp: and unix: can be listened on");
	}
}

struct gw_listener *gw_socket_listen(const char *address, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_listener *l = calloc(1, sizeof(*l));

	if (!l) {
		gw_fail_errno(err, "%s", address);
		return NULL;
	}
	l->fd = -1;
	l->place.dir = -1;
	if (listen_address(l, address, &why) == 0)
		return l;
	gw_listener_close(l);
	if (err && err->code == GW_OK)
		*err = why;
	gw_fail_in(err, "%s", address);
	return NULL;
}

struct gw_listener *gw_listener_open(const char *address, struct gw_error *err)
{
	struct gw_address parsed;

	if (gw_address_parse(&parsed, address, NULL) == 0 && parsed.kind == GW_ADDRESS_TLS) {
		gw_fail(err, GW_USAGE, "%s needs certificates or a key, which this call has not",
			address);
		return NULL;
	}
	return gw_socket_listen(address, err);
}

int gw_socket_open_to_all(const struct gw_listener *listener, struct gw_error *err)
{
	if (listener->place.name &&
	    fchmodat(listener->place.dir, listener->place.name, 0666, 0) < 0)
		return gw_fail_errno(err, "the mode of %s", listener->address);
	return 0;
}

const char *gw_listener_address(const struct gw_listener *listener)
{
	return listener->address;
}

int gw_listener_fd(const struct gw_listener *listener)
{
	return listener->fd;
}

/* Returns true for errors of one connection, which accept() reports too: accept(2), "Error
 * handling". */
static bool is_connection_error(int errnum)
{
	switch (errnum) {
	case EINTR:
	case ECONNABORTED:
	case ENETDOWN:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
		return true;
	default:
		return false;
	}
}

static int accept_one(struct gw_listener *l, struct sockaddr_storage *peer, socklen_t *len,
		      const struct gw_cancel *cancel, struct gw_error *err)
{
	for (;;) {
		if (gw_cancel_wait(cancel, l->fd, POLLIN, -1, err) < 0)
			return gw_fail_in(err, "waiting for a connection at %s", l->address);
		*len = sizeof(*peer);

		int fd = accept4(l->fd, (struct sockaddr *)peer, len, SOCK_CLOEXEC);

		if (fd >= 0)
			return fd;
		if (errno != EAGAIN && errno != EWOULDBLOCK && !is_connection_error(errno))
			return gw_fail_errno(err, "accepting a connection at %s", l->address);
	}
}

struct gw_channel *gw_listener_accept(struct gw_listener *listener, const struct gw_cancel *cancel,
				      struct gw_error *err)
{
	struct sockaddr_storage peer;
	char name[NI_MAXHOST + 16];
	const char *shown = listener->address;
	struct gw_channel *ch;
	socklen_t len;
	int fd = accept_one(listener, &peer, &len, cancel, err);

	if (fd < 0)
		return NULL;
	gw_socket_tune(fd, peer.ss_family);
	if (peer.ss_family != AF_UNIX) {
		gw_socket_name(name, sizeof(name), (struct sockaddr *)&peer, len);
		set_scheme(listener, name);
		shown = name;
	}
	ch = gw_channel_from_fd(fd, true, shown, err);
	if (ch)
		gw_channel_set_cancel(ch, cancel);
	else
		close(fd);
	return ch;
}

void gw_listener_close(struct gw_listener *listener)
{
	struct stat st;

	if (!listener)
		return;
	if (listener->ino &&
	    fstatat(listener->place.dir, listener->place.name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev == listener->dev && st.st_ino == listener->ino)
		unlinkat(listener->place.dir, listener->place.name, 0);
	drop_socket(listener);
	gw_place_close(&listener->place);
	free(listener->address);
	free(listener);
}
