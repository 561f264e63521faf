/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the limit on silence: a peer that sends or takes a few bytes at a time is not silent, a
 * peer that stops is. Bytes in a buffer above the descriptor count as arrived.
 */
#include "tools.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <zstd.h>

#include "channel/fault.h"
#include "channel/fd.h"
#include "channel/memory.h"

#define SILENCE_MS 800
#define TICK_MS	   150
#define TICKS	   8 /* together longer than the limit */

enum medium { TCP, UNIX, PIPE, PIPE_REOPENED, PIPE_POLLED, COMPRESSED, MEDIA };

static const char *const media[MEDIA] = {
	"tcp", "unix", "a pipe", "a pipe opened again", "a polled pipe", "a compressed pipe",
};

/* A connected pair of TCP sockets with small buffers: fds[0] reads, fds[1] writes. */
static void connect_tcp(int fds[2])
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0), size = 64 << 10;

	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	assert_int_equal(connect(fds[1], (struct sockaddr *)&addr, len), 0);
	fds[0] = accept(listener, NULL, NULL);
	assert_true(fds[0] >= 0);
	close(listener);
}

static void connect_pair(enum medium medium, int fds[2])
{
	if (medium == TCP)
		connect_tcp(fds);
	else if (medium == UNIX)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	else
		assert_int_equal(pipe(fds), 0);
}

static struct gw_channel *over(enum medium medium, int fd)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_from_fd(fd, true, "it", &err);
	struct gw_fd *f = gw_container_of(ch, struct gw_fd, ch);

	assert_non_null(ch);
	if (medium == PIPE_REOPENED)
		assert_ok(gw_fd_force(f, GW_FD_PRIVATE, &err), &err);
	if (medium == PIPE_POLLED)
		assert_ok(gw_fd_force(f, GW_FD_READY, &err), &err);
	return ch;
}

/* One side of a transfer. A thread works on it and leaves the results for the test to assert. */
struct side {
	enum medium medium;
	struct gw_channel *ch;
	int peer; /* descriptor of the other side */
	uint64_t slow_ms, silent_ms;
	int slow_rc, silent_rc;
	struct gw_error slow, silent;
	pthread_t thread, peer_thread;
};

#define SLOW_BYTES  20000	      /* of a read */
#define WRITE_BYTES ((size_t)8 << 20) /* much more than a widened pipe holds */

/* Incompressible, so that the decoder has no output before it has the whole block. */
static size_t compress_noise(void *to, size_t size)
{
	static uint8_t noise[SLOW_BYTES];
	uint64_t random = random_seed();

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)random_next(&random);
	size = ZSTD_compress(to, size, noise, sizeof(noise), 1);
	assert_false(ZSTD_isError(size));
	return size;
}

static void *send_slowly(void *opaque)
{
	struct side *s = opaque;
	uint8_t bytes[SLOW_BYTES + 1000] = {0};
	size_t len = s->medium == COMPRESSED ? compress_noise(bytes, sizeof(bytes)) : SLOW_BYTES;
	/* The last byte of a frame's block is not held back, because the frame ends with the
	 * block. */
	size_t step = len / TICKS + 1;

	for (size_t done = 0; done < len; done += step) {
		ssize_t n = write(s->peer, bytes + done, GW_MIN(step, len - done));

		if (n < 0)
			break;
		usleep(TICK_MS * 1000);
	}
	return NULL;
}

static void *read_it(void *opaque)
{
	struct side *s = opaque;
	uint8_t bytes[SLOW_BYTES];
	uint64_t start = gw_clock_ms();

	if (s->medium == COMPRESSED)
		s->ch = gw_channel_decompress(s->ch, &s->slow);
	gw_channel_set_silence(s->ch, SILENCE_MS);
	s->slow_rc = gw_channel_read(s->ch, bytes, sizeof(bytes), &s->slow);
	s->slow_ms = gw_clock_ms() - start;
	start = gw_clock_ms();
	s->silent_rc = gw_channel_read(s->ch, bytes, 1, &s->silent);
	s->silent_ms = gw_clock_ms() - start;
	return NULL;
}

