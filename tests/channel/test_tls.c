/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests channels with TLS over a socket pair: bytes, waits and ends as of any other channel, and
 * nobody but the right peer on the other side.
 */
#include "certificates.h"

#include <poll.h>

#define SILENCE_MS 200

/* Two channels with one pre-shared key. */
struct connection {
	struct gw_tls *sends, *receives;
	struct gw_channel *a, *b;
};

static void open_connection(struct connection *c)
{
	char psk[128];
	struct tls_side sender, receiver;

	random_psk(psk, "hosts");
	c->sends = tls_of_psk(GW_TLS_SENDER, psk);
	c->receives = tls_of_psk(GW_TLS_RECEIVER, psk);
	meet(&sender, c->sends, "", &receiver, c->receives, false);
	if (!sender.ch || !receiver.ch)
		fail_msg("%s / %s", sender.err.text, receiver.err.text);
	c->a = sender.ch;
	c->b = receiver.ch;
}

static void close_connection(struct connection *c)
{
	gw_channel_close(c->a);
	gw_channel_close(c->b);
	gw_tls_free(c->sends);
	gw_tls_free(c->receives);
}

static void carries_bytes(void **state)
{
	static const size_t largest[] = {2, 40, 5000, 70000, 400000};
	struct connection c;

	for (size_t i = 0; i < GW_ARRAY_SIZE(largest); i++) {
		open_connection(&c);
		transfer(c.b, c.a, GW_MIN(largest[i] * 300, (size_t)4 << 20), largest[i], false);
		transfer(c.a, c.b, 30000, 4000, true);
		close_connection(&c);
	}
}

static void *write_both(void *opaque)
{
	write_half(opaque);
	return NULL;
}

/* One thread reads a side while another writes it. */
static void carries_both_ways_at_once(void **state)
{
	struct connection c;
	struct half back, there;
	pthread_t thread;

	open_connection(&c);
	back = (struct half){c.b, 3 << 20, random_seed(), 30000, false, false, GW_ERROR_INIT};
	assert_int_equal(pthread_create(&thread, NULL, write_both, &back), 0);
	transfer(c.b, c.a, 100000, 3000, false);
	there = (struct half){c.a, 3 << 20, random_seed(), 30000, false, false, GW_ERROR_INIT};
	read_half(&there);
	pthread_join(thread, NULL);
	assert_false(back.failed);
	close_connection(&c);
}

