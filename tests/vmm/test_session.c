/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests sessions without a process: each message and each end is reported to the owner once, and no
 * output is sent while it is held.
 */
#include "lib/gwtest.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/session.h"

struct owner {
	struct gw_sessions sessions;
	int listen_fd;
	struct sockaddr_un address;
	socklen_t address_len;
	unsigned messages, gone;
	char request[32]; /* of the last message */
	struct gw_session *from, *left;
};

static void on_message(void *opaque, struct gw_session *s, const json_t *message)
{
	struct owner *o = opaque;

	o->messages++;
	o->from = s;
	snprintf(o->request, sizeof(o->request), "%s",
		 json_string_value(json_object_get(message, "request")));
	gw_session_reply(s, o->request, json_pack("{s:i}", "count", (int)o->messages));
}

static void on_gone(void *opaque, struct gw_session *s)
{
	struct owner *o = opaque;

	o->gone++;
	o->left = s;
}

static int open_owner(void **state)
{
	struct owner *o = calloc(1, sizeof(*o));
	struct gw_error err = GW_ERROR_INIT;

	o->sessions = (struct gw_sessions){.console = gw_console_new(&err),
					   .on_message = on_message,
					   .on_gone = on_gone,
					   .opaque = o};
	o->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	o->address.sun_family = AF_UNIX;
	o->address_len = sizeof(o->address);
	/* With only its family set, the socket gets an abstract address. */
	if (bind(o->listen_fd, (struct sockaddr *)&o->address, sizeof(sa_family_t)) < 0 ||
	    listen(o->listen_fd, 4) < 0 ||
	    getsockname(o->listen_fd, (struct sockaddr *)&o->address, &o->address_len) < 0)
		return -1;
	*state = o;
	return 0;
}

static int close_owner(void **state)
{
	struct owner *o = *state;

	gw_sessions_close(&o->sessions);
	gw_console_free(o->sessions.console);
	close(o->listen_fd);
	free(o);
	return 0;
}

static int connect_client(struct owner *o)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned before = o->sessions.nr;

	assert_return_code(connect(fd, (struct sockaddr *)&o->address, o->address_len), 0);
	gw_sessions_accept(&o->sessions, o->listen_fd);
	assert_int_equal(o->sessions.nr, before + 1);
	return fd;
}

