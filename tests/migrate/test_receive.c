/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The receiving side of a migration against a sender that the test plays frame by frame: a frame
 * ends with the part of the stream that it carries, and more is refused.
 */
#include "lib/gwtest.h"

#include <pthread.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "format/libxc/image.h"
#include "hypervisor/control.h"
#include "migrate/frames.h"
#include "migrate/hello.h"
#include "migrate/protocol.h"
#include "migrate/protocol_internal.h"
#include "stored.h"

/* Both sides, and what became of the receiver. */
struct bench {
	struct stored s;
	struct gw_frames sender;
	struct gw_channel *receiver;
	pthread_t thread;
	/* results */
	struct gw_domain *copy; /* NULL: nothing was accepted */
	bool taken;		/* the receiver was about to send MINE */
	enum gw_outcome outcome;
	int rc;
	struct gw_error err;
};

static struct gw_domain *accept_it(void *opaque, const struct gw_migration_id *id, const char *text,
				   size_t len, enum gw_guest_type type,
				   const struct gw_policy *policy, struct gw_error *err)
{
	struct bench *b = opaque;

	b->copy = stored_domain(type, b->s.nr_pfns);
	return b->copy;
}

static int take_it(void *opaque, struct gw_error *err)
{
	struct bench *b = opaque;

	b->taken = true;
	return gw_fail(err, GW_SYSTEM, "the test takes nothing");
}

static int not_wanted(void *opaque, struct gw_error *err)
{
	return gw_fail(err, GW_REFUSED, "another one has arrived");
}

static void *receive_it(void *opaque)
{
	struct bench *b = opaque;
	const struct gw_receiver receiver = {.opaque = b,
					     .accept = accept_it,
					     .wanted = not_wanted,
					     .mine = take_it,
					     .silence_ms = 5000};

	b->rc = gw_migrate_receive(b->receiver, &receiver, NULL, NULL, &b->outcome, &b->err);
	return NULL;
}

static struct gw_channel *channel_of(int fd)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_from_fd(fd, true, "connection", &err);

	assert_non_null(ch);
	return ch;
}

/* Up to and with CONFIG. */
static void start(struct bench *b)
{
	static const char config[GW_CONFIG_HEAD + 2] = "\0\0\0\0\0\0\0\0{}";
	const struct gw_migration_id id = {{1, 2, 3}};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_hello hello;
	int fds[2];

	*b = (struct bench){.s = stored_load("xen-code/v3_422_libxl_hvm_1024.xz")};
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	b->sender = (struct gw_frames){.ch = channel_of(fds[0]), .peer = "the receiver"};
	b->receiver = channel_of(fds[1]);
	assert_int_equal(pthread_create(&b->thread, NULL, receive_it, b), 0);
	assert_ok(gw_hello_send(&b->sender, &id, 0, &err), &err);
	assert_ok(gw_hello_receive(&b->sender, &hello, &err), &err);
	assert_ok(gw_frames_send(&b->sender, GW_FRAME_CONFIG, config, sizeof(config), &err), &err);
}

/* The receiver waits until the sender has closed. */
static void finish(struct bench *b)
{
	gw_channel_close(b->sender.ch);
	pthread_join(b->thread, NULL);
	gw_channel_close(b->receiver);
	stored_free(&b->s);
	assert_false(b->taken);
	assert_int_equal(b->outcome, GW_OUTCOME_SOURCE);
	if (b->copy)
		gw_control_destroy(b->copy->control);
}

/* One frame with bytes of the stream, and with some more. */
static void send_data(struct bench *b, size_t from, size_t to, unsigned more)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer body = {0};

	assert_ok(gw_buffer_append(&body, b->s.file.data + b->s.at + from, to - from, &err), &err);
	assert_ok(gw_buffer_append(&body, "1234567", more, &err), &err);
	assert_ok(gw_frames_send(&b->sender, GW_FRAME_DATA, body.data, body.len, &err), &err);
	gw_buffer_free(&body);
}

/* Where the static data of the stream ends. */
static size_t end_of_static_data(const struct stored *s)
{
	size_t at = s->image + 40;

	while (gw_get_le32(s->file.data + at) != GW_REC_STATIC_DATA_END)
		at += 8 + ((gw_get_le32(s->file.data + at + 4) + 7u) & ~7u);
	return at + 8 - s->at;
}

static void send_static_data(struct bench *b, unsigned more)
{
	struct gw_error err = GW_ERROR_INIT;

	start(b);
	send_data(b, 0, end_of_static_data(&b->s), more);
	assert_ok(gw_frames_send(&b->sender, GW_FRAME_STATIC_END, NULL, 0, &err), &err);
}

/* The whole stream, and more in its last frame. */
static void send_stream(struct bench *b, unsigned more)
{
	struct gw_error err = GW_ERROR_INIT;
	size_t len, at;

	send_static_data(b, 0);
	len = b->s.file.len - b->s.at;
	assert_ok(gw_frames_expect(&b->sender, GW_FRAME_ACCEPT, NULL, &err), &err);
	for (at = end_of_static_data(&b->s); len - at > 100000; at += 100000)
		send_data(b, at, at + 100000, 0);
	send_data(b, at, len, more);
}

static void test_whole_stream(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct bench b;

	send_stream(&b, 0);
	assert_ok(gw_frames_expect(&b.sender, GW_FRAME_READY, NULL, &err), &err);
	finish(&b);
	assert_fails(b.rc, &b.err, GW_PEER, "expected its YOURS");
}

static void test_more_than_the_stream(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct bench b;

	send_stream(&b, 5);
	assert_fails(gw_frames_expect(&b.sender, GW_FRAME_READY, NULL, &err), &err, GW_PEER,
		     "sent 5 bytes after the end of the stream");
	finish(&b);
	assert_fails(b.rc, &b.err, GW_PEER, "sent 5 bytes after the end of the stream");
}

static void test_more_than_the_static_data(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct bench b;

	send_static_data(&b, 3);
	assert_fails(gw_frames_expect(&b.sender, GW_FRAME_ACCEPT, NULL, &err), &err, GW_PEER,
		     "sent 3 bytes of data after the static data");
	finish(&b);
	assert_null(b.copy);
	assert_fails(b.rc, &b.err, GW_PEER, "sent 3 bytes of data after the static data");
}

/* The sender hears why its receiver was cancelled, instead of CANCEL. */
static void test_reason_of_a_cancel(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_cancel *cancel = gw_cancel_new(&err);
	struct bench b;

	assert_non_null(cancel);
	send_static_data(&b, 0);
	assert_ok(gw_frames_expect(&b.sender, GW_FRAME_ACCEPT, NULL, &err), &err);
	gw_channel_set_cancel(b.receiver, cancel);
	gw_cancel_set(cancel);
	/* The receiver looks at it when the next bytes have come. */
	send_data(&b, 0, 1, 0);
	assert_fails(gw_frames_expect(&b.sender, GW_FRAME_READY, NULL, &err), &err, GW_PEER,
		     "the receiver: another one has arrived");
	finish(&b);
	assert_fails(b.rc, &b.err, GW_REFUSED, "another one has arrived");
	gw_cancel_free(cancel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_stream),
		cmocka_unit_test(test_more_than_the_stream),
		cmocka_unit_test(test_more_than_the_static_data),
		cmocka_unit_test(test_reason_of_a_cancel),
	};

	return cmocka_run_group_tests_name("receive", tests, NULL, NULL);
}
