/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A libxl that refuses, answers oddly, cancels or dies, at each message of an operation. After all
 * of it the helper ends as libxl expects, and no domain is left with log-dirty on: the helper
 * itself ends with another status if one is (stand_in.h).
 */
#include "guests.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/bytes.h"

#define EXIT_GONE 254

/* The messages of each operation that libxl answers, in their order. */
static const int save_hvm[] = {MSG_SWITCH_LOGDIRTY, MSG_SUSPEND, MSG_SWITCH_LOGDIRTY, MSG_COMPLETE,
			       MSG_END};
static const int save_pv[] = {MSG_SUSPEND, MSG_COMPLETE, MSG_END};
static const int restore_hvm[] = {MSG_STATIC_DATA_DONE, MSG_COMPLETE, MSG_END};

struct operation {
	const char *file;
	const int *messages;
	bool restore;
};

static const struct operation operations[] = {
	{HVM_IMAGE, save_hvm, false},
	{PV_IMAGE, save_pv, false},
	{HVM_IMAGE, restore_hvm, true},
};

static int io;

/* Starts a live save or a restore, with io as the stream. */
static void start(struct fake_libxl *f, const struct operation *o, const char *more)
{
	struct environment e = o->restore ? target(o->file, "") : source(o->file, "&guest=5");
	struct gw_buffer image = {0};

	if (more)
		environment_add(&e, "GODWIT_HELPER_GRACE", more);
	if (o->restore)
		image = image_in(o->file);
	io = mem_with(image.data, image.len);
	gw_buffer_free(&image);
	if (o->restore)
		fake_restore(f, io, -1, CB_RESTORE, "0", environment_list(&e));
	else
		fake_save(f, io, -1, "1", CB_SAVE, "0", environment_list(&e));
}

static int good_answer(int id)
{
	return id == MSG_SUSPEND ? 1 : 0;
}

static int next_answered(struct fake_libxl *f)
{
	do
		fake_next(f);
	while (f->id == MSG_RESTORE_RESULTS);
	return f->id;
}

/* Answers the first n messages well. The helper waits for the answer to the one after them. */
static void go_to(struct fake_libxl *f, const struct operation *o, unsigned n)
{
	for (unsigned i = 0; i <= n; i++) {
		int id = next_answered(f);

		assert_int_equal(id, o->messages[i]);
		if (i < n)
			fake_answer(f, good_answer(id));
	}
}

/* The rest of a failed operation: the switch back, the results, COMPLETE with this errno. */
static void assert_failed(struct fake_libxl *f, const struct operation *o, int errnum)
{
	int id;

	while ((id = fake_next(f)) != MSG_COMPLETE) {
		if (id == MSG_SWITCH_LOGDIRTY) {
			assert_int_equal(fake_u32(f, 1), 0);
			fake_answer(f, 0);
		} else {
			assert_true(o->restore);
			assert_int_equal(id, MSG_RESTORE_RESULTS);
			assert_int_equal(fake_u64(f, 0) | fake_u64(f, 1), 0);
		}
	}
	assert_int_equal((int)fake_u32(f, 0), -1);
	assert_int_equal(fake_u32(f, 1), errnum);
	fake_answer(f, 0);
}

#define for_each_point(o, n)                                                                       \
	for (const struct operation *o = operations;                                               \
	     o < operations + sizeof(operations) / sizeof(operations[0]); o++)                     \
		for (unsigned n = 0; o->messages[n] != MSG_END; n++)

static void test_libxl_dies(void **state)
{
	for_each_point(o, n)
	{
		struct fake_libxl f;

		start(&f, o, NULL);
		go_to(&f, o, n);
		fake_die(&f);
		assert_int_equal(fake_end(&f), EXIT_GONE);
		close(io);
	}
}

/* The pipe of the answers alone: the helper would wait for ever. */
static void test_answers_end(void **state)
{
	for_each_point(o, n)
	{
		static const uint8_t part[] = {1, 0, 0};
		struct fake_libxl f;

		start(&f, o, NULL);
		go_to(&f, o, n);
		fake_answer_bytes(&f, part, n % 4);
		close(f.answers);
		f.answers = -1;
		while (fake_next(&f) != MSG_END)
			assert_int_equal(f.id, MSG_RESTORE_RESULTS);
		close(f.messages);
		f.answers = f.messages = -1;
		assert_int_equal(fake_end(&f), EXIT_GONE);
		close(io);
	}
}