/* Bytes that GnuTLS has decrypted and nobody has read yet are input, although poll sees none. */
static void counts_its_own_buffer_as_input(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct connection c;
	struct pollfd p;
	uint8_t buf[100] = {0};

	open_connection(&c);
	assert_false(gw_channel_has_input(c.b));
	assert_ok(gw_channel_write(c.a, buf, sizeof(buf), &err), &err);
	assert_int_equal(gw_channel_read(c.b, buf, 10, &err), 1);
	p = (struct pollfd){.fd = c.b->fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_true(gw_channel_has_input(c.b));
	assert_int_equal(gw_channel_read(c.b, buf, 90, &err), 1);
	assert_false(gw_channel_has_input(c.b));
	close_connection(&c);
}

static void limits_silence(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	static uint8_t much[8 << 20];
	struct connection c;
	uint64_t left;

	open_connection(&c);
	gw_channel_set_silence(c.a, SILENCE_MS);
	assert_fails(gw_channel_read(c.a, much, 1, &err), &err, GW_PEER,
		     "the other side has been silent for 200 ms");
	assert_fails(gw_channel_write(c.a, much, sizeof(much), &err), &err, GW_PEER,
		     "the other side has taken nothing for 200 ms");
	/* What counts as written arrives, also the rest of a record that was cut. */
	left = c.a->write_pos;
	assert_true(left > 0 && left < sizeof(much));
	assert_int_equal(gw_channel_has_input(c.b), true);
	gw_channel_set_silence(c.a, 0);
	close_connection(&c);
}

struct reading {
	struct gw_channel *ch;
	uint64_t total;
	int rc;
};

static void *read_total(void *opaque)
{
	struct reading *r = opaque;

	r->rc = gw_channel_skip(r->ch, r->total, NULL);
	return NULL;
}

/* A write that gave up in the middle of a record loses none of the bytes that it counted. */
static void keeps_a_cut_record(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	static uint8_t much[8 << 20];
	struct connection c;
	struct reading r;
	pthread_t thread;

	open_connection(&c);
	gw_channel_set_silence(c.a, SILENCE_MS);
	assert_true(gw_channel_write(c.a, much, sizeof(much), &err) < 0);
	gw_channel_set_silence(c.a, 0);
	r = (struct reading){c.b, c.a->write_pos + 5, -1};
	assert_int_equal(pthread_create(&thread, NULL, read_total, &r), 0);
	gw_error_clear(&err);
	assert_ok(gw_channel_write(c.a, "12345", 5, &err), &err);
	assert_ok(gw_channel_finish(c.a, &err), &err);
	pthread_join(thread, NULL);
	assert_int_equal(r.rc, 1);
	assert_int_equal(gw_channel_read(c.b, much, 1, &err), 0);
	close_connection(&c);
}

static void *set_later(void *opaque)
{
	usleep(50000);
	gw_cancel_set(opaque);
	return NULL;
}

static void obeys_a_cancel(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	static uint8_t much[8 << 20];

	for (int writes = 0; writes < 2; writes++) {
		struct gw_cancel *cancel = gw_cancel_new(&err);
		struct connection c;
		pthread_t thread;

		open_connection(&c);
		gw_channel_set_cancel(c.a, cancel);
		assert_int_equal(pthread_create(&thread, NULL, set_later, cancel), 0);
		if (writes)
			assert_fails(gw_channel_write(c.a, much, sizeof(much), &err), &err,
				     GW_CANCELLED, "writing it");
		else
			assert_fails(gw_channel_read(c.a, much, 1, &err), &err, GW_CANCELLED,
				     "reading it");
		pthread_join(thread, NULL);
		gw_channel_set_cancel(c.a, NULL);
		close_connection(&c);
		gw_cancel_free(cancel);
	}
}

/* Nothing of a handshake comes: only the token ends the wait. */
static void a_handshake_obeys_a_cancel(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_cancel *cancel = gw_cancel_new(&err);
	struct tls_side receiver = {.cancel = cancel};
	pthread_t thread;
	char psk[128];
	struct gw_tls *tls;
	int fds[2];

	random_psk(psk, "hosts");
	tls = tls_of_psk(GW_TLS_RECEIVER, psk);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	receiver.fd = fds[1];
	receiver.tls = tls;
	assert_int_equal(pthread_create(&thread, NULL, set_later, cancel), 0);
	shake_hands(&receiver);
	pthread_join(thread, NULL);
	assert_null(receiver.ch);
	assert_int_equal(receiver.err.code, GW_CANCELLED);
	close(fds[0]);
	gw_tls_free(tls);
	gw_cancel_free(cancel);
}

static int stop_at_input(void *opaque, struct gw_error *err)
{
	char word[5] = "";
	struct gw_channel *ch = opaque;

	if (gw_channel_read(ch, word, 4, err) != 1)
		return -1;
	return gw_fail(err, GW_PEER, "the other side said %s", word);
}

/* While a write waits for room, what the peer says is heard: also what is decrypted already. */
static void hears_the_peer_while_it_writes(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	static uint8_t much[8 << 20];

	for (int decrypted = 0; decrypted < 2; decrypted++) {
		struct connection c;

		open_connection(&c);
		assert_ok(gw_channel_write(c.b, decrypted ? ".stop" : "stop", 4 + (size_t)decrypted,
					   &err),
			  &err);
		if (decrypted)
			assert_int_equal(gw_channel_read(c.a, much, 1, &err), 1);
		gw_channel_watch_input(c.a, stop_at_input, c.a);
		assert_fails(gw_channel_write(c.a, much, sizeof(much), &err), &err, GW_PEER,
			     "the other side said stop");
		gw_channel_watch_input(c.a, NULL, NULL);
		close_connection(&c);
	}
}

static void tells_an_end_from_a_cut(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct connection c;
	uint8_t byte;

	/* Finished, and closed without that. */
	for (int finish = 0; finish < 2; finish++) {
		open_connection(&c);
		if (finish)
			assert_ok(gw_channel_finish(c.a, &err), &err);
		gw_channel_close(c.a);
		c.a = NULL;
		assert_int_equal(gw_channel_read(c.b, &byte, 1, &err), 0);
		close_connection(&c);
	}
	/* The connection ends below TLS. */
	open_connection(&c);
	assert_int_equal(shutdown(c.a->fd, SHUT_RDWR), 0);
	assert_fails(gw_channel_read(c.b, &byte, 1, &err), &err, GW_PEER,
		     "cut without the end of TLS");
	close_connection(&c);
}

/* A byte that changes on the way is noticed. */
static void notices_a_changed_byte(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct connection c;
	uint8_t byte = 23; /* application data, and then no record */

	open_connection(&c);
	assert_ok(gw_channel_write(c.a, "hello", 5, &err), &err);
	assert_int_equal(gw_channel_read(c.b, (uint8_t[5]){0}, 5, &err), 1);
	for (int i = 0; i < 40; i++)
		assert_int_equal(send(c.a->fd, &byte, 1, MSG_NOSIGNAL), 1);
	assert_fails(gw_channel_read(c.b, &byte, 1, &err), &err, GW_PEER, "TLS");
	close_connection(&c);
}

static void proves_both_sides(void **state)
{
	struct certificate ca, other_ca, own, stranger, expired;
	struct {
		const struct certificate *sender_ca, *sender, *receiver;
		const char *host;
		const char *at_sender, *at_receiver; /* NULL: accepted */
	} cases[] = {
		{&ca, &own, &own, "host.example", NULL, NULL},
		{&other_ca, &own, &own, "host.example", "receiver is not accepted", "this side's"},
		{&ca, &own, &own, "other.example", "(other.example)", "this side's certificate"},
		{&ca, &own, &expired, "host.example", "expired", "this side's certificate"},
		{&ca, &expired, &own, "host.example", "this side's certificate", "expired"},
		{&ca, &stranger, &own, "host.example", "this side's certificate",
		 "sender is not accepted"},
		{&ca, NULL, &own, "host.example", "wants a certificate", "has no certificate"},
	};

	make_certificate(&ca, NULL, "ca", 1000);
	make_certificate(&other_ca, NULL, "other ca", 1000);
	make_certificate(&own, &ca, "host.example", 1000);
	make_certificate(&stranger, &other_ca, "host.example", 1000);
	make_certificate(&expired, &ca, "host.example", -1000);
	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_tls *sends = tls_of(GW_TLS_SENDER, cases[i].sender_ca, cases[i].sender);
		struct gw_tls *receives = tls_of(GW_TLS_RECEIVER, &ca, cases[i].receiver);
		struct tls_side sender, receiver;

		meet(&sender, sends, cases[i].host, &receiver, receives,
		     cases[i].at_sender != NULL);
		if (!cases[i].at_sender) {
			assert_non_null(sender.ch);
			assert_non_null(receiver.ch);
		} else {
			assert_null(receiver.ch);
			assert_fails(-1, &sender.err, GW_REFUSED, cases[i].at_sender);
			assert_fails(-1, &receiver.err, GW_REFUSED, cases[i].at_receiver);
		}
		gw_channel_close(sender.ch);
		gw_channel_close(receiver.ch);
		gw_tls_free(sends);
		gw_tls_free(receives);
	}
	free_certificate(&ca);
	free_certificate(&other_ca);
	free_certificate(&own);
	free_certificate(&stranger);
	free_certificate(&expired);
}

