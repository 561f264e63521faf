/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The clients of a control socket: one session each. They report upward through two callbacks: a
 * message that arrived, and a session that goes away. No client can make the process wait.
 *
 * Main thread only. The functions that take a session accept NULL: a request whose client went away
 * has nobody to answer.
 */
#ifndef GW_VMM_SESSION_H
#define GW_VMM_SESSION_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <godwit/error.h>

#include "vmm/conn.h"
#include "vmm/console.h"

#define GW_SESSIONS_MAX 64

struct gw_session {
	struct gw_session *next;
	struct gw_conn conn;
	bool asked;	 /* it has sent a complete request */
	uint64_t active; /* when it was accepted or last sent bytes, in gw_sessions' own order */
	bool console;	 /* receives the console's bytes from console_pos on, and nothing else */
	uint64_t console_pos;
	uint64_t console_until; /* the session ends there; UINT64_MAX: with the domain */
	bool closing;		/* closed when its output has been sent */
	bool gone;		/* freed at the end of this turn */
};

struct gw_sessions {
	/* Set by the owner. */
	struct gw_console *console; /* borrowed */
	/* The message is borrowed for the call. */
	void (*on_message)(void *opaque, struct gw_session *s, const json_t *message);
	/* The session is freed after this call: drop every reference to it. */
	void (*on_gone)(void *opaque, struct gw_session *s);
	void *opaque;
	bool hold_output; /* nothing is sent until this is cleared */

	struct gw_session *first;
	unsigned nr;
	uint64_t turns; /* counts what sessions do, for their order */
};

/* Accepts a client of the listening socket, if it may use the domain. When there is no room, the
 * session that has been silent longest of those that never sent a complete request is closed; if
 * all have sent one, the new client is. Returns false if this process has no descriptor for it: the
 * client waits, and the socket stays ready. */
bool gw_sessions_accept(struct gw_sessions *all, int listen_fd);
/* Fills fds (GW_SESSIONS_MAX) for poll(): their number. */
nfds_t gw_sessions_fill_poll(const struct gw_sessions *all, struct pollfd *fds);
/* Input and output of the n sessions that were polled; then those that are gone are freed. Accept
 * new ones afterwards: they come first in the list. */
void gw_sessions_serve(struct gw_sessions *all, const struct pollfd *fds, nfds_t n);
/* The domain is gone: sends what is queued to the clients that read it, and frees all sessions. */
void gw_sessions_close(struct gw_sessions *all);

/* Replies to a request of that name: ok and the members of body (its reference is taken over, NULL:
 * none). */
void gw_session_reply(struct gw_session *s, const char *name, json_t *body);
void gw_session_fail(struct gw_session *s, const char *name, const struct gw_error *err);
/* Sends an event, unless the client has not read the ones before. The reference is taken over. */
void gw_session_event(struct gw_session *s, json_t *event);
/* Sends an event even if the client has not read the ones before. */
void gw_session_tell(struct gw_session *s, json_t *event);
/* The session receives the console's bytes from now on: those that are kept (or with live_only
 * those to come), and with follow until the domain ends. */
void gw_session_follow_console(struct gw_sessions *all, struct gw_session *s, bool live_only,
			       bool follow);

#endif
