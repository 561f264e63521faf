/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lines of JSON and descriptors over a unix socket. Every transfer is asked for with MSG_DONTWAIT,
 * so that the descriptor's own flags are left alone.
 */
#include "vmm/conn.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"

#define DEPTH_MAX 32 /* of nested JSON; no message has more than 4 */

void gw_conn_init(struct gw_conn *conn, int fd)
{
	memset(conn, 0, sizeof(*conn));
	conn->fd = fd;
}

void gw_conn_close(struct gw_conn *conn)
{
	for (unsigned i = 0; i < conn->nr_fds; i++)
		close(conn->fds[i]);
	conn->nr_fds = 0;
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
	gw_buffer_free(&conn->in);
	gw_buffer_free(&conn->out);
}

/* Keeps the descriptors of one message as far as there is room; closes the others. */
static void keep_fds(struct gw_conn *conn, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (conn->nr_fds < GW_CONN_FDS_MAX)
				conn->fds[conn->nr_fds++] = fd;
			else
				close(fd);
		}
	}
}

int gw_conn_receive(struct gw_conn *conn, struct gw_error *err)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(GW_CONN_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {.iov_len = 4096};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	iov.iov_base = gw_buffer_reserve(&conn->in, iov.iov_len, err);
	if (!iov.iov_base)
		return -1;
	do
		n = recvmsg(conn->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 1;
	if (n < 0 && errno == ECONNRESET)
		return 0;
	if (n < 0)
		return gw_fail_errno(err, "a control connection");
	keep_fds(conn, &msg);
	conn->fds_lost |= (msg.msg_flags & MSG_CTRUNC) != 0;
	conn->in.len += (size_t)n;
	return n > 0;
}

/* True if brackets nest deeper than any message does; the parser recurses once for each. */
static bool too_deep(const char *line, size_t len)
{
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		if ((line[i] == '{' || line[i] == '[') && ++depth > DEPTH_MAX)
			return true;
		if ((line[i] == '}' || line[i] == ']') && depth)
			depth--;
	}
	return false;
}

int gw_conn_next(struct gw_conn *conn, json_t **message, struct gw_error *err)
{
	const uint8_t *newline = conn->in.len ? memchr(conn->in.data, '\n', conn->in.len) : NULL;
	size_t len = newline ? (size_t)(newline - conn->in.data) : conn->in.len;
	json_error_t je;

	if (len >= GW_CONN_LINE_MAX)
		return gw_fail(err, GW_PEER, "a control message is longer than %u bytes",
			       GW_CONN_LINE_MAX);
	if (!newline)
		return 0;
	if (too_deep((const char *)conn->in.data, len))
		return gw_fail(err, GW_PEER, "a control message nests deeper than %d", DEPTH_MAX);
	*message = json_loadb((const char *)conn->in.data, len, JSON_REJECT_DUPLICATES, &je);
	if (!*message)
		return gw_fail(err, GW_PEER, "a control message is not JSON: %s", je.text);
	if (!json_is_object(*message)) {
		json_decref(*message);
		*message = NULL;
		return gw_fail(err, GW_PEER, "a control message is not a JSON object");
	}
	conn->in.len -= len + 1;
	memmove(conn->in.data, conn->in.data + len + 1, conn->in.len);
	explicit_bzero(conn->in.data + conn->in.len, len + 1);
	return 1;
}

int gw_conn_take_fd(struct gw_conn *conn)
{
	int fd;

	if (!conn->nr_fds)
		return -1;
	fd = conn->fds[0];
	conn->nr_fds--;
	memmove(conn->fds, conn->fds + 1, conn->nr_fds * sizeof(int));
	return fd;
}

int gw_conn_queue(struct gw_conn *conn, json_t *message, struct gw_error *err)
{
	char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	size_t pending = conn->out.len - conn->out_pos;
	int ret;

	json_decref(message);
	if (!text)
		return gw_fail(err, GW_NO_MEMORY, "a control message cannot be written as JSON");
	if (pending + strlen(text) > GW_CONN_OUT_MAX) {
		free(text);
		return gw_fail(err, GW_PEER, "the client does not read");
	}
	ret = gw_buffer_append(&conn->out, text, strlen(text), err);
	if (ret == 0)
		ret = gw_buffer_append(&conn->out, "\n", 1, err);
	explicit_bzero(text, strlen(text));
	free(text);
	return ret;
}

bool gw_conn_has_output(const struct gw_conn *conn)
{
	return conn->out_pos < conn->out.len;
}

int gw_conn_flush(struct gw_conn *conn, struct gw_error *err)
{
	while (gw_conn_has_output(conn)) {
		ssize_t n = send(conn->fd, conn->out.data + conn->out_pos,
				 conn->out.len - conn->out_pos, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return gw_fail_errno(err, "a control connection");
		conn->out_pos += (size_t)n;
	}
	if (conn->out.len > 0)
		explicit_bzero(conn->out.data, conn->out.len);
	gw_buffer_reset(&conn->out);
	conn->out_pos = 0;
	return 0;
}

/* Sends the first bytes of the queue, with the descriptor. */
static int send_with_fd(struct gw_conn *conn, int fd, struct gw_error *err)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {conn->out.data + conn->out_pos, conn->out.len - conn->out_pos};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	do
		n = sendmsg(conn->fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return gw_fail_errno(err, "cannot pass a descriptor to the domain's process");
	conn->out_pos += (size_t)n;
	return 0;
}

int gw_conn_send(struct gw_conn *conn, json_t *message, int fd, struct gw_error *err)
{
	if (gw_conn_queue(conn, message, err) < 0)
		return -1;
	if (fd >= 0 && send_with_fd(conn, fd, err) < 0)
		return -1;
	for (;;) {
		struct pollfd p = {.fd = conn->fd, .events = POLLOUT};

		if (gw_conn_flush(conn, err) < 0)
			return -1;
		if (!gw_conn_has_output(conn))
			return 0;
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return gw_fail_errno(err, "poll");
	}
}