static void test_terminated(void **state)
{
	for_each_point(o, n)
	{
		struct fake_libxl f;
		bool suspended;

		start(&f, o, NULL);
		go_to(&f, o, n);
		suspended = f.id == MSG_SUSPEND;
		fake_signal(&f, SIGTERM);
		fake_answer(&f, good_answer(f.id));
		/* Too late, once the image is complete. */
		if (f.id == MSG_COMPLETE || (f.id == MSG_SWITCH_LOGDIRTY && n > 0)) {
			if (f.id != MSG_COMPLETE)
				fake_serve(&f, MSG_COMPLETE, 0);
			assert_int_equal(fake_u32(&f, 0), 0);
		} else {
			assert_failed(&f, o, ECANCELED);
			fake_log_has(&f, "cancelled");
			if (!o->restore)
				fake_log_has(&f, suspended ? "; the domain is suspended, libxl may"
							   : "; the domain was not suspended");
		}
		assert_int_equal(fake_end(&f), 0);
		close(io);
	}
}

/* libxl cancels and never answers: after its grace the helper goes without. */
static void test_terminated_without_answer(void **state)
{
	for_each_point(o, n)
	{
		struct fake_libxl f;

		start(&f, o, "50");
		go_to(&f, o, n);
		fake_signal(&f, SIGTERM);
		while (fake_next(&f) != MSG_END)
			if (f.id == MSG_COMPLETE && n == 0)
				assert_int_equal((int)fake_u32(&f, 0), -1);
		assert_int_equal(fake_end(&f), 0);
		close(io);
	}
}

/* The handler is in place before the first message: no later signal kills. */
static void test_terminated_at_once(void **state)
{
	struct fake_libxl f;

	start(&f, &operations[0], NULL);
	assert_int_equal(fake_next_any(&f), MSG_LOG);
	fake_signal(&f, SIGTERM);
	fake_signal(&f, SIGTERM);
	while (fake_next(&f) == MSG_SWITCH_LOGDIRTY)
		fake_answer(&f, 0);
	assert_int_equal(f.id, MSG_COMPLETE);
	assert_int_equal((int)fake_u32(&f, 0), -1);
	fake_answer(&f, 0);
	assert_int_equal(fake_end(&f), 0);
	close(io);
}

/* A stream whose reader takes nothing more, and whose writer sends nothing more. */
static void start_stuck(struct fake_libxl *f, const struct operation *o, int fds[2])
{
	struct environment e = o->restore ? target(o->file, "") : source(o->file, "&guest=5");

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	if (o->restore)
		fake_restore(f, fds[0], -1, CB_RESTORE, "0", environment_list(&e));
	else
		fake_save(f, fds[1], -1, "1", CB_SAVE, "0", environment_list(&e));
	if (!o->restore && o->messages == save_hvm)
		fake_serve(f, MSG_SWITCH_LOGDIRTY, 0);
	/* The restore has begun; the save writes its pages. */
	do
		fake_next_any(f);
	while (!o->restore &&
	       (f->progress.len == 0 || !memmem(f->progress.data, f->progress.len, "Frames", 6)));
}

static void test_stuck_stream(void **state)
{
	bool dies = *state;

	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		struct fake_libxl f;
		int fds[2];

		start_stuck(&f, &operations[i], fds);
		if (dies)
			fake_die(&f);
		else {
			fake_signal(&f, SIGTERM);
			assert_failed(&f, &operations[i], ECANCELED);
		}
		assert_int_equal(fake_end(&f), dies ? EXIT_GONE : 0);
		close(fds[0]);
		close(fds[1]);
	}
}

static void test_peer_gone(void **state)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		struct fake_libxl f;
		int fds[2];

		start_stuck(&f, &operations[i], fds);
		close(fds[0]);
		close(fds[1]);
		assert_failed(&f, &operations[i], EPIPE);
		assert_int_equal(fake_end(&f), 0);
	}
}

