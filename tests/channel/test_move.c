/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests moving bytes from one channel to another: every kind to every kind, mixed with reads and
 * writes; ends, failures and the token.
 */
#include "ends.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>

#include "channel/tee.h"
#include "lib/random.h"

#define TOTAL (3u << 20)

/* Moves bytes, and between the moves reads, writes and gives back: no byte may be lost. */
static void move_all(struct gw_channel *in, struct gw_channel *out, uint64_t total,
		     uint64_t *random)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t *buf = malloc(70000);
	uint64_t pos = 0;

	while (pos < total) {
		uint64_t left = total - pos, n = GW_MIN(random_next(random) % 600000, left);

		switch (random_next(random) % 4) {
		case 0: /* a record's head */
			n = GW_MIN(n % 9000, left);
			assert_ok(gw_channel_read(in, buf, n, &err), &err);
			check(buf, n, pos);
			assert_ok(gw_channel_write(out, buf, n, &err), &err);
			break;
		case 1: /* given back */
			n = GW_MIN(n % 60 + 1, left);
			assert_int_equal(gw_channel_read(in, buf, n, &err), 1);
			gw_channel_unread(in, buf, n);
			n = 0;
			break;
		default:
			assert_ok(gw_channel_move(in, out, n, &err), &err);
		}
		pos += n;
		assert_int_equal(in->read_pos, pos);
		assert_int_equal(out->write_pos, pos);
	}
	free(buf);
}

static void every_kind_into_every_kind(void **state)
{
	uint64_t random = random_seed();

	for (enum kind i = 0; i < KINDS; i++) {
		for (enum kind o = 0; o < KINDS; o++) {
			/* Moving a few bytes at a time is slow. */
			uint64_t total = i == SHORT || o == SHORT ? TOTAL / 4 : TOTAL;
			struct gw_error err = GW_ERROR_INIT;
			struct end in, out;

			print_message("%s into %s\n", names[i], names[o]);
			open_in(&in, i, total);
			open_out(&out, o, total);
			move_all(in.ch, out.ch, total, &random);
			assert_int_equal(gw_channel_move(in.ch, out.ch, 0, &err), 1);
			/* The end of the input stays the end when the move is repeated. */
			assert_int_equal(gw_channel_move(in.ch, out.ch, 5, &err), 0);
			assert_int_equal(gw_channel_move(in.ch, out.ch, 1 << 20, &err), 0);
			collect(&out);
			assert_fails(gw_channel_move(in.ch, out.ch, 1, &err), &err, GW_USAGE,
				     "after it was finished");
			if (in.has_thread)
				pthread_join(in.thread, NULL);
			close_end(&in);
			close_end(&out);
		}
	}
}

static void an_input_that_ends_inside(void **state)
{
	for (enum kind i = 0; i < KINDS; i++) {
		for (enum kind o = 0; o < KINDS; o++) {
			struct gw_tee tee = {.fd = memfd_create("copy", 0)};
			struct gw_error err = GW_ERROR_INIT;
			struct end in, out;
			int rc;

			open_in(&in, i, 300001);
			open_out(&out, o, 300001);
			rc = (i + o) % 2 ? gw_channel_tee(in.ch, out.ch, 300002, &tee, 0, &err)
					 : gw_channel_move(in.ch, out.ch, 300002, &err);
			assert_fails(
				rc, &err, GW_TRUNCATED,
				"ends at byte 300001: of 300002 bytes that belong together 1 ");
			assert_int_equal(in.ch->read_pos, 300001);
			gw_tee_close(&tee);
			close(tee.fd);
			collect(&out);
			if (in.has_thread)
				pthread_join(in.thread, NULL);
			close_end(&in);
			close_end(&out);
		}
	}
}

