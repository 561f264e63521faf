/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests that every wait of a channel, also a write to a full pipe or socket, ends soon after its
 * token is set, and that the descriptor keeps the mode it was passed in.
 */
#include "tools.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "channel/fault.h"
#include "channel/fd.h"

/* The most time a cancelled call may take, counted from gw_cancel_set(). TSan makes each access to
 * the large buffers of the calls many times slower. */
#ifdef __SANITIZE_THREAD__
#define SOON_NS (1000 * 1000000u)
#else
#define SOON_NS (50 * 1000000u)
#endif
/* The machine may be busy with other work, so the best of a few attempts counts. */
#define ATTEMPTS 5

struct trial {
	struct gw_cancel *cancel;
	uint64_t set_at;
};

static void *set_later(void *opaque)
{
	struct trial *t = opaque;

	usleep(20000);
	t->set_at = gw_clock_ns();
	gw_cancel_set(t->cancel);
	return NULL;
}

/* A call that has to wait and returns -1, with a token that is set soon. */
typedef int blocked(void *what, const struct gw_cancel *cancel, struct gw_error *err);

static uint64_t try_once(blocked *call, void *what, const char *name)
{
	struct gw_error err = GW_ERROR_INIT;
	struct trial t = {.cancel = gw_cancel_new(&err)};
	pthread_t thread;
	uint64_t took;

	assert_int_equal(pthread_create(&thread, NULL, set_later, &t), 0);
	int rc = call(what, t.cancel, &err);
	took = gw_clock_ns();
	pthread_join(thread, NULL);
	took -= GW_MIN(took, t.set_at);
	if (rc != -1 || err.code != GW_CANCELLED)
		fail_msg("%s: %d, %s", name, rc, err.text);
	gw_cancel_free(t.cancel);
	return took;
}

static void ends_soon(blocked *call, void *what, const char *name)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < ATTEMPTS && best > SOON_NS; i++)
		best = GW_MIN(best, try_once(call, what, name));
	print_message("%-28s %" PRIu64 " us\n", name, best / 1000);
	if (best > SOON_NS)
		fail_msg("%s takes %" PRIu64 " ms to be cancelled", name, best / 1000000);
}

static int write_much(void *ch, const struct gw_cancel *cancel, struct gw_error *err)
{
	/* Static: under ThreadSanitizer it takes longer to free it than to cancel the write. */
	static uint8_t much[16 << 20];

	gw_channel_set_cancel(ch, cancel);
	int rc = gw_channel_write(ch, much, sizeof(much), err);
	gw_channel_set_cancel(ch, NULL);
	return rc;
}

static int read_one(void *ch, const struct gw_cancel *cancel, struct gw_error *err)
{
	uint8_t byte;

	gw_channel_set_cancel(ch, cancel);
	int rc = gw_channel_read(ch, &byte, 1, err);
	gw_channel_set_cancel(ch, NULL);
	return rc;
}

static int skip_much(void *ch, const struct gw_cancel *cancel, struct gw_error *err)
{
	gw_channel_set_cancel(ch, cancel);
	int rc = gw_channel_skip(ch, 1 << 30, err);
	gw_channel_set_cancel(ch, NULL);
	return rc;
}

static struct gw_channel *over(int fd, enum gw_fd_mode mode)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_from_fd(fd, false, "it", &err);

	if (!ch)
		fail_msg("%s", err.text);
	if (mode)
		assert_ok(gw_fd_force(gw_container_of(ch, struct gw_fd, ch), mode, &err), &err);
	return ch;
}

/* Waits in both directions on descriptors of the caller's, and closes them. */
static void both_directions(int in, int out, enum gw_fd_mode mode, const char *name)
{
	struct gw_channel *from = over(in, mode), *to = over(out, mode);
	int in_flags = fcntl(in, F_GETFL), out_flags = fcntl(out, F_GETFL);
	char text[64];

	snprintf(text, sizeof(text), "%s, reading", name);
	ends_soon(read_one, from, text);
	snprintf(text, sizeof(text), "%s, skipping", name);
	ends_soon(skip_much, from, text);
	snprintf(text, sizeof(text), "%s, writing", name);
	ends_soon(write_much, to, text);
	assert_int_equal(fcntl(in, F_GETFL), in_flags);
	assert_int_equal(fcntl(out, F_GETFL), out_flags);
	assert_false((in_flags | out_flags) & O_NONBLOCK);
	gw_channel_close(from);
	gw_channel_close(to);
	close(in);
	if (in != out)
		close(out);
}

