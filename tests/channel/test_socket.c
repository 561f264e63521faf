/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests addresses, connecting and listening.
 */
#include "tools.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "channel/address.h"
#include "channel/resolve.h"

static void addresses(void **state)
{
	static const struct {
		const char *text, *host, *port;
	} good[] = {
		{"tcp:host:7000", "host", "7000"},
		{"tcp::0", "", "0"},
		{"tcp:[::1]:65535", "::1", "65535"},
		{"tcp:[fe80::1%eth0]:007", "fe80::1%eth0", "7"},
		{"tcp:10.0.0.1:1", "10.0.0.1", "1"},
	};
	static const struct {
		const char *text, *part;
	} bad[] = {
		{"", "is no address"},
		{"host:7000", "is no address"},
		{"ssl:host:7000", "is no address"},
		{"tcp:", "has no port"},
		{"tcp:host", "has no port"},
		{"tcp:host:", "no port between"},
		{"tcp:host:x", "no port between"},
		{"tcp:host:+1", "no port between"},
		{"tcp:host:70000", "no port between"},
		{"tcp:host:99999999999999999999", "no port between"},
		{"tcp:::1:7000", "brackets"},
		{"tcp:[::1:7000", "bracket"},
		{"tcp:[:7000", "bracket"},
		{"tcp:[::1]x:7000", "bracket"},
		{"unix:", "has no path"},
		{"fd:", "names no descriptor"},
		{"fd:-1", "names no descriptor"},
		{"fd:0,", "names no descriptor"},
		{"fd:,1", "names no descriptor"},
		{"fd:0,1,2", "names no descriptor"},
		{"tls:host", "has no port: tls:HOST:PORT"},
		{"tls:::1:7000", "brackets, tls:[::1]:7000"},
		{"fd:99999999999", "names no descriptor"},
	};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_address address;
	char text[600];

	for (size_t i = 0; i < GW_ARRAY_SIZE(good); i++) {
		assert_ok(gw_address_parse(&address, good[i].text, &err), &err);
		assert_int_equal(address.kind, GW_ADDRESS_TCP);
		assert_string_equal(address.host, good[i].host);
		assert_string_equal(address.port, good[i].port);
	}
	for (size_t i = 0; i < GW_ARRAY_SIZE(bad); i++)
		assert_fails(gw_address_parse(&address, bad[i].text, &err), &err, GW_USAGE,
			     bad[i].part);
	assert_ok(gw_address_parse(&address, "unix:/run/x:y", &err), &err);
	assert_string_equal(address.path.sun_path, "/run/x:y");
	assert_ok(gw_address_parse(&address, "fd:7", &err), &err);
	assert_int_equal(address.fd, 7);
	assert_int_equal(address.out_fd, 7);
	assert_ok(gw_address_parse(&address, "fd:0,1", &err), &err);
	assert_int_equal(address.fd, 0);
	assert_int_equal(address.out_fd, 1);
	assert_ok(gw_address_parse(&address, "tls:[::1]:7000", &err), &err);
	assert_int_equal(address.kind, GW_ADDRESS_TLS);
	assert_string_equal(address.host, "::1");

	memset(text, 'p', sizeof(text));
	memcpy(text, "unix:", 5);
	text[5 + 107] = 0;
	assert_ok(gw_address_parse(&address, text, &err), &err);
	assert_int_equal(strlen(address.path.sun_path), 107);
	text[5 + 107] = 'p';
	text[5 + 108] = 0;
	assert_fails(gw_address_parse(&address, text, &err), &err, GW_USAGE,
		     "has 108 bytes, and a unix socket's may have 107");
	memset(text, 'h', sizeof(text));
	memcpy(text, "tcp:", 4);
	strcpy(text + 400, ":1");
	assert_fails(gw_address_parse(&address, text, &err), &err, GW_USAGE, "too long a host");
}

static struct gw_listener *listen_at(const char *address)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_listener *l = gw_listener_open(address, &err);

	if (!l)
		fail_msg("%s", err.text);
	assert_true(fcntl(gw_listener_fd(l), F_GETFD) & FD_CLOEXEC);
	return l;
}