static void wants_the_same_key(void **state)
{
	char keys[300], mine[128], second[128], changed[128];
	struct tls_side sender, receiver;
	struct gw_tls *receives;

	random_psk(mine, "me");
	random_psk(second, "second:user");
	snprintf(keys, sizeof(keys), "%s\r\n\n%s\n", mine, second);
	random_psk(changed, "me");
	receives = tls_of_psk(GW_TLS_RECEIVER, keys);
	for (int i = 0; i < 3; i++) {
		char *key = i == 0 ? mine : i == 1 ? second : changed;
		struct gw_tls *sends = tls_of_psk(GW_TLS_SENDER, key);

		meet(&sender, sends, "", &receiver, receives, i == 2);
		assert_int_equal(receiver.ch != NULL, i < 2);
		if (i == 2) {
			assert_fails(-1, &sender.err, GW_REFUSED, "this side's pre-shared key");
			assert_fails(-1, &receiver.err, GW_REFUSED, "different pre-shared keys");
		}
		gw_channel_close(sender.ch);
		gw_channel_close(receiver.ch);
		gw_tls_free(sends);
	}
	gw_tls_free(receives);
}

/* A peer that speaks something else gets an alert, and this side says what it is. */
static void knows_other_protocols(void **state)
{
	struct tls_side receiver = {0};
	char psk[128], answer[8] = "";
	struct gw_tls *tls;
	int fds[2];

	random_psk(psk, "hosts");
	tls = tls_of_psk(GW_TLS_RECEIVER, psk);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	receiver.fd = fds[1];
	receiver.tls = tls;
	assert_int_equal(write(fds[0], "GET / HTTP/1.0\r\n\r\n", 18), 18);
	assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
	shake_hands(&receiver);
	assert_null(receiver.ch);
	assert_fails(-1, &receiver.err, GW_INVALID, "the sender speaks no TLS");
	assert_int_equal(recv(fds[0], answer, sizeof(answer), 0), 7);
	assert_int_equal(answer[0], 21);
	close(fds[0]);
	gw_tls_free(tls);
}