static void reading(void **state)
{
	struct side sides[MEDIA] = {{0}};

	for (int i = 0; i < MEDIA; i++) {
		struct side *s = &sides[i];
		int fds[2];

		connect_pair(i, fds);
		*s = (struct side){.medium = i, .ch = over(i, fds[0]), .peer = fds[1]};
		assert_int_equal(pthread_create(&s->thread, NULL, read_it, s), 0);
		assert_int_equal(pthread_create(&s->peer_thread, NULL, send_slowly, s), 0);
	}
	for (int i = 0; i < MEDIA; i++) {
		struct side *s = &sides[i];

		pthread_join(s->thread, NULL);
		pthread_join(s->peer_thread, NULL);
		print_message("%s: read in %" PRIu64 " ms, then %s\n", media[i], s->slow_ms,
			      s->silent.text);
		if (s->slow_rc != 1)
			fail_msg("%s: %s", media[i], s->slow.text);
		assert_true(s->slow_ms > SILENCE_MS);
		assert_fails(s->silent_rc, &s->silent, GW_PEER, "silent for 800 ms");
		assert_true(s->silent_ms >= SILENCE_MS);
		gw_channel_close(s->ch);
		close(s->peer);
	}
}

/* Reads slowly for longer than the limit, then stops reading. */
static void *take_slowly(void *opaque)
{
	struct side *s = opaque;
	size_t left = WRITE_BYTES;
	uint8_t bytes[32 << 10];

	while (left) {
		for (size_t tick = 0; left && tick < WRITE_BYTES / TICKS;) {
			ssize_t n = read(s->peer, bytes, sizeof(bytes));

			if (n <= 0)
				return NULL;
			tick += (size_t)n;
			left -= GW_MIN(left, (size_t)n);
		}
		usleep(TICK_MS * 1000);
	}
	return NULL;
}

static void *write_it(void *opaque)
{
	struct side *s = opaque;
	uint8_t *bytes = calloc(1, WRITE_BYTES);
	uint64_t start = gw_clock_ms();

	gw_channel_set_silence(s->ch, SILENCE_MS);
	s->slow_rc = gw_channel_write(s->ch, bytes, WRITE_BYTES, &s->slow);
	s->slow_ms = gw_clock_ms() - start;
	start = gw_clock_ms();
	s->silent_rc = gw_channel_write(s->ch, bytes, WRITE_BYTES, &s->silent);
	s->silent_ms = gw_clock_ms() - start;
	free(bytes);
	return NULL;
}

static void writing(void **state)
{
	struct side sides[COMPRESSED] = {{0}};

	for (int i = 0; i < COMPRESSED; i++) {
		struct side *s = &sides[i];
		int fds[2];

		connect_pair(i, fds);
		*s = (struct side){.medium = i, .ch = over(i, fds[1]), .peer = fds[0]};
		assert_int_equal(pthread_create(&s->thread, NULL, write_it, s), 0);
		assert_int_equal(pthread_create(&s->peer_thread, NULL, take_slowly, s), 0);
	}
	for (int i = 0; i < COMPRESSED; i++) {
		struct side *s = &sides[i];

		pthread_join(s->thread, NULL);
		pthread_join(s->peer_thread, NULL);
		print_message("%s: written in %" PRIu64 " ms, then %s\n", media[i], s->slow_ms,
			      s->silent.text);
		if (s->slow_rc != 0)
			fail_msg("%s: %s", media[i], s->slow.text);
		assert_true(s->slow_ms > SILENCE_MS);
		assert_fails(s->silent_rc, &s->silent, GW_PEER, "taken nothing for 800 ms");
		assert_true(s->silent_ms >= SILENCE_MS);
		gw_channel_close(s->ch);
		close(s->peer);
	}
}

/* All of the input has arrived and its reader is slow: data in a buffer is read without waiting. */
static void buffers_above(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t zeros[300000] = {0}, packed[2000];
	size_t len = ZSTD_compress(packed, sizeof(packed), zeros, sizeof(zeros), 1);
	struct gw_channel *ch;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], packed, len), len);
	ch = gw_channel_decompress(over(PIPE, fds[0]), &err);
	assert_non_null(ch);
	gw_channel_set_silence(ch, 60);
	for (int i = 0; i < 3; i++) {
		assert_true(gw_channel_has_input(ch));
		assert_int_equal(gw_channel_read(ch, zeros, 100000, &err), 1);
		usleep(70000);
	}
	gw_channel_unread(ch, zeros, 5);
	assert_true(gw_channel_has_input(ch));
	assert_int_equal(gw_channel_read(ch, zeros, 5, &err), 1);
	assert_fails(gw_channel_read(ch, zeros, 1, &err), &err, GW_PEER, "silent for 60 ms");
	assert_false(gw_channel_has_input(ch));
	/* Only a few bytes of the next frame have arrived: the channel waits for the rest. */
	assert_int_equal(write(fds[1], packed, 5), 5);
	assert_true(gw_channel_has_input(ch));
	assert_fails(gw_channel_read(ch, zeros, 1, &err), &err, GW_PEER, "silent for 60 ms");
	assert_int_equal(write(fds[1], packed + 5, len - 5), len - 5);
	assert_int_equal(gw_channel_read(ch, zeros, sizeof(zeros), &err), 1);
	close(fds[1]);
	assert_int_equal(gw_channel_read(ch, zeros, 1, &err), 0);
	gw_channel_close(ch);
}

