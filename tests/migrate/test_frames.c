/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests frames over a socketpair: they arrive unchanged, malformed ones are refused by name, the
 * data channel keeps bytes in order, and HELLO tells a godwit from any other peer.
 */
#include "lib/gwtest.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "migrate/frames.h"
#include "migrate/hello.h"
#include "migrate/protocol.h"

struct pair {
	struct gw_frames a, b;
	int a_fd;
};

static int on_control_frame(void *opaque, const struct gw_frame *frame, struct gw_error *err)
{
	*(uint32_t *)opaque = frame->type;
	return frame->type == GW_FRAME_SWITCHOVER ? 0 : 1;
}

static struct gw_channel *channel_of(int fd)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_from_fd(fd, true, "pair", &err);

	assert_non_null(ch);
	gw_channel_set_silence(ch, 2000);
	return ch;
}

static void open_pair(struct pair *p)
{
	int fds[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	p->a = (struct gw_frames){.ch = channel_of(fds[0]), .peer = "b"};
	p->b = (struct gw_frames){.ch = channel_of(fds[1]), .peer = "a"};
	p->a_fd = fds[0];
}

static void close_pair(struct pair *p)
{
	gw_channel_close(p->a.ch);
	gw_channel_close(p->b.ch);
}

static void put_raw(struct pair *p, const void *bytes, size_t len)
{
	assert_int_equal(write(p->a_fd, bytes, len), len);
}

static void put_header(struct pair *p, uint32_t type, uint32_t flags, uint64_t length)
{
	uint8_t raw[GW_FRAME_HEADER_SIZE];

	gw_put_le32(raw, type);
	gw_put_le32(raw + 4, flags);
	gw_put_le64(raw + 8, length);
	put_raw(p, raw, sizeof(raw));
}

static void test_control_frames(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer body = {0};
	struct gw_frame frame;
	struct pair p;

	open_pair(&p);
	assert_ok(gw_frames_send(&p.a, GW_FRAME_REFUSE, "no room", 7, &err), &err);
	assert_ok(gw_frames_send(&p.a, GW_FRAME_YOURS, NULL, 0, &err), &err);
	assert_int_equal(gw_frames_receive(&p.b, &frame, &body, &err), 1);
	assert_int_equal(frame.type, GW_FRAME_REFUSE);
	assert_int_equal(body.len, 7);
	assert_memory_equal(body.data, "no room", 7);
	assert_ok(gw_frames_expect(&p.b, GW_FRAME_YOURS, NULL, &err), &err);
	gw_channel_finish(p.a.ch, &err);
	assert_int_equal(gw_frames_receive(&p.b, &frame, &body, &err), 0);
	assert_fails(gw_frames_expect(&p.b, GW_FRAME_MINE, NULL, &err), &err, GW_PEER,
		     "closed the connection, expected its MINE");
	gw_buffer_free(&body);
	close_pair(&p);
}

static void test_bad_frames(void **state)
{
	static const struct {
		uint32_t type, flags;
		uint64_t length;
		const char *text;
	} bad[] = {
		{99, 0, 0, "unknown type 99"},
		{0, 0, 0, "unknown type 0"},
		{GW_FRAME_YOURS, 4, 0, "YOURS frame with the unknown flags 0x4"},
		{GW_FRAME_ERROR, 0, UINT64_C(1) << 40, "ERROR frame of 1099511627776 bytes"},
		{GW_FRAME_READY, 0, GW_FRAME_TEXT_MAX + 1, "READY frame of"},
		{GW_FRAME_DATA, 0, 0, "DATA where none is expected"},
		{GW_FRAME_MINE, 0, 0, "sent MINE, expected YOURS"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct pair p;

		open_pair(&p);
		put_header(&p, bad[i].type, bad[i].flags, bad[i].length);
		assert_fails(gw_frames_expect(&p.b, GW_FRAME_YOURS, NULL, &err), &err, GW_PEER,
			     bad[i].text);
		close_pair(&p);
	}
}

static void test_optional_unknown_is_ignored(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct pair p;

	open_pair(&p);
	put_header(&p, 77, GW_FRAME_OPTIONAL, 5);
	put_raw(&p, "later", 5);
	assert_ok(gw_frames_send(&p.a, GW_FRAME_READY, NULL, 0, &err), &err);
	assert_ok(gw_frames_expect(&p.b, GW_FRAME_READY, NULL, &err), &err);
	close_pair(&p);
}

static void test_silence_and_cuts(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct pair p;

	open_pair(&p);
	gw_channel_set_silence(p.b.ch, 30);
	assert_fails(gw_frames_expect(&p.b, GW_FRAME_READY, NULL, &err), &err, GW_PEER,
		     "silent for 30 ms");
	put_raw(&p, "\x01\0\0", 3);
	gw_channel_finish(p.a.ch, &err);
	assert_fails(gw_frames_expect(&p.b, GW_FRAME_READY, NULL, &err), &err, GW_PEER,
		     "middle of a frame (3 of 16 bytes)");
	close_pair(&p);
}

static void test_abort(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_error why = {.code = GW_INVALID, .text = "disk full\x1b[2J"};
	struct pair p;

	open_pair(&p);
	assert_ok(gw_frames_check_peer(&p.b, &err), &err);
	gw_frames_abort(&p.a, &why, false);
	assert_fails(gw_frames_check_peer(&p.b, &err), &err, GW_PEER, "a: disk full\\x1b[2J");
	assert_true(p.b.peer_aborted);
	why.code = GW_CANCELLED;
	gw_frames_abort(&p.a, &why, false);
	assert_fails(gw_frames_expect(&p.b, GW_FRAME_YOURS, NULL, &err), &err, GW_CANCELLED,
		     "a cancelled the migration");
	close_pair(&p);
}

/* A peer that reads nothing does not keep a side that is cancelled from its end. */
struct chatter {
	struct pair *p;
	atomic_bool over;
};

static void *say_alive(void *opaque)
{
	struct chatter *c = opaque;

	while (!atomic_load(&c->over)) {
		put_header(c->p, GW_FRAME_ALIVE, GW_FRAME_OPTIONAL, 0);
		usleep(100000);
	}
	return NULL;
}

/* A peer that works, and knows of no failure, does not keep this side from its end. */
static void test_no_cause_of_a_living_peer(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct chatter c = {.over = false};
	pthread_t thread;
	struct pair p;

	open_pair(&p);
	c.p = &p;
	assert_int_equal(pthread_create(&thread, NULL, say_alive, &c), 0);
	gw_fail(&err, GW_SYSTEM, "no room");
	gw_frames_find_cause(&p.b, &err);
	assert_string_equal(err.text, "no room");
	atomic_store(&c.over, true);
	pthread_join(thread, NULL);
	/* Its ERROR after such frames is the cause. */
	gw_frames_send(&p.a, GW_FRAME_ERROR, "the disk is full", 16, NULL);
	gw_frames_find_cause(&p.b, &err);
	assert_non_null(strstr(err.text, "the disk is full"));
	close_pair(&p);
}

static void test_abort_without_room(void **state)
{
	static const uint8_t bytes[65536];
	struct gw_error why = {.code = GW_CANCELLED, .text = "cancelled"};
	struct pair p;
	uint64_t began;

	open_pair(&p);
	while (send(p.a_fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
	began = gw_clock_ms();
	gw_frames_abort(&p.a, &why, false);
	/* 20 ms, and some for a busy machine. */
	assert_true(gw_clock_ms() - began < 500);
	close_pair(&p);
}

/* A peer that sends a frame a few bytes at a time is not silent. */
static void *send_slowly(void *opaque)
{
	struct pair *p = opaque;
	uint8_t raw[GW_FRAME_HEADER_SIZE] = {GW_FRAME_READY};

	for (size_t i = 0; i < sizeof(raw); i += 2) {
		usleep(120000);
		put_raw(p, raw + i, 2);
	}
	return NULL;
}

static void test_slow_peer(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint64_t start = gw_clock_ms();
	pthread_t thread;
	struct pair p;

	open_pair(&p);
	gw_channel_set_silence(p.b.ch, 700);
	assert_int_equal(pthread_create(&thread, NULL, send_slowly, &p), 0);
	assert_ok(gw_frames_expect(&p.b, GW_FRAME_READY, NULL, &err), &err);
	assert_true(gw_clock_ms() - start > 700);
	pthread_join(thread, NULL);
	close_pair(&p);
}

/* The frames' channel applies its limit to the channel below, in both directions. */
static void test_silence_of_the_data_channel(void **state)
{
	static uint8_t bytes[1 << 20];
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *out, *in;
	struct pair p;

	open_pair(&p);
	out = gw_frames_channel(&p.a, &err);
	in = gw_frames_channel(&p.b, &err);
	gw_channel_set_silence(out, 50);
	gw_channel_set_silence(in, 40);
	assert_ok(gw_channel_write(out, "abc", 3, &err), &err);
	assert_int_equal(gw_channel_read(in, bytes, 2, &err), 1);
	assert_true(gw_channel_has_input(in));
	gw_channel_unread(in, bytes, 1);
	assert_int_equal(gw_channel_read(in, bytes, 2, &err), 1);
	assert_false(gw_channel_has_input(in));
	assert_fails(gw_channel_read(in, bytes, 1, &err), &err, GW_PEER, "silent for 40 ms");
	assert_fails(gw_channel_write(out, bytes, sizeof(bytes), &err), &err, GW_PEER,
		     "taken nothing for 50 ms");
	gw_channel_close(out);
	gw_channel_close(in);
	close_pair(&p);
}

/* A message of the peer is in a buffer above the descriptor, where poll() does not see it. */
static void test_input_above_the_descriptor(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t raw[GW_FRAME_HEADER_SIZE + 4];
	struct gw_channel *in;
	struct pair p;

	open_pair(&p);
	in = gw_frames_channel(&p.b, &err);
	assert_ok(gw_frames_send(&p.a, GW_FRAME_ERROR, "busy", 4, &err), &err);
	assert_int_equal(gw_channel_read(p.b.ch, raw, sizeof(raw), &err), 1);
	assert_ok(gw_frames_check_peer(&p.b, &err), &err);
	gw_channel_unread(p.b.ch, raw, sizeof(raw));
	assert_fails(gw_frames_check_peer(&p.b, &err), &err, GW_PEER, "a: busy");
	/* Bytes of a DATA frame there come before those of the descriptor. */
	put_header(&p, GW_FRAME_DATA, 0, 8);
	put_raw(&p, "01234567", 8);
	assert_int_equal(gw_channel_read(p.b.ch, raw, sizeof(raw), &err), 1);
	gw_channel_unread(p.b.ch, raw, sizeof(raw));
	assert_int_equal(gw_channel_read(in, raw, 8, &err), 1);
	assert_memory_equal(raw, "01234567", 8);
	gw_channel_close(in);
	close_pair(&p);
}

/* Reads and writes have different sizes, with control frames in between. */
static void test_data_channel(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *out, *in;
	uint8_t sent[5000], got[5000];
	uint32_t seen = 0;
	struct pair p;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 7 + i / 251);
	open_pair(&p);
	p.b.control_frame = on_control_frame;
	p.b.opaque = &seen;
	out = gw_frames_channel(&p.a, &err);
	in = gw_frames_channel(&p.b, &err);
	for (size_t at = 0, step = 1; at < sizeof(sent); at += step, step = step * 3 % 997 + 1) {
		struct iovec iov[2];

		if (step > sizeof(sent) - at)
			step = sizeof(sent) - at;
		iov[0] = (struct iovec){.iov_base = sent + at, .iov_len = step / 2};
		iov[1] = (struct iovec){.iov_base = sent + at + step / 2,
					.iov_len = step - step / 2};
		assert_ok(gw_channel_writev(out, iov, 2, &err), &err);
		if (at < 2000)
			assert_ok(gw_frames_send(&p.a, GW_FRAME_SWITCHOVER, NULL, 0, &err), &err);
	}
	assert_ok(gw_frames_send(&p.a, GW_FRAME_READY, NULL, 0, &err), &err);
	assert_int_equal(gw_channel_read(in, got, 1234, &err), 1);
	assert_int_equal(gw_channel_skip(in, 1000, &err), 1);
	assert_int_equal(gw_channel_read(in, got + 2234, sizeof(got) - 2234, &err), 1);
	assert_memory_equal(got, sent, 1234);
	assert_memory_equal(got + 2234, sent + 2234, sizeof(got) - 2234);
	assert_int_equal(seen, GW_FRAME_SWITCHOVER);
	assert_int_equal(gw_channel_read(in, got, 1, &err), 0);
	assert_int_equal(seen, GW_FRAME_READY);
	gw_channel_close(out);
	gw_channel_close(in);
	close_pair(&p);
}

/* A connection that closes inside a DATA frame is not an end of the stream. */
static void test_cut_inside_data(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *in;
	uint8_t got[100];
	struct pair p;

	open_pair(&p);
	in = gw_frames_channel(&p.b, &err);
	put_header(&p, GW_FRAME_DATA, 0, sizeof(got));
	put_raw(&p, "0123456789", 10);
	assert_int_equal(gw_channel_read_some(in, got, sizeof(got), &err), 10);
	assert_return_code(shutdown(p.a_fd, SHUT_WR), 0);
	assert_fails(gw_channel_read_some(in, got, sizeof(got), &err), &err, GW_PEER,
		     "a closed the connection in the middle of a DATA frame");
	gw_channel_close(in);
	close_pair(&p);
}

static size_t take_all(int fd)
{
	uint8_t scratch[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT)) > 0)
		total += (size_t)n;
	return total;
}

/* After a cut frame the peer still expects the rest of it, and would take an ERROR for that. */
static void test_nothing_follows_a_torn_frame(void **state)
{
	static uint8_t body[4 << 20];
	struct gw_error err = GW_ERROR_INIT;
	struct gw_error why = {.code = GW_INVALID, .text = "disk full"};
	struct pair p;

	open_pair(&p);
	gw_channel_set_silence(p.a.ch, 50);
	assert_fails(gw_frames_send(&p.a, GW_FRAME_CONFIG, body, sizeof(body), &err), &err, GW_PEER,
		     "");
	assert_in_range(take_all(p.b.ch->fd), 1, sizeof(body));
	gw_frames_abort(&p.a, &why, false);
	assert_int_equal(take_all(p.b.ch->fd), 0);
	close_pair(&p);
}

/* The answer to a HELLO must have the same migration id. */
static void test_answer_about_another_migration(void **state)
{
	const struct gw_migration_offer offer = {.id = {{1, 2, 3}}};
	const struct gw_migration_id other = {{1, 2, 4}};
	struct gw_save_args save = {0};
	struct gw_error err = GW_ERROR_INIT;
	enum gw_outcome outcome;
	struct pair p;

	open_pair(&p);
	assert_ok(gw_hello_send(&p.b, &other, 0, &err), &err);
	assert_fails(gw_migrate_send(p.a.ch, &offer, &save, NULL, NULL, &outcome, &err), &err,
		     GW_PEER, "answers about another migration");
	assert_int_equal(outcome, GW_OUTCOME_SOURCE);
	close_pair(&p);
}

/* A sender checks for the peer's frames between its own. */
static void test_cancel_while_writing(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_error why = {.code = GW_CANCELLED};
	struct gw_channel *out;
	struct pair p;

	open_pair(&p);
	out = gw_frames_channel(&p.a, &err);
	assert_ok(gw_channel_write(out, "x", 1, &err), &err);
	gw_frames_abort(&p.b, &why, false);
	assert_fails(gw_channel_write(out, "x", 1, &err), &err, GW_CANCELLED,
		     "b cancelled the migration");
	gw_channel_close(out);
	close_pair(&p);
}

static void test_hello(void **state)
{
	struct gw_migration_id id = {.bytes = {1, 2, 3, 15}};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_hello hello;
	struct pair p;

	open_pair(&p);
	assert_ok(gw_hello_send(&p.a, &id, 0, &err), &err);
	assert_ok(gw_hello_receive(&p.b, &hello, &err), &err);
	assert_int_equal(hello.version, GW_PROTOCOL_VERSION);
	assert_memory_equal(&hello.id, &id, sizeof(id));
	close_pair(&p);
}

/* Each is refused at its first wrong byte, without waiting for more input or for a close. */
static void test_no_hello(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *text;
	} other[] = {
		{"GET / HTTP/1.1\r\n", 16, "no godwit hello: a sent \"GET / HTTP/1.1"},
		{"xl migration receiver ready, send binary domain data.\n", 54, "xl migration"},
		{"\x01\0\0\0\0\0\0\0\x30\0\0\0\0\0\0\0GODWIT99", 24, "GODWIT99"},
		{"\x01\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0GODWIT01", 24, "one of 32 bytes"},
		{"\x02", 1, "no godwit hello: a sent \".\""},
		{"SSH-2.0-OpenSSH_9.2\r\n", 21, "SSH-2.0"},
		{"\x16\x03\x01", 3,
		 "no godwit hello: a speaks TLS, which this address does not take"},
		{"\x15\x03\x03", 3, "no godwit hello: a takes only TLS"},
		{"\x16\x02", 2, "no godwit hello: a sent \"..\""},
	};

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_hello hello;
		struct pair p;

		open_pair(&p);
		put_raw(&p, other[i].bytes, other[i].len);
		assert_fails(gw_hello_receive(&p.b, &hello, &err), &err, GW_INVALID, other[i].text);
		close_pair(&p);
	}
}

