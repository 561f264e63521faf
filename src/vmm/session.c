/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The clients of a domain's control socket: who may connect, messages in and out, the console's
 * bytes, and what happens when one goes away. No client can make the process wait.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "vmm/process_private.h"

#define SESSIONS_MAX  64
#define CONSOLE_CHUNK 4096
#define LAST_WORDS_MS 1000

/* Only root and the user whose domain it is, whoever could reach the socket. */
static bool is_trusted(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	return cred.uid == 0 || cred.uid == geteuid();
}

int gw_session_accept(struct gw_process *p)
{
	int fd = accept4(p->claim.listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct gw_session *s;

	if (fd < 0)
		return -1;
	s = is_trusted(fd) && p->nr_sessions < SESSIONS_MAX ? calloc(1, sizeof(*s)) : NULL;
	if (!s) {
		close(fd);
		return -1;
	}
	gw_conn_init(&s->conn, fd);
	s->next = p->sessions;
	p->sessions = s;
	p->nr_sessions++;
	return 0;
}

static void send_console(struct gw_process *p, struct gw_session *s)
{
	uint8_t chunk[CONSOLE_CHUNK];
	size_t n;

	while ((n = gw_console_peek(p->console, &s->console_pos, chunk, sizeof(chunk))) &&
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

void gw_session_output(struct gw_process *p, struct gw_session *s)
{
	struct gw_error err = GW_ERROR_INIT;

	/* Nobody reads that the domain has left before it has. */
	if (s->gone || (p->ended && !p->left))
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
		send_console(p, s);
}

/* A console's client says nothing more; its end of file means that it leaves. */
static void discard_input(struct gw_session *s)
{
	char sink[4096];
	ssize_t n = recv(s->conn.fd, sink, sizeof(sink), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		s->gone = true;
}

void gw_session_input(struct gw_process *p, struct gw_session *s)
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
	while (!s->console && !s->closing && (got = gw_conn_next(&s->conn, &message, &err)) != 0) {
		if (got < 0) {
			/* Whatever this is, it does not talk our protocol. It may read why. */
			gw_session_fail(s, "", &err);
			s->closing = true;
			break;
		}
		gw_request(p, s, message);
		json_decref(message);
	}
}

void gw_session_reply(struct gw_session *s, const char *name, json_t *body)
{
	json_t *message = json_pack("{s:s, s:b}", "reply", name, "ok", 1);

	if (body)
		json_object_update(message, body);
	json_decref(body);
	if (!s || gw_conn_queue(&s->conn, json_incref(message), NULL) < 0) {
		if (s)
			s->gone = true;
	}
	json_decref(message);
}

void gw_session_fail(struct gw_session *s, const char *name, const struct gw_error *err)
{
	/* A text with bytes that are no UTF-8 (a path, a peer's words) must not lose the reply. */
	json_t *text = json_string(err->text);
	json_t *message = json_pack("{s:s, s:b, s:{s:s, s:o}}", "reply", name, "ok", 0, "error",
				    "code", gw_code_name(err->code), "message",
				    text ? text : json_string("a reason that is no UTF-8 text"));

	if (!s)
		json_decref(message);
	else if (gw_conn_queue(&s->conn, message, NULL) < 0)
		s->gone = true;
}

void gw_session_event(struct gw_session *s, json_t *event)
{
	if (!s || s->gone || gw_conn_has_output(&s->conn))
		json_decref(event); /* progress that nobody reads is not queued up */
	else if (gw_conn_queue(&s->conn, event, NULL) < 0)
		s->gone = true;
}

/* Whoever asked for an operation and is not there any more does not want it. */
static void abandon(struct gw_process *p, struct gw_session *s)
{
	if (p->job && p->job->owner == s) {
		p->job->owner = NULL;
		gw_operation_cancel(p->job->op, NULL);
	}
	if (p->destroyer == s)
		p->destroyer = NULL;
	if (p->saver == s)
		gw_save_settle(p, NULL);
}

void gw_session_reap(struct gw_process *p)
{
	for (struct gw_session **at = &p->sessions; *at;) {
		struct gw_session *s = *at;

		if (!s->gone) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		p->nr_sessions--;
		abandon(p, s);
		gw_conn_close(&s->conn);
		free(s);
	}
}

/* The domain is gone: what was said last still goes out, to those who read it. */
void gw_session_close_all(struct gw_process *p)
{
	uint64_t until = gw_clock_ms() + LAST_WORDS_MS;

	for (struct gw_session *s = p->sessions; s; s = p->sessions) {
		while (!s->gone && gw_clock_ms() < until) {
			gw_session_output(p, s);
			if (!gw_conn_has_output(&s->conn) &&
			    (!s->console || s->console_pos == gw_console_newest(p->console)))
				break;
			usleep(1000);
		}
		p->sessions = s->next;
		gw_conn_close(&s->conn);
		free(s);
	}
	p->nr_sessions = 0;
}
