/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The clients of a control socket: access, messages in and out, the console's bytes.
 */
#include "vmm/session.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "base/visible.h"

#define CONSOLE_CHUNK	4096
#define FINAL_OUTPUT_MS 1000

/* Only root and the domain's user may use the socket, even if others can reach it. */
static bool is_trusted(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	return cred.uid == 0 || cred.uid == geteuid();
}

static void free_session(struct gw_session *s)
{
	gw_conn_close(&s->conn);
	free(s);
}

/* Closes a session so that another gets its place; nobody refers to one that asked for nothing. */
static bool make_room(struct gw_sessions *all)
{
	static const struct gw_error busy = {
		.code = GW_BUSY,
		.text = "another client needed the place of this one, which has asked for nothing"};
	struct gw_session **idle = NULL, *s;

	for (struct gw_session **link = &all->first; *link; link = &(*link)->next)
		if (!(*link)->asked && (!idle || (*link)->active < (*idle)->active))
			idle = link;
	if (!idle)
		return false;
	s = *idle;
	*idle = s->next;
	all->nr--;
	gw_session_fail(s, "", &busy);
	gw_conn_flush(&s->conn, NULL);
	free_session(s);
	return true;
}

bool gw_sessions_accept(struct gw_sessions *all, int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct gw_session *s;

	if (fd < 0)
		return errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS;
	s = is_trusted(fd) && (all->nr < GW_SESSIONS_MAX || make_room(all)) ? calloc(1, sizeof(*s))
									    : NULL;
	if (!s) {
		close(fd);
		return true;
	}
	gw_conn_init(&s->conn, fd);
	s->active = ++all->turns;
	s->next = all->first;
	all->first = s;
	all->nr++;
	return true;
}

static bool has_console_output(const struct gw_sessions *all, const struct gw_session *s)
{
	return s->console && s->console_pos < gw_console_newest(all->console);
}

nfds_t gw_sessions_fill_poll(const struct gw_sessions *all, struct pollfd *fds)
{
	nfds_t n = 0;

	for (const struct gw_session *s = all->first; s; s = s->next) {
		bool output =
			gw_conn_has_output(&s->conn) || s->closing || has_console_output(all, s);

		fds[n++] = (struct pollfd){.fd = s->conn.fd,
					   .events = (short)(POLLIN | (output ? POLLOUT : 0))};
	}
	return n;
}

