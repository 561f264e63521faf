/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the operations of domain processes while another client asks for their info all the time,
 * so the main thread reads what an operation's thread changes. Under ThreadSanitizer a member
 * without an owner or a lock ends the process, and with it the test.
 */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/client.h"
#include "vmm/process.h"

#define PAGES 900

static int image_file(const struct fixture *f)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/image", f->dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

/* Saves the domain into fd, then ends it in this way ("run", "destroy"). */
static void save(struct fixture *f, const char *name, int fd, const char *then)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_client client;

	assert_ok(gw_client_connect(&client, &f->rt, name, &err), &err);
	assert_ok(gw_client_call(&client,
				 json_pack("{s:s, s:b, s:b}", "request", "save", "live", 1,
					   "force_pause", 1),
				 fd, NULL, NULL, NULL, 20000, NULL, &err),
		  &err);
	assert_ok(gw_client_call(&client, json_pack("{s:s, s:s}", "request", "keep", "then", then),
				 -1, NULL, NULL, NULL, 20000, NULL, &err),
		  &err);
	gw_client_close(&client);
}

static void test_save(void **state)
{
	struct fixture *f = *state;
	pid_t domain = start_domain(f, "t", PAGES);
	pid_t asking = start_asking(f, "t", "t");
	int fd = image_file(f);

	for (int i = 0; i < 3; i++) {
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		save(f, "t", fd, "run");
	}
	assert_state(f, "running");
	save(f, "t", fd, "destroy");
	stop_child(f, asking);
	assert_end(f, domain, GW_END_SAVED);
	close(fd);
}

static void test_restore(void **state)
{
	struct fixture *f = *state;
	pid_t domain = start_domain(f, "t", PAGES);
	int fd = image_file(f);
	pid_t asking;

	save(f, "t", fd, "destroy");
	assert_end(f, domain, GW_END_SAVED);
	asking = start_asking(f, "again", "t");
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	domain = start_restore(f, "again", fd);
	wait_for_state(f, "again", "running");
	stop_child(f, asking);
	assert_done_by(f, "again", "destroy");
	assert_end(f, domain, GW_END_DESTROYED);
}

/* The info of the new name is requested while the config still changes; that of the old one while
 * both exist. */
static void test_migrate(void **state)
{
	struct fixture *f = *state;
	pid_t source = start_domain(f, "t", PAGES), destination;
	pid_t asking = start_asking(f, "t", "moved");
	struct gw_error err = GW_ERROR_INIT;
	json_t *reply;
	int fds[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	destination = start_receive(f, "moved", fds[1]);
	reply = ask_of(
		f, "t",
		json_pack("{s:s, s:b, s:b}", "request", "migrate", "live", 1, "force_pause", 1),
		fds[0], &err);
	close(fds[0]);
	if (!reply)
		fail_msg("migrate: %s", err.text);
	json_decref(reply);
	assert_end(f, source, GW_END_MOVED);
	wait_for_state(f, "moved", "running");
	stop_child(f, asking);
	assert_done_by(f, "moved", "destroy");
	assert_end(f, destination, GW_END_DESTROYED);
}

/* To its own host and under its own name, which the copy takes over when the source is gone. */
static void test_migrate_beside_itself(void **state)
{
	struct fixture *f = *state;
	pid_t source = start_domain(f, "t", PAGES), destination;
	pid_t asking = start_asking(f, "t", "t--incoming");
	struct gw_error err = GW_ERROR_INIT;
	json_t *reply;
	int fds[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	destination = start_receive(f, NULL, fds[1]);
	reply = ask_of(f, "t", json_pack("{s:s, s:b}", "request", "migrate", "force_pause", 1),
		       fds[0], &err);
	close(fds[0]);
	if (!reply)
		fail_msg("migrate: %s", err.text);
	json_decref(reply);
	assert_end(f, source, GW_END_MOVED);
	wait_for_state(f, "t", "running");
	stop_child(f, asking);
	assert_done(f, "destroy");
	assert_end(f, destination, GW_END_DESTROYED);
}

/* An image that arrives without a godwit, its first bytes one by one: it is recognised when enough
 * of them are there. */
static void test_image_in_pieces(void **state)
{
	struct fixture *f = *state;
	pid_t domain = start_domain(f, "t", PAGES), asking;
	int fd = image_file(f), fds[2];
	char buf[4096];
	ssize_t n;

	save(f, "t", fd, "destroy");
	assert_end(f, domain, GW_END_SAVED);
	asking = start_asking(f, "t", "t");
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	domain = start_receive(f, NULL, fds[1]);
	for (off_t at = 0; at < 20; at++) {
		assert_int_equal(pread(fd, buf, 1, at), 1);
		assert_int_equal(send(fds[0], buf, 1, MSG_NOSIGNAL), 1);
		usleep(2000);
	}
	assert_int_equal(lseek(fd, 20, SEEK_SET), 20);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		assert_int_equal(send(fds[0], buf, (size_t)n, MSG_NOSIGNAL), n);
	close(fds[0]);
	close(fd);
	wait_for_state(f, "t", "running");
	stop_child(f, asking);
	assert_done(f, "destroy");
	assert_end(f, domain, GW_END_DESTROYED);
}

/* Neither a godwit nor an image: refused with a message of the protocol, however few bytes came. */
static void test_no_image(void **state)
{
	static const char *const words[][2] = {
		{"", "the sender closed the connection after 0 bytes"},
		{"\x16\x03\x01", "the sender speaks TLS"},
		{"GET / HTTP/1.0\r\n\r\n", "the sender sent \"GET / HTTP/1.0"},
		{"SSH-2.0-OpenSSH_9.2\r\n", "the sender sent \"SSH-2.0-OpenSSH"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char answer[2000];
		size_t have = 0;
		pid_t domain;
		ssize_t n;
		int fds[2];

		assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		domain = start_receive(f, NULL, fds[1]);
		assert_int_equal(send(fds[0], words[i][0], strlen(words[i][0]), MSG_NOSIGNAL),
				 strlen(words[i][0]));
		shutdown(fds[0], SHUT_WR);
		while ((n = recv(fds[0], answer + have, sizeof(answer) - 1 - have, 0)) > 0)
			have += (size_t)n;
		/* An ERROR frame: its text comes after 16 bytes. */
		assert_true(have > 16);
		answer[have] = '\0';
		assert_non_null(strstr(answer + 16, "no godwit hello"));
		if (!strstr(answer + 16, words[i][1]))
			fail_msg("\"%s\" does not contain \"%s\"", answer + 16, words[i][1]);
		close(fds[0]);
		assert_end(f, domain, GW_END_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_save, open_runtime, close_runtime),
		cmocka_unit_test_setup_teardown(test_restore, open_runtime, close_runtime),
		cmocka_unit_test_setup_teardown(test_migrate, open_runtime, close_runtime),
		cmocka_unit_test_setup_teardown(test_migrate_beside_itself, open_runtime,
						close_runtime),
		cmocka_unit_test_setup_teardown(test_image_in_pieces, open_runtime, close_runtime),
		cmocka_unit_test_setup_teardown(test_no_image, open_runtime, close_runtime),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
