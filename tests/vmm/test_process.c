/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests a domain's process (in a child, with the memory backend) and its clients: correct ones,
 * several at once, and hostile ones. After each of them the next client is answered.
 */
#include "fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/client.h"
#include "vmm/process.h"

static void test_life(void **state)
{
	struct fixture *f = *state;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_client by_id;
	char id[20];

	assert_state(f, "running");
	assert_done(f, "pause");
	assert_done(f, "pause");
	assert_state(f, "paused");
	assert_done(f, "resume");
	assert_done(f, "resume");
	assert_state(f, "running");
	assert_null(ask(f, json_pack("{s:s, s:b}", "request", "resume", "claim", 1), &err));
	assert_int_equal(err.code, GW_REFUSED);
	gw_error_clear(&err);
	snprintf(id, sizeof(id), "%d", (int)f->pids[0]);
	assert_ok(gw_client_connect(&by_id, &f->rt, id, &err), &err);
	gw_client_close(&by_id);
	assert_done(f, "destroy");
	assert_end(f, f->pids[0], GW_END_DESTROYED);
	assert_int_equal(gw_runtime_connect(&f->rt, "t", &err), -1);
}

static void test_signal(void **state)
{
	struct fixture *f = *state;

	kill(f->pids[0], SIGTERM);
	assert_end(f, f->pids[0], GW_END_DESTROYED);
}

/* Sends bytes and expects a refusal followed by a close, or only a close. */
static void assert_thrown_out(struct fixture *f, const char *bytes, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	int fd = gw_runtime_connect(&f->rt, "t", &err);
	char buf[4096];
	ssize_t n;

	assert_ok(fd, &err);
	while (len > 0) {
		n = send(fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0)
			break;
		bytes += n;
		len -= (size_t)n;
	}
	do {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		assert_int_equal(poll(&p, 1, 5000), 1);
		n = recv(fd, buf, sizeof(buf), 0);
	} while (n > 0);
	close(fd);
	assert_state(f, "running");
}

static void test_nonsense(void **state)
{
	struct fixture *f = *state;
	char *big = malloc(1 << 20);

	assert_thrown_out(f, "GET / HTTP/1.0\r\n\r\n", 18);
	memset(big, '[', 1 << 20);
	assert_thrown_out(f, big, 1 << 20);
	memset(big, 'x', 1 << 20);
	assert_thrown_out(f, big, 1 << 20);
	memset(big, 0, 1 << 20);
	big[17] = '\n';
	assert_thrown_out(f, big, 1 << 20);
	free(big);
}

static void test_wrong_requests(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{\"request\":5}",
		"{\"request\":\"dance\"}",
		"{\"request\":\"save\"}",
		"{\"request\":\"migrate\"}",
		"{\"request\":\"keep\",\"then\":\"destroy\"}",
		"{\"request\":\"cancel\"}",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct gw_error err = GW_ERROR_INIT;
		json_t *reply = NULL, *request = json_loads(wrong[i], 0, NULL);
		struct gw_conn conn;
		int got;

		gw_conn_init(&conn, gw_runtime_connect(&f->rt, "t", &err));
		assert_ok(gw_conn_send(&conn, request, -1, &err), &err);
		while ((got = gw_conn_next(&conn, &reply, &err)) == 0) {
			struct pollfd p = {.fd = conn.fd, .events = POLLIN};

			assert_int_equal(poll(&p, 1, 5000), 1);
			assert_int_equal(gw_conn_receive(&conn, &err), 1);
		}
		assert_int_equal(got, 1);
		assert_true(json_is_false(json_object_get(reply, "ok")));
		json_decref(reply);
		gw_conn_close(&conn);
	}
	assert_state(f, "running");
}

/* A client that sends requests and never reads, and one that follows the console and never reads,
 * delay no other client. */