static void pipes(void **state)
{
	static const struct {
		enum gw_fd_mode mode;
		const char *name;
	} modes[] = {
		{GW_FD_PLAIN, "a pipe"}, /* forces nothing */
		{GW_FD_PRIVATE, "a pipe opened again"},
		{GW_FD_READY, "a pipe by small parts"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(modes); i++) {
		int fds[2];

		assert_int_equal(pipe(fds), 0);
		both_directions(fds[0], fds[1], modes[i].mode, modes[i].name);
	}
}

static void fifos(void **state)
{
	char *folder = make_folder(), path[64];
	int in;

	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	in = open(path, O_RDONLY | O_NONBLOCK);
	assert_int_equal(fcntl(in, F_SETFL, 0), 0);
	both_directions(in, open(path, O_WRONLY), 0, "a fifo");
	remove_folder(folder);
}

static void sockets(void **state)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	socklen_t len = sizeof(addr);
	int fds[2], listening = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	both_directions(fds[0], fds[1], 0, "a unix socket");

	assert_int_equal(bind(listening, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&addr, &len), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fds[0], (struct sockaddr *)&addr, sizeof(addr)), 0);
	fds[1] = accept(listening, NULL, NULL);
	both_directions(fds[0], fds[1], 0, "a tcp socket");
	close(listening);
}

static void terminals(void **state)
{
	struct termios raw;
	int master, slave;

	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		skip();
	assert_int_equal(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
	both_directions(dup(slave), dup(slave), 0, "a terminal");
	/* By the smallest parts, and the other end. */
	both_directions(dup(slave), slave, GW_FD_READY, "a terminal, bytewise");
	tcflush(master, TCIOFLUSH);
	close(master);

	assert_int_equal(openpty(&master, &slave, NULL, NULL, &(struct winsize){0}), 0);
	tcsetattr(slave, TCSANOW, &raw);
	both_directions(dup(master), master, 0, "a terminal's master");
	close(slave);
}

static int connect_to(void *address, const struct gw_cancel *cancel, struct gw_error *err)
{
	struct gw_channel *ch = gw_channel_connect(address, cancel, err);

	gw_channel_close(ch);
	return ch ? 0 : -1;
}

static int accept_from(void *listener, const struct gw_cancel *cancel, struct gw_error *err)
{
	struct gw_channel *ch = gw_listener_accept(listener, cancel, err);

	gw_channel_close(ch);
	return ch ? 0 : -1;
}

/* An accept without a connection; a connect to a full queue that is not accepted. */
static void connecting(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	char *folder = make_folder(), path[64];

	snprintf(path, sizeof(path), "unix:%s/socket", folder);
	for (int tcp = 0; tcp < 2; tcp++) {
		struct gw_listener *l = gw_listener_open(tcp ? "tcp::0" : path, &err);
		struct gw_channel *queue;
		const char *name = tcp ? "tcp" : "unix";
		char text[64];

		if (!l)
			fail_msg("%s", err.text);
		snprintf(text, sizeof(text), "%s, accepting", name);
		ends_soon(accept_from, l, text);
		assert_int_equal(listen(gw_listener_fd(l), 0), 0);
		queue = gw_channel_connect(gw_listener_address(l), NULL, &err);
		assert_non_null(queue);
		snprintf(text, sizeof(text), "%s, connecting", name);
		ends_soon(connect_to, (void *)(uintptr_t)gw_listener_address(l), text);
		gw_channel_close(queue);
		gw_listener_close(l);
	}
	remove_folder(folder);
}

/* A FIFO whose other end has not come is waited for at the first transfer, where a token reaches.
 */
static void opening_fifos(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	char *folder = make_folder(), path[64];
	struct gw_channel *ch;

	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	ch = gw_channel_open(path, &err);
	assert_non_null(ch);
	ends_soon(read_one, ch, "a fifo without writer");
	gw_channel_close(ch);
	ch = gw_channel_create(path, &err);
	assert_non_null(ch);
	ends_soon(write_much, ch, "a fifo without reader");
	gw_channel_close(ch);
	remove_folder(folder);
}

/* The token of the outermost channel reaches the wait of the innermost. */
static void through_layers(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "\x28\xb5\x2f\xfd", 4), 4);
	struct gw_channel *ch = gw_channel_fault(over(fds[0], 0), &plan, &err);
	ch = gw_channel_decompress(ch, &err);
	assert_non_null(ch);
	ends_soon(read_one, ch, "a decoder");
	gw_channel_close(ch);

	plan.write.stall_at = 5;
	ch = gw_channel_fault(over(fds[1], 0), &plan, &err);
	assert_ok(gw_channel_write(ch, "12345", 5, &err), &err);
	ends_soon(write_much, ch, "a stall");
	gw_channel_close(ch);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipes),	  cmocka_unit_test(fifos),
		cmocka_unit_test(sockets),	  cmocka_unit_test(terminals),
		cmocka_unit_test(connecting),	  cmocka_unit_test(opening_fifos),
		cmocka_unit_test(through_layers),
	};

	return cmocka_run_group_tests_name("interrupt", tests, NULL, NULL);
}
