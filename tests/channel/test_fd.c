/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests channels on descriptors: random transfers over each kind in each mode, ends of input,
 * failures. The caller's descriptor keeps its settings.
 */
#include "tools.h"

#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>

#include "channel/fault.h"
#include "channel/fd.h"
#include "lib/random.h"

#define TOTAL (3u << 20)

static struct gw_channel *over(int fd, bool own)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_from_fd(fd, own, "it", &err);

	if (!ch)
		fail_msg("%s", err.text);
	return ch;
}

static enum gw_fd_mode mode_of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct gw_fd, ch)->mode;
}

static void force(struct gw_channel *ch, enum gw_fd_mode mode)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_fd_force(gw_container_of(ch, struct gw_fd, ch), mode, &err), &err);
}

static void over_pipe(void **state)
{
	static const enum gw_fd_mode modes[] = {GW_FD_NOWAIT, GW_FD_PRIVATE, GW_FD_READY};

	for (size_t i = 0; i <= GW_ARRAY_SIZE(modes); i++) {
		int fds[2];

		assert_int_equal(pipe(fds), 0);
		struct gw_channel *in = over(fds[0], true), *out = over(fds[1], true);

		if (i == GW_ARRAY_SIZE(modes)) {
			print_message("a pipe here uses mode %d\n", mode_of(out));
		} else {
			if (modes[i] == GW_FD_NOWAIT && mode_of(out) != GW_FD_NOWAIT)
				continue;
			force(in, modes[i]);
			force(out, modes[i]);
		}
		transfer(in, out, TOTAL, 20000, true);
		assert_int_equal(out->write_pos, TOTAL);
		assert_int_equal(out->fd, -1);
		gw_channel_close(in);
		gw_channel_close(out);
		assert_int_equal(fcntl(fds[0], F_GETFD), -1);
		assert_int_equal(fcntl(fds[1], F_GETFD), -1);
	}
}

/* After a splice the pipe no longer supports RWF_NOWAIT; that can happen in the middle of a
 * transfer. */
static void over_spliced_pipe(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	int fds[2], null = open("/dev/null", O_WRONLY);
	uint8_t buf[4];

	assert_int_equal(pipe(fds), 0);
	struct gw_channel *in = over(fds[0], true), *out = over(fds[1], true);

	assert_ok(gw_channel_write(out, "abcd", 4, &err), &err);
	assert_int_equal(gw_channel_read(in, buf, 2, &err), 1);
	assert_int_equal(splice(fds[0], NULL, null, NULL, 2, 0), 2);
	assert_int_equal(splice(open("/dev/zero", O_RDONLY), NULL, fds[1], NULL, 3, 0), 3);
	assert_int_equal(gw_channel_read(in, buf, 3, &err), 1);
	in->read_pos = 0;
	transfer(in, out, TOTAL, 20000, true);
	assert_int_not_equal(mode_of(in), GW_FD_NOWAIT);
	gw_channel_close(in);
	gw_channel_close(out);
	close(null);
}

static void over_fifo(void **state)
{
	char *folder = make_folder(), path[64];
	int in, out;

	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	in = open(path, O_RDONLY | O_NONBLOCK);
	out = open(path, O_WRONLY);
	assert_int_equal(fcntl(in, F_SETFL, 0), 0);

	struct gw_channel *from = over(in, true), *to = over(out, true);

	assert_int_not_equal(mode_of(to), GW_FD_PLAIN);
	transfer(from, to, TOTAL, 20000, true);
	gw_channel_close(from);
	gw_channel_close(to);
	remove_folder(folder);
}

static void over_socketpair(void **state)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	struct gw_channel *a = over(fds[0], true), *b = over(fds[1], true);

	transfer(a, b, TOTAL, 20000, false);
	transfer(b, a, TOTAL, 20000, true);
	/* Only one direction has ended. */
	a->read_pos = 0;
	transfer(a, b, TOTAL, 20000, true);
	gw_channel_close(a);
	gw_channel_close(b);
}

/* A descriptor that the channel does not own stays open, positioned after the bytes that were
 * read. */