static void has_input(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *memory = gw_channel_memory("memory", &err);

	for (int i = 0; i < COMPRESSED; i++) {
		struct gw_channel *ch;
		int fds[2];
		char c;

		connect_pair(i, fds);
		ch = over(i, fds[0]);
		assert_false(gw_channel_has_input(ch));
		assert_int_equal(write(fds[1], "x", 1), 1);
		for (int ms = 0; ms < 2000 && !gw_channel_has_input(ch); ms++)
			usleep(1000); /* until TCP has delivered it */
		assert_true(gw_channel_has_input(ch));
		assert_int_equal(gw_channel_read(ch, &c, 1, &err), 1);
		assert_false(gw_channel_has_input(ch));
		gw_channel_unread(ch, &c, 1);
		assert_true(gw_channel_has_input(ch));
		close(fds[1]);
		assert_int_equal(gw_channel_read(ch, &c, 1, &err), 1);
		for (int ms = 0; ms < 2000 && !gw_channel_has_input(ch); ms++)
			usleep(1000);
		assert_true(gw_channel_has_input(ch)); /* the end */
		gw_channel_close(ch);
	}
	assert_false(gw_channel_has_input(memory));
	assert_ok(gw_channel_write(memory, "x", 1, &err), &err);
	assert_true(gw_channel_has_input(memory));
	gw_channel_close(memory);
}

/* The kernel moves bytes between two channels, and each end is limited by its own setting. */
static void moving(void **state)
{
	for (int out_is_full = 0; out_is_full < 2; out_is_full++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_channel *from, *to;
		int in[2], out[2], null = open("/dev/zero", O_RDONLY);

		assert_int_equal(pipe(in), 0);
		assert_int_equal(pipe(out), 0);
		assert_int_equal(write(in[1], "abcdef", 6), 6);
		from = over(PIPE, in[0]);
		to = over(PIPE, out[1]);
		if (out_is_full) {
			while (splice(null, NULL, out[1], NULL, 65536, SPLICE_F_NONBLOCK) > 0)
				continue;
			gw_channel_set_silence(to, 60);
			assert_fails(gw_channel_move(from, to, 6, &err), &err, GW_PEER,
				     "taken nothing for 60 ms");
		} else {
			gw_channel_set_silence(from, 60);
			assert_fails(gw_channel_move(from, to, 7, &err), &err, GW_PEER,
				     "silent for 60 ms");
			assert_int_equal(to->write_pos, 6);
		}
		gw_channel_close(from);
		gw_channel_close(to);
		close(in[1]);
		close(out[0]);
		close(null);
	}
}

/* A FIFO whose other side no process opens, and a planned silence. */
static void other_kinds(void **state)
{
	struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
	struct gw_error err = GW_ERROR_INIT;
	char *folder = make_folder(), path[64], c;
	struct gw_channel *ch;
	int fds[2];

	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	ch = gw_channel_create(path, &err);
	gw_channel_set_silence(ch, 60);
	assert_fails(gw_channel_write(ch, "x", 1, &err), &err, GW_PEER, "taken nothing for 60 ms");
	gw_channel_close(ch);
	ch = gw_channel_open(path, &err);
	gw_channel_set_silence(ch, 60);
	assert_fails(gw_channel_read(ch, &c, 1, &err), &err, GW_PEER, "silent for 60 ms");
	gw_channel_close(ch);
	remove_folder(folder);

	assert_int_equal(pipe(fds), 0);
	plan.read.stall_at = 1;
	plan.read.stall_ms = -1;
	ch = gw_channel_fault(over(PIPE, fds[0]), &plan, &err);
	gw_channel_set_silence(ch, 60);
	assert_int_equal(write(fds[1], "xy", 2), 2);
	assert_int_equal(gw_channel_read(ch, &c, 1, &err), 1);
	assert_fails(gw_channel_read(ch, &c, 1, &err), &err, GW_PEER, "silent for 60 ms");
	assert_int_equal(gw_channel_read(ch, &c, 1, &err), 1);
	assert_fails(gw_channel_read(ch, &c, 1, &err), &err, GW_PEER, "silent for 60 ms");
	close(fds[1]);
	gw_channel_close(ch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading),	 cmocka_unit_test(writing),
		cmocka_unit_test(buffers_above), cmocka_unit_test(has_input),
		cmocka_unit_test(moving),	 cmocka_unit_test(other_kinds),
	};

	return cmocka_run_group_tests_name("silence", tests, NULL, NULL);
}