static void fails_to_listen(const char *address, enum gw_code code, const char *part)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_null(gw_listener_open(address, &err));
	assert_non_null(strstr(err.text, address));
	assert_fails(-1, &err, code, part);
}

static void fails_to_connect(const char *address, enum gw_code code, const char *part)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_null(gw_channel_connect(address, NULL, &err));
	assert_non_null(strstr(err.text, address));
	assert_fails(-1, &err, code, part);
}

static int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

/* Connects both ends at this address and sends bytes in both directions. */
static void there_and_back(struct gw_listener *l)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *a = gw_channel_connect(gw_listener_address(l), NULL, &err), *b;

	if (!a)
		fail_msg("%s", err.text);
	assert_string_equal(a->name, gw_listener_address(l));
	b = gw_listener_accept(l, NULL, &err);
	if (!b)
		fail_msg("%s", err.text);
	struct gw_channel *const both[] = {a, b};
	for (int i = 0; i < 2; i++) {
		assert_false(fcntl(both[i]->fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(both[i]->fd, F_GETFD) & FD_CLOEXEC);
		if (strncmp(a->name, "tcp:", 4) == 0) {
			assert_true(option(both[i]->fd, IPPROTO_TCP, TCP_NODELAY));
			assert_true(option(both[i]->fd, SOL_SOCKET, SO_KEEPALIVE));
		}
	}
	transfer(b, a, 3 << 20, 30000, false);
	transfer(a, b, 3 << 20, 30000, true);
	b->read_pos = 0;
	transfer(b, a, 1000, 100, true);
	gw_channel_close(a);
	gw_channel_close(b);
}

static void over_tcp(void **state)
{
	static const char *const addresses_of[] = {"tcp::0", "tcp:127.0.0.1:0", "tcp:localhost:0"};

	for (size_t i = 0; i < GW_ARRAY_SIZE(addresses_of); i++) {
		struct gw_listener *l = listen_at(addresses_of[i]);

		print_message("%s: %s\n", addresses_of[i], gw_listener_address(l));
		assert_null(strstr(gw_listener_address(l), ":0"));
		there_and_back(l);
		gw_listener_close(l);
	}
}

static void over_tcp6(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_listener *l = gw_listener_open("tcp:[::1]:0", &err);

	if (!l) {
		print_message("no IPv6 here: %s\n", err.text);
		skip();
	}
	assert_int_equal(strncmp(gw_listener_address(l), "tcp:[::1]:", 10), 0);
	there_and_back(l);
	gw_listener_close(l);
}

/* A port is in use while a socket listens on it, and free right after. */
static void ports(void **state)
{
	struct gw_listener *l = listen_at("tcp::0");
	char address[64];

	snprintf(address, sizeof(address), "%s", gw_listener_address(l));
	there_and_back(l);
	fails_to_listen(address, GW_SYSTEM, "Address already in use");
	gw_listener_close(l);
	l = listen_at(address);
	assert_string_equal(gw_listener_address(l), address);
	gw_listener_close(l);
	fails_to_connect(address, GW_SYSTEM, "Connection refused");
	fails_to_connect("tcp::7000", GW_USAGE, "no host");
	fails_to_connect("tcp:localhost:0", GW_USAGE, "port 0");
	fails_to_listen("fd:3", GW_USAGE, "only tls:, tcp: and unix:");
	fails_to_listen("tcp:192.0.2.1:0", GW_SYSTEM, "Cannot assign");
}

