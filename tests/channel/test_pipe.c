/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests what makes transfers through pipes fast: a large one enlarges its pipe as far as the
 * process is allowed to, at either end, and pages of memory fill pages of the pipe.
 */
#include "tools.h"

#include <grp.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "channel/fd.h"

#define LARGE (3u << 20)

static int size_of(int fd)
{
	int size = fcntl(fd, F_GETPIPE_SZ);

	assert_true(size > 0);
	return size;
}

static struct gw_channel *over(int fd)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_from_fd(fd, true, "it", &err);

	if (!ch)
		fail_msg("%s", err.text);
	return ch;
}

/* What gw_fd_widen() may ask for here. */
static int largest(void)
{
	FILE *f = fopen("/proc/sys/fs/pipe-max-size", "r");
	int max = 0;

	if (f && fscanf(f, "%d", &max) != 1)
		max = 0;
	if (f)
		fclose(f);
	return GW_MIN(max, GW_FD_PIPE_SIZE);
}

/* The other end's process: reads or writes LARGE bytes. */
static pid_t start_peer(int mine, int other, bool reads)
{
	pid_t child = fork();

	if (child != 0)
		return child;
	uint8_t *data = calloc(1, LARGE);
	ssize_t n = 1;

	close(mine);
	for (size_t at = 0; at < LARGE && n > 0; at += (size_t)n)
		n = reads ? read(other, data + at, LARGE - at)
			  : write(other, data + at, LARGE - at);
	_exit(n > 0 ? 0 : 1);
}

/* Moves LARGE bytes through the channel and closes it. Returns the exit status of the peer. */
static int move_large(struct gw_channel *ch, bool writing, int other)
{
	GW_FREE_ON_EXIT uint8_t *data = calloc(1, LARGE);
	struct gw_error err = GW_ERROR_INIT;
	pid_t peer = start_peer(ch->fd, other, writing);
	int status = -1;

	if (writing)
		assert_ok(gw_channel_write(ch, data, LARGE, &err), &err);
	else
		assert_int_equal(gw_channel_read(ch, data, LARGE, &err), 1);
	gw_channel_close(ch);
	waitpid(peer, &status, 0);
	return status;
}

static void grows_for_large_transfers(void **state)
{
	if (largest() <= 65536)
		skip();
	for (int writing = 0; writing < 2; writing++) {
		struct gw_error err = GW_ERROR_INIT;
		uint8_t small[4096] = {0};
		int fds[2];

		assert_int_equal(pipe(fds), 0);
		int mine = fds[writing], other = fds[!writing], before = size_of(other);
		struct gw_channel *ch = over(mine);

		assert_int_equal(size_of(other), before);
		if (writing) {
			assert_ok(gw_channel_write(ch, small, sizeof(small), &err), &err);
		} else {
			assert_int_equal(write(other, small, sizeof(small)), sizeof(small));
			assert_int_equal(gw_channel_read(ch, small, sizeof(small), &err), 1);
		}
		/* A console or a list of names does not need more. */
		assert_int_equal(size_of(other), before);
		assert_int_equal(move_large(ch, writing, other), 0);
		assert_int_equal(size_of(other), largest());
		close(other);
	}
}

/* A user whose pipes have as many pages as one may have gets no larger one; bytes pass all the
 * same. */
static int without_pages(void)
{
	enum { PIPES = 200 };
	int full[PIPES][2], fds[2], n = 0;

	if (setgroups(0, NULL) < 0 || setgid(65533) < 0 || setuid(65533) < 0)
		return 77;
	while (n < PIPES && pipe(full[n]) == 0 && fcntl(full[n][0], F_SETPIPE_SZ, 1 << 20) > 0)
		n++;
	if (n == PIPES || pipe(fds) < 0)
		return 77;
	int before = size_of(fds[0]);

	if (fcntl(fds[0], F_SETPIPE_SZ, 1 << 20) > 0)
		return 77;
	if (move_large(over(fds[1]), true, fds[0]) != 0)
		return 1;
	return size_of(fds[0]) < (1 << 20) && size_of(fds[0]) >= before ? 0 : 1;
}

static void stays_without_a_right_to_more(void **state)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(without_pages());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/*
 * A record's head and pages of memory. The pages begin where the pipe's begin: the head takes one
 * of the pipe's 16 pages, and 15 are left.
 */
static void pages_begin_pages(void **state)
{
	static _Alignas(4096) uint8_t pages[17 * 4096];
	struct gw_error err = GW_ERROR_INIT;
	uint8_t head[8208] = {0};
	int fds[2], held;

	for (size_t len = 16; len <= sizeof(head); len += 4096) {
		struct iovec iov[2] = {{head, len}, {pages, sizeof(pages)}};

		assert_int_equal(pipe(fds), 0);
		assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, 65536), 65536);
		struct gw_channel *ch = over(fds[1]);

		gw_channel_set_silence(ch, 20);
		assert_fails(gw_channel_writev(ch, iov, 2, &err), &err, GW_PEER, "taken nothing");
		assert_int_equal(ioctl(fds[0], FIONREAD, &held), 0);
		assert_int_equal(held, 65536 - 4096 + 16);
		gw_channel_close(ch);
		close(fds[0]);
	}
}

/* Whole pages in front of pages go in the same call, and so does what is no page of memory. */
static void other_bytes_stay_together(void **state)
{
	static _Alignas(4096) uint8_t pages[3 * 4096];
	struct iovec lists[][2] = {
		{{pages, 4096}, {pages + 4096, 4096}},
		{{pages, 16}, {pages + 16, 4096}},
		{{pages, 16}, {pages + 4096, 4095}},
	};
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	struct gw_channel *ch = over(fds[1]);

	for (size_t i = 0; i < GW_ARRAY_SIZE(lists); i++)
		assert_int_equal(gw_fd_write(ch, lists[i], 2, NULL),
				 lists[i][0].iov_len + lists[i][1].iov_len);
	gw_channel_close(ch);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_for_large_transfers),
		cmocka_unit_test(stays_without_a_right_to_more),
		cmocka_unit_test(pages_begin_pages),
		cmocka_unit_test(other_bytes_stay_together),
	};

	return cmocka_run_group_tests_name("pipe", tests, NULL, NULL);
}
