/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the framing of the control protocol: messages in pieces, descriptors, and peers that send
 * nonsense.
 */
#include "lib/gwtest.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/conn.h"

static void pair(struct gw_conn *a, struct gw_conn *b)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	gw_conn_init(a, fds[0]);
	gw_conn_init(b, fds[1]);
}

static void test_pieces(void **state)
{
	static const char text[] = "{\"request\":\"info\"}\n{\"request\":\"pause\"}\n";
	struct gw_error err = GW_ERROR_INIT;
	struct gw_conn a, b;
	json_t *message;
	unsigned seen = 0;

	pair(&a, &b);
	for (const char *p = text; *p; p++) {
		assert_int_equal(write(a.fd, p, 1), 1);
		assert_int_equal(gw_conn_receive(&b, &err), 1);
		while (gw_conn_next(&b, &message, &err) == 1) {
			assert_string_equal(json_string_value(json_object_get(message, "request")),
					    seen ? "pause" : "info");
			seen++;
			json_decref(message);
		}
	}
	assert_int_equal(seen, 2);
	/* No data is not the end; a closed peer is. */
	assert_int_equal(gw_conn_receive(&b, &err), 1);
	gw_conn_close(&a);
	assert_int_equal(gw_conn_receive(&b, &err), 0);
	gw_conn_close(&b);
}

static void test_descriptors(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_conn a, b;
	json_t *message;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd;

	pair(&a, &b);
	assert_ok(gw_conn_send(&a, json_pack("{s:i}", "n", 1), null, &err), &err);
	assert_int_equal(gw_conn_receive(&b, &err), 1);
	assert_int_equal(gw_conn_next(&b, &message, &err), 1);
	json_decref(message);
	fd = gw_conn_take_fd(&b);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	assert_int_equal(gw_conn_take_fd(&b), -1);

	/* More descriptors than a message may have: the rest is closed, as are those that nobody
	 * takes. */
	int before = dup(null);
	close(before);
	for (int i = 0; i < 20; i++) {
		assert_ok(gw_conn_send(&a, json_pack("{s:i}", "n", i), null, &err), &err);
		assert_int_equal(gw_conn_receive(&b, &err), 1);
	}
	assert_int_equal(b.nr_fds, GW_CONN_FDS_MAX);
	gw_conn_close(&a);
	gw_conn_close(&b);
	int after = dup(null);
	assert_true(after <= before);
	close(after);
	close(null);
}

/* Feeds text and expects this refusal. */
static void refused(const char *text, size_t len, const char *part)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_conn a, b;
	json_t *message = NULL;
	int got = 0;

	pair(&a, &b);
	for (size_t sent = 0; sent < len && got == 0;) {
		size_t n = len - sent < 4096 ? len - sent : 4096;

		assert_int_equal(write(a.fd, text + sent, n), n);
		sent += n;
		assert_int_equal(gw_conn_receive(&b, &err), 1);
		got = gw_conn_next(&b, &message, &err);
	}
	assert_fails(got, &err, GW_PEER, part);
	gw_conn_close(&a);
	gw_conn_close(&b);
}

static void test_nonsense(void **state)
{
	char *text = malloc(GW_CONN_LINE_MAX + 1);

	refused("GET / HTTP/1.1\r\n", 16, "not JSON");
	refused("\n", 1, "not JSON");
	refused("[1]\n", 4, "object");
	refused("\"x\"\n", 4, "not JSON");
	refused("{\"a\":1} trailing\n", 17, "not JSON");
	refused("{\"a\":1,\"a\":2}\n", 14, "not JSON");
	refused("{\"a\":\"\xff\"}\n", 10, "not JSON");

	memset(text, ' ', GW_CONN_LINE_MAX + 1);
	refused(text, GW_CONN_LINE_MAX + 1, "longer than");
	memset(text, '[', 1000);
	text[1000] = '\n';
	refused(text, 1001, "nests");
	free(text);
}

/* A client that sends requests and never reads is disconnected before memory runs out. */
static void test_never_reads(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_conn a, b;
	char value[1000];
	int ret = 0;
	unsigned n = 0;

	pair(&a, &b);
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	while (ret == 0 && n++ < 100000) {
		ret = gw_conn_queue(&b, json_pack("{s:s}", "event", value), &err);
		if (ret == 0)
			assert_ok(gw_conn_flush(&b, &err), &err);
	}
	assert_fails(ret, &err, GW_PEER, "does not read");
	gw_conn_close(&a);
	/* The peer has closed: sending fails and raises no signal. */
	assert_true(gw_conn_flush(&b, &err) < 0);
	gw_conn_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_never_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