/* A copy of what is moved goes to a file as well; if the copy fails, no byte is lost. */
static void with_a_copy(void **state)
{
	uint64_t random = random_seed();

	for (enum kind i = 0; i < KINDS; i++) {
		for (enum kind o = 0; o < KINDS; o++) {
			uint64_t total = i == SHORT || o == SHORT ? TOTAL / 4 : TOTAL, pos = 0;
			struct gw_error err = GW_ERROR_INIT;
			struct gw_tee tee = {.fd = memfd_create("copy", 0)};
			uint8_t *copy = malloc(total);
			struct end in, out;

			open_in(&in, i, total);
			open_out(&out, o, total);
			while (pos < total) {
				uint64_t n = GW_MIN(random_next(&random) % 600000, total - pos);

				assert_ok(gw_channel_tee(in.ch, out.ch, n, &tee, 7 + pos, &err),
					  &err);
				pos += n;
				assert_int_equal(in.ch->read_pos, pos);
				assert_int_equal(out.ch->write_pos, pos);
			}
			assert_int_equal(gw_channel_tee(in.ch, out.ch, 5, &tee, 0, &err), 0);
			assert_int_equal(tee.why.code, GW_OK);
			gw_tee_close(&tee);
			collect(&out);
			assert_int_equal(pread(tee.fd, copy, total, 7), total);
			check(copy, total, 0);
			close(tee.fd);
			free(copy);
			if (in.has_thread)
				pthread_join(in.thread, NULL);
			close_end(&in);
			close_end(&out);
		}
	}
}

static void a_copy_that_fails(void **state)
{
	static const enum kind kinds[] = {PIPE, SMALL_PIPE, FILE_FD, SOCKET};

	for (size_t i = 0; i < GW_ARRAY_SIZE(kinds); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_tee tee = {.fd = memfd_create("copy", MFD_ALLOW_SEALING)};
		struct end in, out;

		open_in(&in, kinds[i], TOTAL);
		open_out(&out, PIPE, TOTAL);
		assert_int_equal(ftruncate(tee.fd, 100000), 0);
		assert_int_equal(fcntl(tee.fd, F_ADD_SEALS, F_SEAL_GROW), 0);
		assert_int_equal(gw_channel_tee(in.ch, out.ch, 50000, &tee, 0, &err), 1);
		assert_int_equal(tee.why.code, GW_OK);
		assert_int_equal(gw_channel_tee(in.ch, out.ch, 400000, &tee, 50000, &err), 1);
		assert_int_equal(tee.why.code, GW_SYSTEM);
		assert_int_equal(gw_channel_tee(in.ch, out.ch, TOTAL - 450000, &tee, 450000, &err),
				 1);
		gw_tee_close(&tee);
		collect(&out);
		close(tee.fd);
		if (in.has_thread)
			pthread_join(in.thread, NULL);
		close_end(&in);
		close_end(&out);
	}
}

/* A file opened by path is read ahead. A move after that takes the right bytes, and so does the
 * next read. */
static void a_file_that_is_read_ahead_in(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint64_t random = random_seed();
	struct end in, out;
	uint8_t head[20];

	open_in(&in, FILE_PATH, TOTAL);
	open_out(&out, FILE_FD, TOTAL);
	for (uint64_t pos = 0; pos < TOTAL;) {
		uint64_t n = GW_MIN(sizeof(head), TOTAL - pos);

		assert_int_equal(gw_channel_read(in.ch, head, n, &err), 1);
		check(head, n, pos);
		assert_ok(gw_channel_write(out.ch, head, n, &err), &err);
		pos += n;
		n = GW_MIN(random_next(&random) % 9000, TOTAL - pos);
		assert_ok(gw_channel_move(in.ch, out.ch, n, &err), &err);
		pos += n;
		assert_int_equal(in.ch->read_pos, pos);
	}
	assert_int_equal(lseek(in.ch->fd, 0, SEEK_CUR), 0);
	collect(&out);
	close_end(&in);
	close_end(&out);
}

/* The position of a shared descriptor is where the next process reads or writes, so a move takes no
 * byte too many. */