static void test_silent_hello(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_hello hello;
	struct pair p;

	open_pair(&p);
	gw_channel_set_silence(p.b.ch, 20);
	assert_fails(gw_hello_receive(&p.b, &hello, &err), &err, GW_INVALID,
		     "no godwit hello: reading pair at byte 0: the other side has been silent");
	put_raw(&p, "\x01\0", 2);
	gw_channel_finish(p.a.ch, &err);
	assert_fails(gw_hello_receive(&p.b, &hello, &err), &err, GW_INVALID,
		     "closed the connection after 2 bytes");
	close_pair(&p);
}

static void hello_of(uint8_t *raw, uint32_t version, uint32_t compat, uint64_t needs)
{
	memset(raw, 0, 64);
	raw[0] = GW_FRAME_HELLO;
	raw[8] = GW_HELLO_SIZE;
	memcpy(raw + 16, "GODWIT01", 8);
	gw_put_le32(raw + 24, version);
	gw_put_le32(raw + 28, compat);
	gw_put_le64(raw + 40, needs);
}

static void test_versions(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_hello hello;
	uint8_t raw[64];
	struct pair p;

	open_pair(&p);
	hello_of(raw, 9, 1, 0);
	put_raw(&p, raw, sizeof(raw));
	assert_ok(gw_hello_receive(&p.b, &hello, &err), &err);
	hello_of(raw, 9, 7, 0);
	put_raw(&p, raw, sizeof(raw));
	assert_fails(gw_hello_receive(&p.b, &hello, &err), &err, GW_REFUSED,
		     "needs a peer of at least version 7");
	hello_of(raw, 9, GW_PROTOCOL_VERSION + 1, 0);
	put_raw(&p, raw, sizeof(raw));
	assert_fails(gw_hello_receive(&p.b, &hello, &err), &err, GW_REFUSED,
		     "needs a peer of at least version");
	hello_of(raw, 1, 1, 0x10);
	put_raw(&p, raw, sizeof(raw));
	assert_fails(gw_hello_receive(&p.b, &hello, &err), &err, GW_REFUSED, "features 0x10");
	assert_ok(gw_frames_send(&p.a, GW_FRAME_ERROR, "busy", 4, &err), &err);
	assert_fails(gw_hello_receive(&p.b, &hello, &err), &err, GW_PEER, "a: busy");
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_frames),
		cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_optional_unknown_is_ignored),
		cmocka_unit_test(test_silence_and_cuts),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_abort_without_room),
		cmocka_unit_test(test_no_cause_of_a_living_peer),
		cmocka_unit_test(test_slow_peer),
		cmocka_unit_test(test_silence_of_the_data_channel),
		cmocka_unit_test(test_input_above_the_descriptor),
		cmocka_unit_test(test_data_channel),
		cmocka_unit_test(test_cut_inside_data),
		cmocka_unit_test(test_cancel_while_writing),
		cmocka_unit_test(test_nothing_follows_a_torn_frame),
		cmocka_unit_test(test_answer_about_another_migration),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_no_hello),
		cmocka_unit_test(test_silent_hello),
		cmocka_unit_test(test_versions),
	};

	return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