static void over_file(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	int fd = memfd_create("godwit", 0);
	struct gw_channel *ch = over(fd, false);
	uint8_t buf[100];

	assert_false(ch->seekable);
	transfer(ch, ch, 0, 1, false);
	struct half w = {ch, TOTAL, random_seed(), 20000, true, false, GW_ERROR_INIT};

	write_half(&w);
	assert_false(w.failed);
	gw_channel_close(ch);
	assert_int_equal(lseek(fd, 10, SEEK_SET), 10);
	ch = over(fd, false);
	assert_true(ch->seekable);
	assert_int_equal(ch->size, TOTAL - 10);
	assert_int_equal(gw_channel_read(ch, buf, 100, &err), 1);
	check(buf, 100, 10);
	assert_int_equal(gw_channel_skip(ch, 1000000, &err), 1);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 1000110);
	assert_int_equal(gw_channel_read(ch, buf, 1, &err), 1);
	check(buf, 1, 1000110);
	/* A skip ends at the end of the file, although a seek could go further. */
	assert_fails(gw_channel_skip(ch, TOTAL, &err), &err, GW_TRUNCATED, "ends at byte");
	assert_int_equal(ch->read_pos, TOTAL - 10);
	assert_int_equal(gw_channel_skip(ch, 1, &err), 0);
	gw_channel_close(ch);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	ch = over(fd, true);
	transfer(ch, ch, 0, 1, false);
	struct half r = {ch, TOTAL, random_seed(), 20000, true, false, GW_ERROR_INIT};
	read_half(&r);
	gw_channel_close(ch);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* More places than one system call accepts. */
static void long_lists(void **state)
{
	enum { PLACES = 3000 };
	struct gw_error err = GW_ERROR_INIT;
	uint8_t out[PLACES * 3], in[PLACES * 3];
	struct iovec iov[PLACES];
	int fds[3][2];

	fill(out, sizeof(out), 0);
	assert_int_equal(pipe(fds[0]), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[1]), 0);
	fds[2][0] = memfd_create("godwit", 0);
	fds[2][1] = dup(fds[2][0]);
	for (int kind = 0; kind < 3; kind++) {
		struct gw_channel *from = over(fds[kind][0], true), *to = over(fds[kind][1], true);

		for (int i = 0; i < PLACES; i++)
			iov[i] = (struct iovec){out + (ptrdiff_t)i * 3, 3};
		assert_ok(gw_channel_writev(to, iov, PLACES, &err), &err);
		if (kind == 2)
			lseek(fds[2][0], 0, SEEK_SET);
		for (int i = 0; i < PLACES; i++)
			iov[i] = (struct iovec){in + (ptrdiff_t)i * 3, 3};
		memset(in, 0xee, sizeof(in));
		assert_int_equal(gw_channel_readv(from, iov, PLACES, &err), 1);
		check(in, sizeof(in), 0);
		gw_channel_close(from);
		gw_channel_close(to);
	}
}

/* A terminal in raw mode is a byte stream at both of its ends. */
static void over_terminal(void **state)
{
	struct termios raw;
	int master, slave;

	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		skip();
	assert_int_equal(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);

	struct gw_channel *m = over(master, true), *s = over(slave, true);

	assert_int_equal(mode_of(s), GW_FD_PRIVATE);
	assert_int_equal(mode_of(m), GW_FD_READY);
	transfer(m, s, 100000, 5000, false);
	transfer(s, m, 20000, 5000, false);
	gw_channel_close(s);
	gw_channel_close(m);
}

static void short_transfers(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
	int fds[2];

	plan.seed = random_seed();
	plan.read.most = 700;
	plan.write.most = 5000;
	assert_int_equal(pipe(fds), 0);
	struct gw_channel *in = gw_channel_fault(over(fds[0], true), &plan, &err);
	struct gw_channel *out = gw_channel_fault(over(fds[1], true), &plan, &err);

	transfer(in, out, TOTAL / 4, 3000, true);
	gw_channel_close(in);
	gw_channel_close(out);
}