static void over_unix(void **state)
{
	char *folder = make_folder(), address[128];
	struct gw_listener *l;
	struct stat st;
	mode_t old = umask(0);

	snprintf(address, sizeof(address), "unix:%s/socket", folder);
	fails_to_connect(address, GW_SYSTEM, "No such file");
	l = listen_at(address);
	umask(old);
	assert_string_equal(gw_listener_address(l), address);
	assert_int_equal(stat(address + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	there_and_back(l);
	fails_to_listen(address, GW_SYSTEM, "Address already in use");
	there_and_back(l);
	gw_listener_close(l);
	assert_int_equal(access(address + 5, F_OK), -1);
	remove_folder(folder);
}

/* A leftover socket of a killed process is replaced; any other file is kept. */
static void stale_sockets(void **state)
{
	char *folder = make_folder(), address[128];
	struct gw_listener *l, *other;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat st;

	snprintf(address, sizeof(address), "unix:%s/socket", folder);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", folder);
	assert_int_equal(bind(dead, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(dead, 1), 0);
	close(dead);
	fails_to_connect(address, GW_SYSTEM, "Connection refused");
	l = listen_at(address);
	there_and_back(l);

	/* A socket that another process has bound in the meantime is kept. */
	assert_int_equal(unlink(addr.sun_path), 0);
	other = listen_at(address);
	gw_listener_close(l);
	there_and_back(other);
	gw_listener_close(other);

	close(open(addr.sun_path, O_CREAT | O_WRONLY, 0600));
	fails_to_listen(address, GW_SYSTEM, "in use or is no socket");
	assert_int_equal(stat(addr.sun_path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	snprintf(address, sizeof(address), "unix:%s/none/socket", folder);
	fails_to_listen(address, GW_SYSTEM, "No such file");
	remove_folder(folder);
}

/* Two processes find the same stale socket: neither removes the other's new one. */
static void *listen_once(void *opaque)
{
	struct gw_error err = GW_ERROR_INIT;

	return gw_listener_open(opaque, &err);
}

static void one_of_many(void **state)
{
	char *folder = make_folder(), address[128];
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(address, sizeof(address), "unix:%s/socket", folder);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", folder);
	for (int round = 0; round < 20; round++) {
		pthread_t threads[4];
		struct gw_listener *winner = NULL;
		int dead = socket(AF_UNIX, SOCK_STREAM, 0);

		assert_int_equal(bind(dead, (struct sockaddr *)&addr, sizeof(addr)), 0);
		close(dead);
		for (int i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, listen_once, address);
		for (int i = 0; i < 4; i++) {
			void *l;

			pthread_join(threads[i], &l);
			if (l && winner)
				fail_msg("two listen at %s", address);
			if (l)
				winner = l;
		}
		assert_non_null(winner);
		there_and_back(winner);
		gw_listener_close(winner);
	}
	remove_folder(folder);
}

static void over_a_descriptor(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	char address[32];
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	snprintf(address, sizeof(address), "fd:%d", fds[1]);
	struct gw_channel *ch = gw_channel_connect(address, NULL, &err);
	assert_non_null(ch);
	assert_string_equal(ch->name, address);
	assert_ok(gw_channel_write(ch, "x", 1, &err), &err);
	gw_channel_close(ch);
	assert_int_equal(fcntl(fds[1], F_GETFD), -1);
	close(fds[0]);
	fails_to_connect("fd:987", GW_SYSTEM, "Bad file descriptor");
	ch = gw_channel_connect("fd:0", NULL, &err);
	assert_non_null(ch);
	gw_channel_close(ch);
	assert_int_not_equal(fcntl(0, F_GETFD), -1);
}

/* Two descriptors, one for each direction, with the limit and the token of the channel. */
static void over_two_descriptors(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_cancel *cancel = gw_cancel_new(&err);
	static uint8_t much[4 << 20];
	int to[2], from[2];
	char address[40], word[6] = "";
	struct gw_channel *ch;

	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	snprintf(address, sizeof(address), "fd:%d,%d", to[0], from[1]);
	ch = gw_channel_connect(address, cancel, &err);
	assert_non_null(ch);
	assert_false(gw_channel_has_input(ch));
	assert_int_equal(write(to[1], "hello", 5), 5);
	assert_true(gw_channel_has_input(ch));
	assert_int_equal(gw_channel_read(ch, word, 2, &err), 1);
	gw_channel_unread(ch, word, 2);
	assert_int_equal(gw_channel_read(ch, word, 5, &err), 1);
	assert_string_equal(word, "hello");
	assert_ok(gw_channel_write(ch, "there", 5, &err), &err);
	assert_int_equal(read(from[0], word, 5), 5);
	assert_string_equal(word, "there");
	gw_channel_set_silence(ch, 50);
	assert_fails(gw_channel_read(ch, word, 1, &err), &err, GW_PEER, "silent for 50 ms");
	assert_fails(gw_channel_write(ch, much, sizeof(much), &err), &err, GW_PEER,
		     "taken nothing for 50 ms");
	gw_cancel_set(cancel);
	assert_fails(gw_channel_read(ch, word, 1, &err), &err, GW_CANCELLED, "");
	assert_fails(gw_channel_write(ch, much, 1, &err), &err, GW_CANCELLED, "");
	gw_channel_set_cancel(ch, NULL);
	assert_ok(gw_channel_finish(ch, &err), &err);
	while (read(from[0], much, sizeof(much)) > 0)
		;
	close(to[1]);
	assert_int_equal(gw_channel_read(ch, word, 1, &err), 0);
	gw_channel_close(ch);
	assert_int_equal(fcntl(to[0], F_GETFD), -1);
	assert_int_equal(fcntl(from[1], F_GETFD), -1);
	close(from[0]);
	gw_cancel_free(cancel);
	assert_int_equal(pipe(to), 0);
	snprintf(address, sizeof(address), "fd:%d,%d", to[0], to[1]);
	gw_channel_close(gw_channel_connect(address, NULL, &err));
	assert_int_equal(fcntl(to[0], F_GETFD), -1);
	assert_int_equal(fcntl(to[1], F_GETFD), -1);
	snprintf(address, sizeof(address), "fd:%d,987", open("/dev/null", O_RDONLY));
	fails_to_connect(address, GW_SYSTEM, "Bad file descriptor");
	fails_to_connect("tls:127.0.0.1:1", GW_USAGE, "needs certificates or a key");
	fails_to_listen("tls:127.0.0.1:0", GW_USAGE, "needs certificates or a key");
}

/* A connection that is reset by the other side is not an end of input. */
static void reset_by_peer(void **state)
{
	static const struct linger at_once = {.l_onoff = 1};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_listener *l = listen_at("tcp::0");
	char *much = calloc(1, 8 << 20);
	char byte;

	for (int writing = 0; writing < 2; writing++) {
		struct gw_channel *a = gw_channel_connect(gw_listener_address(l), NULL, &err);
		struct gw_channel *b = gw_listener_accept(l, NULL, &err);

		setsockopt(a->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		gw_channel_close(a);
		if (writing)
			assert_fails(gw_channel_write(b, much, 8 << 20, &err), &err, GW_PEER,
				     "writing tcp:127.0.0.1");
		else
			assert_fails(gw_channel_read(b, &byte, 1, &err), &err, GW_PEER,
				     "the other side is gone");
		assert_fails(gw_channel_finish(b, &err), &err, GW_SYSTEM, "ending the output");
		gw_channel_close(b);
	}
	gw_listener_close(l);
	free(much);
}

static void no_such_host(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_cancel *cancel = gw_cancel_new(&err);
	uint64_t before = gw_clock_ms();

	/* The token is already set, so a slow name lookup must not be waited for. */
	gw_cancel_set(cancel);
	assert_null(gw_resolve("host.invalid", "1", false, cancel, &err));
	assert_fails(-1, &err, GW_CANCELLED, "looking up the host host.invalid");
	assert_true(gw_clock_ms() - before < 1000);
	gw_cancel_free(cancel);
	assert_null(gw_resolve("no host has spaces", "1", false, NULL, &err));
	assert_fails(-1, &err, GW_SYSTEM, "looking up the host no host has spaces");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(over_tcp),
		cmocka_unit_test(over_tcp6),
		cmocka_unit_test(ports),
		cmocka_unit_test(over_unix),
		cmocka_unit_test(stale_sockets),
		cmocka_unit_test(one_of_many),
		cmocka_unit_test(over_a_descriptor),
		cmocka_unit_test(over_two_descriptors),
		cmocka_unit_test(reset_by_peer),
		cmocka_unit_test(no_such_host),
	};

	return cmocka_run_group_tests_name("socket", tests, NULL, NULL);
}