static void send_console(struct gw_sessions *all, struct gw_session *s)
{
	uint8_t chunk[CONSOLE_CHUNK];
	size_t n;

	while ((n = gw_console_peek(all->console, &s->console_pos, chunk, sizeof(chunk))) &&
	       s->console_pos < s->console_until) {
		uint64_t left = s->console_until - s->console_pos;
		ssize_t sent =
			send(s->conn.fd, chunk, GW_MIN(n, left), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			s->gone = true;
		if (sent <= 0)
			return;
		s->console_pos += (uint64_t)sent;
	}
	if (s->console_pos >= s->console_until)
		s->gone = true;
}

static void send_output(struct gw_sessions *all, struct gw_session *s)
{
	struct gw_error err = GW_ERROR_INIT;

	if (s->gone || all->hold_output)
		return;
	if (gw_conn_flush(&s->conn, &err) < 0) {
		s->gone = true;
		return;
	}
	if (gw_conn_has_output(&s->conn))
		return;
	if (s->closing)
		s->gone = true;
	else if (s->console)
		send_console(all, s);
}

/* The client of a console sends nothing more; its end of input means that it disconnects. */
static void discard_input(struct gw_session *s)
{
	char sink[4096];
	ssize_t n = recv(s->conn.fd, sink, sizeof(sink), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		s->gone = true;
}

static void receive_input(struct gw_sessions *all, struct gw_session *s)
{
	struct gw_error err = GW_ERROR_INIT;
	json_t *message;
	int got;

	if (s->console || s->closing) {
		discard_input(s);
		return;
	}
	if (gw_conn_receive(&s->conn, &err) <= 0) {
		s->gone = true;
		return;
	}
	s->active = ++all->turns;
	while (!s->console && !s->closing && (got = gw_conn_next(&s->conn, &message, &err)) != 0) {
		if (got < 0) {
			/* The client does not speak the protocol, but may still read the reason. */
			gw_session_fail(s, "", &err);
			s->closing = true;
			break;
		}
		s->asked = true;
		all->on_message(all->opaque, s, message);
		json_decref(message);
	}
}

static void free_gone(struct gw_sessions *all)
{
	for (struct gw_session **link = &all->first; *link;) {
		struct gw_session *s = *link;

		if (!s->gone) {
			link = &s->next;
			continue;
		}
		*link = s->next;
		all->nr--;
		all->on_gone(all->opaque, s);
		free_session(s);
	}
}

void gw_sessions_serve(struct gw_sessions *all, const struct pollfd *fds, nfds_t n)
{
	nfds_t i = 0;

	for (struct gw_session *s = all->first; s && i < n; s = s->next, i++) {
		if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
			receive_input(all, s);
		if (!s->gone)
			send_output(all, s);
	}
	free_gone(all);
}

void gw_sessions_close(struct gw_sessions *all)
{
	uint64_t until = gw_clock_ms() + FINAL_OUTPUT_MS;

	for (struct gw_session *s = all->first; s; s = all->first) {
		while (!s->gone && gw_clock_ms() < until) {
			send_output(all, s);
			if (!gw_conn_has_output(&s->conn) && !has_console_output(all, s))
				break;
			usleep(1000);
		}
		all->first = s->next;
		free_session(s);
	}
	all->nr = 0;
}

void gw_session_reply(struct gw_session *s, const char *name, json_t *body)
{
	json_t *message = json_pack("{s:s, s:b}", "reply", name, "ok", 1);

	if (body)
		json_object_update(message, body);
	json_decref(body);
	if (!s)
		json_decref(message);
	else if (gw_conn_queue(&s->conn, message, NULL) < 0)
		s->gone = true;
}

/* A text with bytes that are no UTF-8 (a path, a peer's words) must not lose the reply. */
static json_t *json_text(const char *text)
{
	json_t *string = json_string(text);
	char shown[sizeof(((struct gw_error *)NULL)->text)];

	return string ? string : json_string(gw_visible(shown, sizeof(shown), text));
}

static json_t *json_reasons(const struct gw_error *err)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < err->nr_reasons; i++)
		json_array_append_new(list, json_text(gw_error_reason(err, i)));
	return list;
}

void gw_session_fail(struct gw_session *s, const char *name, const struct gw_error *err)
{
	json_t *error = json_pack("{s:s, s:o}", "code", gw_code_name(err->code), "message",
				  json_text(err->text));
	json_t *message = json_pack("{s:s, s:b, s:o}", "reply", name, "ok", 0, "error", error);

	if (err->rule)
		json_object_set_new(error, "rule", json_string(err->rule));
	if (err->nr_reasons > 0)
		json_object_set_new(error, "reasons", json_reasons(err));
	if (err->reasons_left_out > 0)
		json_object_set_new(error, "reasons_left_out", json_integer(err->reasons_left_out));

	if (!s)
		json_decref(message);
	else if (gw_conn_queue(&s->conn, message, NULL) < 0)
		s->gone = true;
}

void gw_session_event(struct gw_session *s, json_t *event)
{
	if (s && gw_conn_has_output(&s->conn))
		json_decref(event);
	else
		gw_session_tell(s, event);
}

void gw_session_tell(struct gw_session *s, json_t *event)
{
	if (!s || s->gone)
		json_decref(event);
	else if (gw_conn_queue(&s->conn, event, NULL) < 0)
		s->gone = true;
}

void gw_session_follow_console(struct gw_sessions *all, struct gw_session *s, bool live_only,
			       bool follow)
{
	s->console = true;
	s->console_pos =
		live_only ? gw_console_newest(all->console) : gw_console_oldest(all->console);
	s->console_until = follow ? UINT64_MAX : gw_console_newest(all->console);
}