/* An answer that says no. */
static void test_refusals(void **state)
{
	static const struct {
		unsigned operation, at;
		int answer, errnum;
		const char *says;
	} cases[] = {
		{0, 0, -1, EIO,
		 "the device model of domain 5 did not switch its log-dirty mode on"},
		{0, 1, 0, EIO, "libxl could not suspend the domain (it answered 0)"},
		{0, 1, -7, EIO, "libxl could not suspend the domain (it answered -7)"},
		{1, 0, 0, EIO, "; the domain was not suspended"},
		{2, 0, -3, EPERM, "libxl could not complete the static data (it answered -3)"},
		{2, 0, 1, EPERM, "libxl could not complete the static data"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct operation *o = &operations[cases[i].operation];
		struct fake_libxl f;

		start(&f, o, NULL);
		go_to(&f, o, cases[i].at);
		fake_answer(&f, cases[i].answer);
		assert_failed(&f, o, cases[i].errnum);
		fake_log_has(&f, cases[i].says);
		assert_int_equal(fake_end(&f), 0);
		close(io);
	}
}

/* Off is a wish: the save is complete, and libxl's log says what went wrong. */
static void test_switch_off_refused(void **state)
{
	struct fake_libxl f;

	start(&f, &operations[0], NULL);
	go_to(&f, &operations[0], 2);
	fake_answer(&f, -1);
	fake_serve(&f, MSG_COMPLETE, 0);
	assert_int_equal(fake_u32(&f, 0), 0);
	fake_log_has(&f, "7 -1 the device model of domain 5 did not switch its log-dirty mode off");
	assert_int_equal(fake_end(&f), 0);
	close(io);
}

/* Byte by byte is fine. */
static void test_short_answers(void **state)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		const struct operation *o = &operations[i];
		struct fake_libxl f;

		start(&f, o, NULL);
		do {
			uint8_t bytes[4];

			gw_put_le32(bytes, (uint32_t)good_answer(next_answered(&f)));
			for (unsigned b = 0; b < 4; b++) {
				fake_answer_bytes(&f, bytes + b, 1);
				usleep(1000);
			}
		} while (f.id != MSG_COMPLETE);
		assert_int_equal(fake_u32(&f, 0), 0);
		assert_int_equal(fake_end(&f), 0);
		close(io);
	}
}

/* More than was asked for: the next answer would be another question's. */
static void test_long_answer(void **state)
{
	static const int32_t two[] = {0, 1};
	struct fake_libxl f;

	start(&f, &operations[0], NULL);
	go_to(&f, &operations[0], 0);
	fake_answer_bytes(&f, two, sizeof(two));
	while (fake_next(&f) != MSG_END)
		assert_int_not_equal(f.id, MSG_SUSPEND);
	fake_log_has(&f, "libxl has sent an answer to no question");
	assert_int_equal(fake_end(&f), 0);
	close(io);
}

/* Streams that end early or break a rule: what is wrong, where, and no results. */
static void test_bad_images(void **state)
{
	static const struct {
		size_t keep, change;
		int errnum;
		const char *says;
	} cases[] = {
		{0, 0, EPIPE, "offset 0x0"},
		{1000, 0, EPIPE, "offset 0x"},
		{SIZE_MAX, 0, EINVAL, "image header"},
		{SIZE_MAX, 40, EINVAL, "image record 0"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct environment e = target(HVM_IMAGE, "");
		struct gw_buffer image = image_in(HVM_IMAGE);
		struct fake_libxl f;
		int fd;

		if (cases[i].keep < image.len)
			image.len = cases[i].keep;
		else
			image.data[cases[i].change] ^= 0x40;
		fd = mem_with(image.data, image.len);
		fake_restore(&f, fd, -1, CB_RESTORE, "0", environment_list(&e));
		while (fake_next(&f) == MSG_STATIC_DATA_DONE)
			fake_answer(&f, 0);
		assert_int_equal(f.id, MSG_RESTORE_RESULTS);
		assert_int_equal(fake_u64(&f, 0) | fake_u64(&f, 1), 0);
		fake_serve(&f, MSG_COMPLETE, 0);
		assert_int_equal((int)fake_u32(&f, 0), -1);
		assert_int_equal(fake_u32(&f, 1), cases[i].errnum);
		fake_log_has(&f, "8 -1 restoring domain 5: ");
		fake_log_has(&f, cases[i].says);
		assert_int_equal(fake_end(&f), 0);
		close(fd);
		gw_buffer_free(&image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libxl_dies),
		cmocka_unit_test(test_answers_end),
		cmocka_unit_test(test_terminated),
		cmocka_unit_test(test_terminated_without_answer),
		cmocka_unit_test(test_terminated_at_once),
		cmocka_unit_test_prestate(test_stuck_stream, NULL),
		cmocka_unit_test_prestate(test_stuck_stream, (void *)1),
		cmocka_unit_test(test_peer_gone),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_switch_off_refused),
		cmocka_unit_test(test_short_answers),
		cmocka_unit_test(test_long_answer),
		cmocka_unit_test(test_bad_images),
	};

	return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