static void nothing_more_is_taken(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	int in[3], out[3], fds[2];
	uint8_t buf[100];

	make_pair(PIPE, fds);
	in[0] = fds[0], out[0] = fds[1];
	make_pair(SOCKET, fds);
	in[1] = fds[0], out[1] = fds[1];
	in[2] = memfd_create("in", 0);
	out[2] = memfd_create("out", 0);
	put_pattern(in[2], 1000);
	for (int i = 0; i < 3; i++) {
		for (int o = 0; o < 3; o++) {
			int flags = fcntl(in[i], F_GETFL), far = -1;
			struct gw_channel *from, *to;

			if (i == o && i < 2) /* in[i] and out[o] would be ends of the same pair */
				make_pair(i ? SOCKET : PIPE, fds);
			else
				fds[0] = in[o], fds[1] = out[o];
			far = fds[0];
			if (i < 2) {
				uint8_t all[1000];

				fill(all, 1000, 0);
				assert_int_equal(write(out[i], all, 1000), 1000);
			} else {
				lseek(in[2], 0, SEEK_SET);
			}
			from = must(gw_channel_from_fd(in[i], false, "in", &err), &err);
			to = must(gw_channel_from_fd(fds[1], false, "out", &err), &err);
			assert_int_equal(gw_channel_move(from, to, 990, &err), 1);
			gw_channel_close(from);
			gw_channel_close(to);
			assert_int_equal(fcntl(in[i], F_GETFL), flags);
			assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
			assert_int_equal(read(in[i], buf, 100), 10);
			check(buf, 10, 990);
			if (o == 2) {
				assert_int_equal(lseek(out[2], 0, SEEK_CUR), 990);
				lseek(out[2], 0, SEEK_SET);
				continue;
			}
			for (uint64_t pos = 0; pos < 990; pos += 99) {
				assert_int_equal(read(far, buf, 99), 99);
				check(buf, 99, pos);
			}
			if (i == o && i < 2) {
				close(fds[0]);
				close(fds[1]);
			}
		}
	}
	for (int i = 0; i < 3; i++) {
		close(in[i]);
		close(out[i]);
	}
}

/* Two pipes whose far ends belong to the test. */
struct pair {
	int in[2], out[2];
	struct gw_channel *from, *to;
};

static void open_pair(struct pair *p, enum kind kind)
{
	struct gw_error err = GW_ERROR_INIT;

	make_pair(kind, p->in);
	make_pair(kind, p->out);
	p->from = must(gw_channel_from_fd(p->in[0], true, "in", &err), &err);
	p->to = must(gw_channel_from_fd(p->out[1], true, "out", &err), &err);
}

static void close_pair(struct pair *p)
{
	gw_channel_close(p->from);
	gw_channel_close(p->to);
	close(p->in[1]);
	close(p->out[0]);
}

struct later {
	struct gw_cancel *cancel;
	int full; /* the pipe end to fill first; -1: none */
};

static void *cancel_later(void *opaque)
{
	struct later *l = opaque;
	struct pollfd fd = {.fd = l->full, .events = POLLOUT};

	usleep(20000);
	while (l->full >= 0 && poll(&fd, 1, 0) > 0)
		usleep(1000);
	gw_cancel_set(l->cancel);
	return NULL;
}

/* The token ends a move that waits for more input or for room. */
static void cancelled(void **state)
{
	static const enum kind kinds[] = {PIPE, SMALL_PIPE, SOCKET};

	for (size_t k = 0; k < GW_ARRAY_SIZE(kinds); k++) {
		for (int full = 0; full < 2; full++) {
			struct gw_error err = GW_ERROR_INIT;
			struct gw_cancel *cancel = gw_cancel_new(&err);
			struct later later = {cancel, -1};
			struct end in;
			pthread_t thread;
			struct pair p;

			open_pair(&p, kinds[k]);
			gw_channel_set_cancel(p.from, cancel);
			gw_channel_set_cancel(p.to, cancel);
			if (full) {
				open_in(&in, FILE_FD, 8 << 20);
				gw_channel_set_cancel(in.ch, cancel);
				later.full = p.out[1];
			}
			assert_int_equal(pthread_create(&thread, NULL, cancel_later, &later), 0);
			assert_fails(gw_channel_move(full ? in.ch : p.from, p.to, 8 << 20, &err),
				     &err, GW_CANCELLED,
				     full ? "writing out at byte" : "reading in at byte 0");
			pthread_join(thread, NULL);
			/* After the token is set, no byte is moved. */
			uint64_t pos = p.to->write_pos;

			assert_fails(gw_channel_move(full ? in.ch : p.from, p.to, 1, &err), &err,
				     GW_CANCELLED, "cancelled");
			assert_int_equal(p.to->write_pos, pos);
			if (full)
				close_end(&in);
			close_pair(&p);
			gw_cancel_free(cancel);
		}
	}
}

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	signals++;
}