static void test_deaf(void **state)
{
	struct fixture *f = *state;
	struct gw_error err = GW_ERROR_INIT;
	static const char ask_info[] = "{\"request\":\"info\"}\n";
	int deaf = gw_runtime_connect(&f->rt, "t", &err);
	int console = gw_runtime_connect(&f->rt, "t", &err);
	bool dropped = false;

	assert_ok(deaf, &err);
	assert_true(send(console, "{\"request\":\"console\"}\n", 22, 0) == 22);
	for (int i = 0; i < 200000 && !dropped; i++) {
		ssize_t n = send(deaf, ask_info, strlen(ask_info), MSG_NOSIGNAL | MSG_DONTWAIT);
		struct pollfd p = {.fd = deaf, .events = POLLOUT};

		if (n < 0 && poll(&p, 1, 5000) == 1 && p.revents & (POLLHUP | POLLERR))
			dropped = true;
	}
	assert_true(dropped);
	assert_state(f, "running");
	close(deaf);
	close(console);
}

/* More clients than the limit, which ask for nothing: the next one is served all the same, and so
 * is one that asks late. */
static void test_crowd(void **state)
{
	struct fixture *f = *state;
	struct gw_error err = GW_ERROR_INIT;
	int fds[100];
	char buf[100];

	for (int i = 0; i < 100; i++) {
		fds[i] = gw_runtime_connect(&f->rt, "t", &err);
		assert_ok(fds[i], &err);
	}
	assert_state(f, "running");
	/* The first one was disconnected, and told why. */
	assert_true(recv(fds[0], buf, sizeof(buf) - 1, MSG_WAITALL) > 10);
	buf[sizeof(buf) - 1] = '\0';
	assert_non_null(strstr(buf, "busy"));
	assert_true(send(fds[99], "{\"request\":\"info\"}\n", 19, 0) == 19);
	assert_true(recv(fds[99], buf, sizeof(buf), 0) > 10);
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	assert_state(f, "running");
}

static void test_console(void **state)
{
	struct fixture *f = *state;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_client client;
	char text[64] = "";
	size_t have;

	assert_ok(gw_client_connect(&client, &f->rt, "t", &err), &err);
	assert_ok(gw_client_call(&client, json_pack("{s:s}", "request", "console"), -1, NULL, NULL,
				 NULL, 5000, NULL, &err),
		  &err);
	have = client.conn.in.len;
	memcpy(text, client.conn.in.data, have);
	while (have < 21) {
		ssize_t n = recv(client.conn.fd, text + have, sizeof(text) - have, 0);

		assert_true(n > 0);
		have += (size_t)n;
	}
	assert_string_equal(text, "hello from the guest\n");
	/* The console ends with the domain. */
	assert_done(f, "destroy");
	assert_int_equal(recv(client.conn.fd, text, sizeof(text), 0), 0);
	gw_client_close(&client);
}

/* A client that disconnects without confirming the image has not saved the domain, which runs
 * on. */
static void test_save_abandoned(void **state)
{
	struct fixture *f = *state;
	struct gw_error err = GW_ERROR_INIT;
	struct gw_client client;
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/image", f->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_ok(gw_client_connect(&client, &f->rt, "t", &err), &err);
	assert_ok(gw_client_call(&client,
				 json_pack("{s:s, s:b}", "request", "save", "force_pause", 1), fd,
				 NULL, NULL, NULL, 5000, NULL, &err),
		  &err);
	assert_true(lseek(fd, 0, SEEK_END) > 100);
	assert_state(f, "saved");
	assert_null(ask(f, json_pack("{s:s}", "request", "pause"), &err));
	assert_int_equal(err.code, GW_BUSY);
	gw_client_close(&client);
	usleep(50000);
	assert_state(f, "running");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, start, stop),
		cmocka_unit_test_setup_teardown(test_signal, start, stop),
		cmocka_unit_test_setup_teardown(test_nonsense, start, stop),
		cmocka_unit_test_setup_teardown(test_wrong_requests, start, stop),
		cmocka_unit_test_setup_teardown(test_deaf, start, stop),
		cmocka_unit_test_setup_teardown(test_crowd, start, stop),
		cmocka_unit_test_setup_teardown(test_console, start, stop),
		cmocka_unit_test_setup_teardown(test_save_abandoned, start, stop),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