/* No byte is read ahead: the rest belongs to the next reader of the descriptor. */
static void nothing_is_read_ahead(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	char buf[8] = "";
	int kinds[3][2];

	assert_int_equal(pipe(kinds[0]), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, kinds[1]), 0);
	kinds[2][0] = kinds[2][1] = memfd_create("godwit", 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(write(kinds[i][1], "abcdefgh", 8), 8);
		if (i == 2)
			lseek(kinds[i][0], 0, SEEK_SET);
		struct gw_channel *ch = over(kinds[i][0], false);
		assert_int_equal(gw_channel_read(ch, buf, 2, &err), 1);
		assert_int_equal(gw_channel_skip(ch, 3, &err), 1);
		gw_channel_close(ch);
		assert_int_equal(read(kinds[i][0], buf, 8), 3);
		assert_memory_equal(buf, "fgh", 3);
		close(kinds[i][0]);
		close(kinds[i][1]);
	}
}

static void ignore(int signal)
{
}

static volatile sig_atomic_t pipes_broken;

static void count_broken(int signal)
{
	pipes_broken++;
}

/* A channel on a pipe or socket. Before Linux 6.18 no pipe takes the flag against SIGPIPE. */
static struct gw_channel *over_old(int fd, bool old)
{
	struct gw_channel *ch = over(fd, true);

	if (old)
		gw_container_of(ch, struct gw_fd, ch)->no_signal = false;
	return ch;
}

/* A closed reader is an error and not a signal, whatever the program does about SIGPIPE. */
static void check_broken_pipes(bool old)
{
	struct gw_error err = GW_ERROR_INIT;
	sigset_t just_pipe, pending;

	pipes_broken = 0;

	sigemptyset(&just_pipe);
	sigaddset(&just_pipe, SIGPIPE);
	signal(SIGPIPE, count_broken);
	for (int round = 0; round < 6; round++) {
		bool blocked = round & 1;
		int fds[2];

		if (round == 4)
			signal(SIGPIPE, SIG_IGN);
		pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &just_pipe, NULL);
		assert_int_equal(round & 2 ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds),
				 0);
		close(fds[0]);
		struct gw_channel *ch = over_old(fds[1], old);
		assert_fails(gw_channel_write(ch, "x", 1, &err), &err, GW_PEER,
			     "writing it at byte 0: the other side is gone");
		sigpending(&pending);
		assert_false(sigismember(&pending, SIGPIPE));
		gw_channel_close(ch);
	}
	/* A SIGPIPE that was pending before the write stays pending. */
	pthread_sigmask(SIG_BLOCK, &just_pipe, NULL);
	signal(SIGPIPE, count_broken);
	raise(SIGPIPE);
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	struct gw_channel *ch = over_old(fds[1], old);
	assert_fails(gw_channel_write(ch, "x", 1, &err), &err, GW_PEER, "gone");
	gw_channel_close(ch);
	sigpending(&pending);
	assert_true(sigismember(&pending, SIGPIPE));
	assert_int_equal(pipes_broken, 0);
	pthread_sigmask(SIG_UNBLOCK, &just_pipe, NULL);
	assert_int_equal(pipes_broken, 1);
	signal(SIGPIPE, SIG_DFL);
}

static void broken_pipes(void **state)
{
	check_broken_pipes(false);
	check_broken_pipes(true);
}

