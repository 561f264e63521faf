/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Channel ends of every kind, for tests that move bytes between channels. Some kinds have a thread
 * that fills the input or empties the output.
 */
#ifndef GW_TESTS_CHANNEL_ENDS_H
#define GW_TESTS_CHANNEL_ENDS_H

#include "tools.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "channel/fault.h"
#include "channel/memory.h"
#include "lib/random.h"

enum kind {
	PIPE,
	SMALL_PIPE, /* of one page, used with splice before */
	FILE_FD,
	FILE_PATH,
	SOCKET,
	MEMORY,
	SHORT,	  /* moves a few bytes at a time */
	APPENDED, /* a file that only grows: the kernel does not splice into it */
	FIFO,	  /* not opened yet */
	KINDS,
};

static const char *const names[KINDS] = {
	"a pipe", "a small pipe", "a file", "a file by path", "a socket",
	"memory", "short turns",  "append", "a fifo",
};

struct end {
	enum kind kind;
	struct gw_channel *ch;
	int other; /* the far end's descriptor, -1 */
	uint64_t total;
	pthread_t thread;
	bool has_thread;
	char *folder;
	char path[80];
	uint8_t *got; /* of an output: all that came, set by collect() */
	size_t got_len;
};

static inline struct gw_channel *must(struct gw_channel *ch, struct gw_error *err)
{
	if (!ch)
		fail_msg("%s", err->text);
	return ch;
}

static inline void *feed(void *opaque)
{
	struct end *e = opaque;
	uint8_t buf[30000];
	uint64_t pos = 0, random = random_seed();
	sigset_t no_pipe;

	/* The test counts the SIGPIPEs of the moving thread. */
	sigemptyset(&no_pipe);
	sigaddset(&no_pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &no_pipe, NULL);
	if (e->other < 0)
		e->other = open(e->path, O_WRONLY);
	while (pos < e->total) {
		size_t n = GW_MIN(1 + random_next(&random) % sizeof(buf), e->total - pos);
		ssize_t put;

		fill(buf, n, pos);
		put = write(e->other, buf, n);
		if (put < 0)
			break;
		pos += (size_t)put;
	}
	close(e->other);
	return NULL;
}

static inline void *drain(void *opaque)
{
	struct end *e = opaque;
	ssize_t n;

	if (e->other < 0)
		e->other = open(e->path, O_RDONLY);
	while (e->got_len < e->total &&
	       (n = read(e->other, e->got + e->got_len, e->total - e->got_len)) > 0)
		e->got_len += (size_t)n;
	close(e->other);
	return NULL;
}

static inline void start(struct end *e, void *(*work)(void *))
{
	e->has_thread = true;
	assert_int_equal(pthread_create(&e->thread, NULL, work, e), 0);
}

static inline void make_path(struct end *e)
{
	e->folder = make_folder();
	snprintf(e->path, sizeof(e->path), "%s/it", e->folder);
}

/* Both descriptors of a two-ended kind; fds[0] is read from. */
static inline void make_pair(enum kind kind, int fds[2])
{
	if (kind == SOCKET) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		return;
	}
	assert_int_equal(pipe(fds), 0);
	if (kind != SMALL_PIPE)
		return;
	int null = open("/dev/null", O_WRONLY);

	assert_true(fcntl(fds[0], F_SETPIPE_SZ, 4096) > 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(splice(fds[0], NULL, null, NULL, 1, 0), 1);
	close(null);
}

static inline void put_pattern(int fd, uint64_t total)
{
	uint8_t *all = malloc(total + 1);

	fill(all, total, 0);
	assert_int_equal(pwrite(fd, all, total, 0), total);
	free(all);
}

static inline void open_in(struct end *e, enum kind kind, uint64_t total)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
	int fds[2] = {-1, -1};

	*e = (struct end){.kind = kind, .other = -1, .total = total};
	switch (kind) {
	case FILE_FD:
	case APPENDED:
		fds[0] = memfd_create("in", 0);
		put_pattern(fds[0], total);
		e->ch = must(gw_channel_from_fd(fds[0], true, "it", &err), &err);
		return;
	case FILE_PATH:
		make_path(e);
		fds[0] = open(e->path, O_RDWR | O_CREAT, 0600);
		put_pattern(fds[0], total);
		close(fds[0]);
		e->ch = must(gw_channel_open(e->path, &err), &err);
		return;
	case FIFO:
		make_path(e);
		assert_int_equal(mkfifo(e->path, 0600), 0);
		e->ch = must(gw_channel_open(e->path, &err), &err);
		break;
	case MEMORY: {
		struct half w = {NULL, total, random_seed(), 20000, true, false, GW_ERROR_INIT};

		e->ch = w.ch = must(gw_channel_memory("it", &err), &err);
		write_half(&w);
		return;
	}
	default:
		make_pair(kind, fds);
		e->other = fds[1];
		e->ch = must(gw_channel_from_fd(fds[0], true, "it", &err), &err);
	}
	plan.read.most = 3000;
	plan.seed = random_seed();
	if (kind == SHORT)
		e->ch = must(gw_channel_fault(e->ch, &plan, &err), &err);
	start(e, feed);
}

static inline void open_out(struct end *e, enum kind kind, uint64_t total)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
	int fds[2];

	*e = (struct end){.kind = kind, .other = -1, .total = total, .got = malloc(total + 1)};
	switch (kind) {
	case FILE_FD:
		e->other = memfd_create("out", 0);
		e->ch = must(gw_channel_from_fd(dup(e->other), true, "it", &err), &err);
		return;
	case FILE_PATH:
		make_path(e);
		e->ch = must(gw_channel_create(e->path, &err), &err);
		return;
	case APPENDED:
		make_path(e);
		fds[1] = open(e->path, O_WRONLY | O_CREAT | O_APPEND, 0600);
		e->ch = must(gw_channel_from_fd(fds[1], true, "it", &err), &err);
		return;
	case FIFO:
		make_path(e);
		assert_int_equal(mkfifo(e->path, 0600), 0);
		e->ch = must(gw_channel_create(e->path, &err), &err);
		break;
	case MEMORY:
		e->ch = must(gw_channel_memory("it", &err), &err);
		return;
	default:
		make_pair(kind, fds);
		e->other = fds[0];
		e->ch = must(gw_channel_from_fd(fds[1], true, "it", &err), &err);
	}
	plan.write.most = 3000;
	plan.seed = random_seed();
	if (kind == SHORT)
		e->ch = must(gw_channel_fault(e->ch, &plan, &err), &err);
	start(e, drain);
}

/* Collects everything that arrived. */
static inline void collect(struct end *e)
{
	struct gw_error err = GW_ERROR_INIT;
	size_t len;
	const void *data;

	assert_ok(gw_channel_finish(e->ch, &err), &err);
	if (e->has_thread) {
		pthread_join(e->thread, NULL);
	} else if (e->kind == MEMORY) {
		data = gw_channel_memory_data(e->ch, &len);
		assert_int_equal(len, e->total);
		memcpy(e->got, data, len);
		e->got_len = len;
	} else {
		int fd = e->kind == FILE_FD ? e->other : open(e->path, O_RDONLY);

		assert_true(fd >= 0);
		e->got_len = (size_t)pread(fd, e->got, e->total + 1, 0);
		close(fd);
	}
	assert_int_equal(e->got_len, e->total);
	check(e->got, e->got_len, 0);
}

static inline void close_end(struct end *e)
{
	gw_channel_close(e->ch);
	if (e->folder)
		remove_folder(e->folder);
	free(e->got);
}

#endif