/* One turn of the loop. */
static void serve(struct owner *o)
{
	struct pollfd fds[GW_SESSIONS_MAX];
	nfds_t n = gw_sessions_fill_poll(&o->sessions, fds);

	assert_true(poll(fds, n, 1000) >= 0);
	gw_sessions_serve(&o->sessions, fds, n);
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

/* Reads everything that has arrived at the client. */
static void hear(int fd, char *text, size_t size)
{
	ssize_t n = recv(fd, text, size - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
}

static void test_messages_go_up(void **state)
{
	struct owner *o = *state;
	int one = connect_client(o), other = connect_client(o);
	struct gw_session *first;
	char text[200];

	say(one, "{\"request\":\"a\"}\n{\"request\":\"b\"}\n");
	serve(o);
	assert_int_equal(o->messages, 2);
	assert_string_equal(o->request, "b");
	first = o->from;
	hear(one, text, sizeof(text));
	assert_non_null(strstr(text, "\"count\": 1") ? strstr(text, "\"count\": 2")
						     : strstr(text, "\"count\":2"));
	say(other, "{\"request\":\"c\"}\n");
	serve(o);
	assert_int_equal(o->messages, 3);
	assert_ptr_not_equal(o->from, first);
	hear(one, text, sizeof(text));
	assert_string_equal(text, "");
	close(one);
	close(other);
}

static void test_end_goes_up_once(void **state)
{
	struct owner *o = *state;
	int fd = connect_client(o), stays = connect_client(o);
	struct gw_session *s;

	say(fd, "{\"request\":\"a\"}\n");
	serve(o);
	s = o->from;
	close(fd);
	serve(o);
	assert_int_equal(o->gone, 1);
	assert_ptr_equal(o->left, s);
	assert_int_equal(o->sessions.nr, 1);
	say(stays, "{\"request\":\"a\"}\n");
	serve(o);
	assert_int_equal(o->gone, 1);
	close(stays);
}

static void test_nonsense_stays_below(void **state)
{
	struct owner *o = *state;
	int fd = connect_client(o);
	char text[300];

	say(fd, "GET / HTTP/1.0\r\n\r\n");
	for (int i = 0; i < 3 && o->gone == 0; i++)
		serve(o);
	assert_int_equal(o->messages, 0);
	assert_int_equal(o->gone, 1);
	hear(fd, text, sizeof(text));
	assert_non_null(strstr(text, "error"));
	assert_int_equal(recv(fd, text, sizeof(text), 0), 0);
	close(fd);
}

static void test_held_output(void **state)
{
	struct owner *o = *state;
	int fd = connect_client(o);
	char text[200];

	o->sessions.hold_output = true;
	say(fd, "{\"request\":\"a\"}\n");
	serve(o);
	assert_int_equal(o->messages, 1);
	hear(fd, text, sizeof(text));
	assert_string_equal(text, "");
	o->sessions.hold_output = false;
	gw_sessions_close(&o->sessions);
	hear(fd, text, sizeof(text));
	assert_non_null(strstr(text, "\"reply\""));
	/* The owner itself ended that session. */
	assert_int_equal(o->gone, 0);
	close(fd);
}

static bool is_open(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

/* Clients that ask for nothing do not lock others out; those that asked keep their place. */
static void test_room(void **state)
{
	struct owner *o = *state;
	int fds[GW_SESSIONS_MAX], late;
	char text[300];

	for (int i = 0; i < GW_SESSIONS_MAX; i++) {
		fds[i] = connect_client(o);
		/* One asks, one sends half of a request, the others send nothing. */
		if (i == 0)
			say(fds[i], "{\"request\":\"a\"}\n");
		else if (i == 1)
			say(fds[i], "{\"request\":");
	}
	serve(o);
	assert_int_equal(o->messages, 1);
	hear(fds[0], text, sizeof(text));
	for (int i = 2; i < 5; i++) {
		late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_return_code(connect(late, (struct sockaddr *)&o->address, o->address_len),
				   0);
		assert_true(gw_sessions_accept(&o->sessions, o->listen_fd));
		assert_int_equal(o->sessions.nr, GW_SESSIONS_MAX);
		say(late, "{\"request\":\"late\"}\n");
		serve(o);
		assert_string_equal(o->request, "late");
		/* The third, the fourth, the fifth make room. */
		assert_true(is_open(fds[0]) && is_open(fds[1]) && is_open(fds[i + 1]));
		hear(fds[i], text, sizeof(text));
		assert_non_null(strstr(text, "\"busy\""));
		assert_int_equal(recv(fds[i], text, 1, 0), 0);
		close(fds[i]);
		fds[i] = late;
	}
	assert_int_equal(o->gone, 0);
	/* All have asked: now it is the new one that is closed. */
	for (int i = 1; i < GW_SESSIONS_MAX; i++)
		say(fds[i], i == 1 ? "\"a\"}\n" : "{\"request\":\"a\"}\n");
	serve(o);
	late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_return_code(connect(late, (struct sockaddr *)&o->address, o->address_len), 0);
	assert_true(gw_sessions_accept(&o->sessions, o->listen_fd));
	assert_int_equal(o->sessions.nr, GW_SESSIONS_MAX);
	assert_int_equal(recv(late, text, 1, 0), 0);
	close(late);
	for (int i = 0; i < GW_SESSIONS_MAX; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_messages_go_up, open_owner, close_owner),
		cmocka_unit_test_setup_teardown(test_end_goes_up_once, open_owner, close_owner),
		cmocka_unit_test_setup_teardown(test_nonsense_stays_below, open_owner, close_owner),
		cmocka_unit_test_setup_teardown(test_held_output, open_owner, close_owner),
		cmocka_unit_test_setup_teardown(test_room, open_owner, close_owner),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