static void what_fails(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t byte = 0;
	int fds[2];

	assert_null(gw_channel_from_fd(987, true, "nothing", &err));
	assert_fails(-1, &err, GW_SYSTEM, "nothing (descriptor 987): Bad file descriptor");

	int fd = open("/tmp", O_RDONLY);
	assert_null(gw_channel_from_fd(fd, true, "folder", &err));
	assert_fails(-1, &err, GW_SYSTEM, "folder: Is a directory");
	close(fd);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	assert_null(gw_channel_from_fd(fds[0], true, "messages", &err));
	assert_fails(-1, &err, GW_USAGE, "messages is a socket of messages");
	close(fds[0]);
	close(fds[1]);

	struct gw_channel *ch = over(open("/dev/full", O_RDWR), true);
	assert_fails(gw_channel_write(ch, "x", 1, &err), &err, GW_SYSTEM,
		     "writing it at byte 0: No space left on device");
	gw_channel_close(ch);

	ch = over(open("/dev/null", O_RDWR), true);
	assert_ok(gw_channel_write(ch, "x", 1, &err), &err);
	assert_int_equal(gw_channel_read(ch, &byte, 1, &err), 0);
	assert_ok(gw_channel_finish(ch, &err), &err);
	gw_channel_close(ch);

	ch = over(open("/dev/null", O_RDONLY), true);
	assert_fails(gw_channel_write(ch, "x", 1, &err), &err, GW_SYSTEM, "Bad file descriptor");
	gw_channel_close(ch);

	assert_int_equal(pipe(fds), 0);
	ch = over(fds[0], true);
	assert_fails(gw_channel_write(ch, "x", 1, &err), &err, GW_SYSTEM, "writing it");
	close(fds[1]);
	gw_channel_close(ch);
}

/* A signal handler without SA_RESTART interrupts every wait; the transfers still complete. */
struct pestered {
	pthread_t whom;
	bool stop;
};

/* A read of a silent peer fails after the limit; the next byte is read as before. */
static void silence(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_channel *ch;
		int fds[2];
		char c;

		assert_int_equal(i ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds), 0);
		ch = gw_channel_from_fd(fds[0], true, "silence", &err);
		assert_non_null(ch);
		gw_channel_set_silence(ch, 50);
		assert_int_equal(write(fds[1], "x", 1), 1);
		assert_int_equal(gw_channel_read(ch, &c, 1, &err), 1);
		assert_fails(gw_channel_read(ch, &c, 1, &err), &err, GW_PEER,
			     "reading silence at byte 1: the other side has been silent for 50 ms");
		assert_int_equal(write(fds[1], "y", 1), 1);
		assert_int_equal(gw_channel_read(ch, &c, 1, &err), 1);
		close(fds[1]);
		assert_int_equal(gw_channel_read(ch, &c, 1, &err), 0);
		gw_channel_close(ch);
	}
}

static void *pester(void *opaque)
{
	struct pestered *p = opaque;

	while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
		pthread_kill(p->whom, SIGUSR1);
		usleep(200);
	}
	return NULL;
}

static void interrupted(void **state)
{
	struct sigaction action = {.sa_handler = ignore};
	struct pestered p = {.whom = pthread_self()};
	pthread_t thread;
	int fds[2];

	sigaction(SIGUSR1, &action, NULL);
	pthread_create(&thread, NULL, pester, &p);
	for (int socket = 0; socket < 2; socket++) {
		assert_int_equal(socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, fds) : pipe(fds), 0);
		struct gw_channel *in = over(fds[0], true), *out = over(fds[1], true);
		transfer(in, out, TOTAL, 50000, true);
		gw_channel_close(in);
		gw_channel_close(out);
	}
	__atomic_store_n(&p.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

/* Files in /proc report a size of 0. */
static void files_without_a_size(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = over(open("/proc/self/status", O_RDONLY), true);
	char buf[4];

	assert_false(ch->seekable);
	assert_int_equal(gw_channel_skip(ch, 5, &err), 1);
	assert_int_equal(gw_channel_read(ch, buf, 4, &err), 1);
	gw_channel_close(ch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_pipe),
		cmocka_unit_test(over_spliced_pipe),
		cmocka_unit_test(over_fifo),
		cmocka_unit_test(over_socketpair),
		cmocka_unit_test(over_file),
		cmocka_unit_test(long_lists),
		cmocka_unit_test(over_terminal),
		cmocka_unit_test(short_transfers),
		cmocka_unit_test(nothing_is_read_ahead),
		cmocka_unit_test(broken_pipes),
		cmocka_unit_test(what_fails),
		cmocka_unit_test(silence),
		cmocka_unit_test(interrupted),
		cmocka_unit_test(files_without_a_size),
	};

	return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