/* A closed reader is an error and not a signal. */
static void the_reader_is_gone(void **state)
{
	static const enum kind kinds[] = {PIPE, FILE_FD, SOCKET, MEMORY};

	signal(SIGPIPE, count_signal);
	for (size_t i = 0; i < GW_ARRAY_SIZE(kinds); i++) {
		for (int socket = 0; socket < 2; socket++) {
			struct gw_error err = GW_ERROR_INIT;
			struct gw_channel *to;
			struct end in;
			int fds[2];

			open_in(&in, kinds[i], 300000);
			make_pair(socket ? SOCKET : PIPE, fds);
			close(fds[0]);
			to = must(gw_channel_from_fd(fds[1], true, "out", &err), &err);
			assert_fails(gw_channel_move(in.ch, to, 300000, &err), &err, GW_PEER,
				     "writing out at byte 0: the other side is gone");
			gw_channel_close(to);
			gw_channel_close(in.ch);
			in.ch = NULL;
			if (in.has_thread)
				pthread_join(in.thread, NULL);
			close_end(&in);
		}
	}
	/* Signals go to the feeding threads; the moving thread gets none and has no handler of its
	 * own. */
	signal(SIGPIPE, SIG_DFL);
}

/* The message names the end that failed, for spliced and buffered moves. */
static void no_room_in_a_file(void **state)
{
	static const enum kind kinds[] = {PIPE, FILE_FD, FILE_PATH, SOCKET, MEMORY};
	struct rlimit old, small;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < GW_ARRAY_SIZE(kinds); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct end in, out;

		open_in(&in, kinds[i], TOTAL);
		open_out(&out, FILE_PATH, TOTAL);
		small = (struct rlimit){.rlim_cur = 1000000, .rlim_max = old.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		assert_fails(gw_channel_move(in.ch, out.ch, TOTAL, &err), &err, GW_SYSTEM,
			     "it at byte 1000000: File too large");
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		gw_channel_close(in.ch);
		in.ch = NULL;
		if (in.has_thread)
			pthread_join(in.thread, NULL);
		close_end(&in);
		close_end(&out);
	}
	struct gw_error err = GW_ERROR_INIT;
	struct end in;

	open_in(&in, FILE_FD, 100000);
	struct gw_channel *full =
		must(gw_channel_from_fd(open("/dev/full", O_WRONLY), true, "full", &err), &err);

	assert_fails(gw_channel_move(in.ch, full, 100000, &err), &err, GW_SYSTEM,
		     "writing full at byte 0: No space left");
	gw_channel_close(full);
	close_end(&in);
}

/* Planned failures on either side are reported at their byte. */
static void planned_failures(void **state)
{
	uint64_t random = random_seed();

	for (int round = 0; round < 60; round++) {
		struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
		struct gw_error err = GW_ERROR_INIT;
		uint64_t at = random_next(&random) % 400000;
		bool reading = round & 1;
		struct end in, out;
		char text[60];

		open_in(&in, FILE_FD, 400000);
		open_out(&out, MEMORY, 400000);
		plan.seed = random;
		plan.read.most = plan.write.most = 50000;
		*(reading ? &plan.read.error_at : &plan.write.error_at) = at;
		in.ch = must(gw_channel_fault(in.ch, &plan, &err), &err);
		out.ch = must(gw_channel_fault(out.ch, &plan, &err), &err);
		snprintf(text, sizeof(text), "%s it at byte %" PRIu64 ": Input/output error",
			 reading ? "reading" : "writing", at);
		assert_fails(gw_channel_move(in.ch, out.ch, 400000, &err), &err, GW_SYSTEM, text);
		assert_int_equal(out.ch->write_pos, at);
		close_end(&in);
		close_end(&out);
	}
}

/* Bytes are passed on before the next ones arrive. */
static void a_slow_writer(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t page[4096], back[4096];
	struct pair p;

	open_pair(&p, PIPE);
	fill(page, sizeof(page), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(write(p.in[1], page, sizeof(page)), sizeof(page));
		assert_int_equal(gw_channel_move(p.from, p.to, sizeof(page), &err), 1);
		assert_int_equal(read(p.out[0], back, sizeof(back)), sizeof(back));
		check(back, sizeof(back), 0);
	}
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_into_every_kind),
		cmocka_unit_test(an_input_that_ends_inside),
		cmocka_unit_test(with_a_copy),
		cmocka_unit_test(a_copy_that_fails),
		cmocka_unit_test(a_file_that_is_read_ahead_in),
		cmocka_unit_test(nothing_more_is_taken),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(the_reader_is_gone),
		cmocka_unit_test(no_room_in_a_file),
		cmocka_unit_test(planned_failures),
		cmocka_unit_test(a_slow_writer),
	};

	return cmocka_run_group_tests_name("move", tests, NULL, NULL);
}