static void judges_lines_of_keys(void **state)
{
	static const char *const bad[] = {
		"user",
		":00112233445566778899aabbccddeeff",
		"user:",
		"user:00112233445566778899aabbccddee",
		"user:00112233445566778899aabbccddeef",
		"user:00112233445566778899aabbccddeefg",
		"user: 00112233445566778899aabbccddeeff",
	};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_tls_psk psk;
	char text[400];

	for (size_t i = 0; i < GW_ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "a:%032d\n%s\n", 0, bad[i]);
		assert_int_equal(gw_tls_find_psk(text, NULL, 0, &psk, &err), 1);
		assert_fails(gw_tls_find_psk(text, "b", 1, &psk, &err), &err, GW_USAGE,
			     "line 2 of the pre-shared keys");
	}
	snprintf(text, sizeof(text), "u:%0128d", 0);
	assert_int_equal(gw_tls_find_psk(text, "u", 1, &psk, &err), 1);
	assert_int_equal(psk.key_len, 64);
	snprintf(text, sizeof(text), "u:%0130d", 0);
	assert_fails(gw_tls_find_psk(text, "u", 1, &psk, &err), &err, GW_USAGE, "line 1");
	assert_int_equal(gw_tls_find_psk("u:000102030405060708090a0B0c0D0e0f", "v", 1, &psk, &err),
			 0);
	assert_int_equal(gw_tls_find_psk("u:000102030405060708090a0B0c0D0e0f", "u", 1, &psk, &err),
			 1);
	assert_int_equal(psk.key_len, 16);
	for (uint8_t i = 0; i < 16; i++)
		assert_int_equal(psk.key[i], i);
	assert_int_equal(gw_tls_find_psk("", NULL, 0, &psk, &err), 0);
}

static void judges_files(void **state)
{
	static const struct {
		mode_t mode;
		bool good;
	} modes[] = {{0600, true},  {0400, true},  {0640, true},  {0644, false},
		     {0604, false}, {0660, false}, {0602, false}, {0601, false}};
	struct gw_error err = GW_ERROR_INIT;
	char *folder = make_folder(), path[100], *text;
	int fd;

	snprintf(path, sizeof(path), "%s/key", folder);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(fd, "text\n", 5), 5);
	for (size_t i = 0; i < GW_ARRAY_SIZE(modes); i++) {
		assert_int_equal(fchmod(fd, modes[i].mode), 0);
		text = gw_tls_read_file(path, true, &err);
		assert_int_equal(text != NULL, modes[i].good);
		if (!modes[i].good)
			assert_fails(-1, &err, GW_USAGE, "lets other users read or change it");
		free(text);
		text = gw_tls_read_file(path, false, &err);
		assert_string_equal(text, "text\n");
		free(text);
	}
	assert_int_equal(write(fd, "\0", 1), 1);
	assert_null(gw_tls_read_file(path, false, &err));
	assert_fails(-1, &err, GW_USAGE, "is no text");
	assert_int_equal(ftruncate(fd, 2 << 20), 0);
	assert_null(gw_tls_read_file(path, false, &err));
	assert_fails(-1, &err, GW_USAGE, "less than 1 MiB");
	assert_null(gw_tls_read_file(folder, false, &err));
	assert_fails(-1, &err, GW_USAGE, "not a regular file");
	close(fd);
	remove_folder(folder);
}

static void wants_a_new_socket(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	char psk[128];
	struct gw_tls *tls;
	int fds[2];

	random_psk(psk, "hosts");
	tls = tls_of_psk(GW_TLS_SENDER, psk);
	assert_int_equal(pipe(fds), 0);
	assert_null(gw_channel_tls(gw_channel_from_fd(fds[0], true, "it", &err), tls, "", &err));
	assert_fails(-1, &err, GW_USAGE, "it is no new connection");
	close(fds[1]);
	gw_tls_free(tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_bytes),
		cmocka_unit_test(carries_both_ways_at_once),
		cmocka_unit_test(counts_its_own_buffer_as_input),
		cmocka_unit_test(limits_silence),
		cmocka_unit_test(keeps_a_cut_record),
		cmocka_unit_test(obeys_a_cancel),
		cmocka_unit_test(a_handshake_obeys_a_cancel),
		cmocka_unit_test(hears_the_peer_while_it_writes),
		cmocka_unit_test(tells_an_end_from_a_cut),
		cmocka_unit_test(notices_a_changed_byte),
		cmocka_unit_test(proves_both_sides),
		cmocka_unit_test(wants_the_same_key),
		cmocka_unit_test(knows_other_protocols),
		cmocka_unit_test(judges_lines_of_keys),
		cmocka_unit_test(judges_files),
		cmocka_unit_test(wants_a_new_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
