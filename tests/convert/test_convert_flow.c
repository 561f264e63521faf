/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests conversions between pipes: what arrives is passed on before more arrives, nothing after the
 * image is read, and a conversion can be read as a channel. A test that hangs waits for output that
 * is missing; an alarm ends it.
 */
#include "fixture.h"

#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/realdata.h"
#include "lib/legacy_writer.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/util.h"

#define PATIENCE 60 /* seconds */

struct flow {
	struct gw_convert_args args;
	struct gw_conversion_result done;
	struct gw_error err;
	int rc;
	pthread_t thread;
	int in[2], out[2];
	struct gw_buffer got;
};

static void *work(void *opaque)
{
	struct flow *f = opaque;

	f->rc = gw_convert(&f->args, &f->done, &f->err);
	gw_channel_close(f->args.out);
	return NULL;
}

static void flow_start(struct flow *f)
{
	struct gw_error err = GW_ERROR_INIT;

	*f = (struct flow){0};
	alarm(PATIENCE);
	assert_int_equal(pipe(f->in), 0);
	assert_int_equal(pipe(f->out), 0);
	f->args.in = gw_channel_from_fd(f->in[0], true, "in", &err);
	f->args.out = gw_channel_from_fd(f->out[1], true, "out", &err);
	assert_true(f->args.in && f->args.out);
	assert_int_equal(pthread_create(&f->thread, NULL, work, f), 0);
}

/* Reads output, if there is any, until upto bytes have been read in all. */
static void flow_take(struct flow *f, size_t upto)
{
	uint8_t *to = gw_buffer_reserve(&f->got, upto - f->got.len, NULL);
	ssize_t n = read(f->out[0], to, upto - f->got.len);

	assert_true(n > 0);
	f->got.len += (size_t)n;
}

/* Writes all of data, and reads until upto bytes have been read in all, both while it writes and
 * after. */
static void flow_turn(struct flow *f, const uint8_t *data, size_t len, size_t upto)
{
	while (len || f->got.len < upto) {
		struct pollfd fds[] = {
			{.fd = len ? f->in[1] : -1, .events = POLLOUT},
			{.fd = f->got.len < upto ? f->out[0] : -1, .events = POLLIN},
		};

		assert_true(poll(fds, 2, -1) > 0);
		if (fds[1].revents)
			flow_take(f, upto);
		if (fds[0].revents) {
			/* Writes as much as fits whenever poll() reports room. */
			ssize_t n = write(f->in[1], data, GW_MIN(len, (size_t)4096));

			assert_true(n > 0);
			data += n;
			len -= (size_t)n;
		}
	}
}

/* Reads the output to its end and waits for the conversion. */
static void flow_read_rest(struct flow *f)
{
	ssize_t n;

	do {
		uint8_t *to = gw_buffer_reserve(&f->got, 65536, NULL);

		n = read(f->out[0], to, 65536);
		assert_true(n >= 0);
		f->got.len += (size_t)n;
	} while (n);
	pthread_join(f->thread, NULL);
	if (f->rc < 0)
		fail_msg("%s", f->err.text);
}

static void flow_end(struct flow *f)
{
	gw_channel_close(f->args.in);
	close(f->out[0]);
	gw_buffer_free(&f->got);
	alarm(0);
}

/* Checks step by step that ends[i] bytes of input give outs[i] bytes of output. */
static void drip(const struct gw_buffer *in, const struct outcome *whole, const size_t *ends,
		 const size_t *outs, size_t n)
{
	struct flow f;
	size_t at = 0;

	flow_start(&f);
	for (size_t i = 0; i < n; i++) {
		flow_turn(&f, in->data + at, ends[i] - at, outs[i]);
		at = ends[i];
	}
	flow_turn(&f, in->data + at, in->len - at, outs[n - 1]);
	close(f.in[1]);
	flow_read_rest(&f);
	assert_int_equal(f.got.len, whole->out.len);
	assert_memory_equal(f.got.data, whole->out.data, f.got.len);
	flow_end(&f);
}

/* Where each PAGE_DATA ends. */
static size_t page_data_ends(const struct gw_buffer *image, size_t *ends, size_t max)
{
	struct seen s;
	size_t n = 0;

	see(&s, image->data, image->len);
	for (size_t i = 0; i < s.nr && n < max; i++)
		if (!s.records[i].libxl && s.records[i].type == GW_REC_PAGE_DATA)
			ends[n++] = s.records[i].at + 8 + s.records[i].length;
	seen_free(&s);
	return n;
}

/* XTAB makes an entry of a record only in an HVM guest, and only for a pfn below p2m_size other
 * than 0 (a filler). */
static bool makes_a_record(const struct legacy_made *m, const struct legacy_made_event *e)
{
	for (size_t i = 0; e->event == GW_LEGACY_PAGES && i < e->nr_entries; i++) {
		uint64_t entry = m->entries[e->entries + i];

		if (gw_page_entry_type(entry) != GW_PAGE_XTAB ||
		    (m->kind.guest == GW_GUEST_X86_HVM && gw_page_entry_pfn(entry) &&
		     gw_page_entry_pfn(entry) < m->p2m_size))
			return true;
	}
	return false;
}

/* A batch is passed on when its last byte has arrived, whether its pages are kept (live) or not. */
static void legacy_batches_do_not_wait(void **state)
{
	uint64_t seed = gw_clock_ns();

	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < 12; i++) {
		const struct legacy_wish wish = {
			.rounds = 1,
			.xend = LEGACY_NO,
			.info = LEGACY_YES,
			.tmem = LEGACY_NO,
			.verify = LEGACY_NO,
		};
		struct legacy_made *m = legacy_make(seed + (uint64_t)i, &wish);
		size_t ends[1000], outs[GW_ARRAY_SIZE(ends)], n = 0;
		struct outcome whole;

		convert(&whole, m->bytes.data, m->bytes.len, NULL);
		assert_int_equal(whole.rc, 0);
		for (size_t e = 0; e < m->nr_events; e++) {
			if (!makes_a_record(m, &m->events[e]))
				continue;
			/* All batches: nobody reads while the bytes after the last one are
			 * written. */
			assert_true(n < GW_ARRAY_SIZE(ends));
			ends[n++] = m->events[e].end + m->events[e].value * 4096;
		}
		assert_int_equal(page_data_ends(&whole.out, outs, n), n);
		drip(&m->bytes, &whole, ends, outs, n);
		outcome_free(&whole);
		legacy_made_free(m);
	}
}

static void records_do_not_wait(void **state)
{
	static const char *const names[] = {"xen-code/v2_46_pv64_w64_live_1024.xz",
					    "xen-code/v3_422_libxl_hvm_1024.xz"};

	for (size_t i = 0; i < GW_ARRAY_SIZE(names); i++) {
		struct gw_buffer file = realdata_load(realdata_path(names[i]));
		size_t ends[20], outs[20], n;
		struct outcome whole;

		convert(&whole, file.data, file.len, NULL);
		n = page_data_ends(&file, ends, 20);
		assert_int_equal(page_data_ends(&whole.out, outs, 20), n);
		drip(&file, &whole, ends, outs, n);
		outcome_free(&whole);
		gw_buffer_free(&file);
	}
}

/* What comes after the image in the pipe is left for the next reader. */
static void nothing_behind_the_image_is_read(void **state)
{
	static const char *const names[] = {
		"leg45_hvm_w64_1024", "leg45_pv32_w32_1024",   "xl45_pv32_w32_1024",
		"v3_422_hvm_1024",    "v3_422_libxl_hvm_1024", "v2_46_hvm_w64_1024",
	};
	static const uint8_t behind[] = "domain is yours, you are cleared to unpause";

	for (size_t i = 0; i < GW_ARRAY_SIZE(names); i++) {
		uint8_t left[sizeof(behind) + 1];
		struct gw_buffer file;
		struct flow f;
		char name[100];
		int fd;

		snprintf(name, sizeof(name), "xen-code/%s.xz", names[i]);
		file = realdata_load(realdata_path(name));
		flow_start(&f);
		fd = dup(f.in[0]);
		flow_turn(&f, file.data, file.len, file.len - 40000);
		flow_turn(&f, behind, sizeof(behind), 0);
		flow_read_rest(&f);
		assert_int_equal(f.done.in_bytes, file.len);
		assert_int_equal(read(fd, left, sizeof(left)), sizeof(behind));
		assert_memory_equal(left, behind, sizeof(behind));
		close(fd);
		close(f.in[1]);
		flow_end(&f);
		gw_buffer_free(&file);
	}
}

/* A memory channel with these bytes, for the converting channel to read. */

static struct gw_channel *file_of(const struct gw_buffer *bytes)
{
	struct gw_error err = GW_ERROR_INIT;
	int fd = memfd_create("image", 0);
	struct gw_channel *ch;

	assert_int_equal(write(fd, bytes->data, bytes->len), bytes->len);
	lseek(fd, 0, SEEK_SET);
	ch = gw_channel_from_fd(fd, true, "image", &err);
	assert_non_null(ch);
	return ch;
}

static void a_channel_reads_the_same(void **state)
{
	static const char *const names[] = {"leg45_hvm_w64_remus4_comp_1024", "xl45_hvm_w64_1024",
					    "v2_46_hvm_w64_1024"};

	for (size_t i = 0; i < GW_ARRAY_SIZE(names); i++) {
		struct gw_convert_args args = {0};
		struct gw_error err = GW_ERROR_INIT;
		struct gw_conversion_result done = {0};
		struct gw_channel *ch;
		struct gw_buffer file;
		struct outcome whole;
		size_t rest;
		uint8_t *got;
		char name[100];

		alarm(PATIENCE);
		snprintf(name, sizeof(name), "xen-code/%s.xz", names[i]);
		file = realdata_load(realdata_path(name));
		convert(&whole, file.data, file.len, NULL);
		args.in = i ? source_of(file.data, file.len) : file_of(&file);
		ch = gw_convert_channel(&args, &done, &err);
		assert_non_null(ch);
		got = malloc(whole.out.len);
		rest = whole.out.len - 101000;
		assert_int_equal(gw_channel_read(ch, got, 1000, &err), 1);
		assert_int_equal(gw_channel_skip(ch, 100000, &err), 1);
		assert_int_equal(gw_channel_read(ch, got + 101000, rest, &err), 1);
		assert_memory_equal(got, whole.out.data, 1000);
		assert_memory_equal(got + 101000, whole.out.data + 101000, rest);
		assert_int_equal(gw_channel_read(ch, got, 1, &err), 0);
		assert_int_equal(gw_channel_skip(ch, 1, &err), 0);
		assert_fails(gw_channel_write(ch, "x", 1, &err), &err, GW_USAGE,
			     "cannot be written");
		gw_channel_close(ch);
		assert_int_equal(done.out_bytes, whole.out.len);
		free(got);
		outcome_free(&whole);
		gw_buffer_free(&file);
		alarm(0);
	}
}

/* A fault of the image is reported at the place where it was found, and again by each later
 * read. */
static void a_channel_over_a_bad_image(void **state)
{
	struct gw_buffer file = realdata_load(realdata_path("xen-code/leg45_hvm_w64_1024.xz"));
	struct gw_convert_args args = {.in = source_of(file.data, file.len / 2)};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_convert_channel(&args, NULL, &err);
	uint8_t buf[65536];
	ssize_t n;

	alarm(PATIENCE);
	assert_non_null(ch);
	do
		n = gw_channel_read_some(ch, buf, sizeof(buf), &err);
	while (n > 0);
	assert_fails((int)n, &err, GW_INVALID, "the input ends inside a part");
	assert_fails(gw_channel_read(ch, buf, 1, &err), &err, GW_INVALID, "inside a part");
	assert_fails(gw_channel_skip(ch, 1, &err), &err, GW_INVALID, "inside a part");
	gw_channel_close(ch);
	gw_buffer_free(&file);
	alarm(0);
}

/* The converting channel is closed while it waits for more input, or for its reader. */
static void a_channel_closed_early(void **state)
{
	struct gw_buffer file = realdata_load(realdata_path("xen-code/leg45_hvm_w64_1024.xz"));

	alarm(PATIENCE);
	for (int i = 0; i < 4; i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_convert_args args = {0};
		struct gw_channel *ch;
		uint8_t buf[64];
		int fds[2];

		assert_int_equal(pipe(fds), 0);
		assert_int_equal(write(fds[1], file.data, 9000), 9000);
		args.in = i & 1 ? gw_channel_from_fd(fds[0], true, "slow", &err) : file_of(&file);
		ch = gw_convert_channel(&args, NULL, &err);
		assert_non_null(ch);
		if (i & 2)
			assert_int_equal(gw_channel_read(ch, buf, sizeof(buf), &err), 1);
		gw_channel_close(ch);
		close(fds[1]);
		if (!(i & 1))
			close(fds[0]);
	}
	gw_buffer_free(&file);
	alarm(0);
}

static void *cancel_soon(void *opaque)
{
	usleep(20000);
	gw_cancel_set(opaque);
	return NULL;
}

static void a_channel_cancelled(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_cancel *cancel = gw_cancel_new(&err);
	struct gw_convert_args args = {.cancel = cancel};
	struct gw_channel *ch;
	pthread_t thread;
	uint8_t buf[64];
	int fds[2];

	alarm(PATIENCE);
	assert_int_equal(pipe(fds), 0);
	args.in = gw_channel_from_fd(fds[0], true, "slow", &err);
	ch = gw_convert_channel(&args, NULL, &err);
	assert_non_null(ch);
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, cancel), 0);
	assert_fails(gw_channel_read(ch, buf, sizeof(buf), &err), &err, GW_CANCELLED, "cancelled");
	pthread_join(thread, NULL);
	gw_channel_close(ch);
	close(fds[1]);
	gw_cancel_free(cancel);
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(legacy_batches_do_not_wait),
		cmocka_unit_test(records_do_not_wait),
		cmocka_unit_test(nothing_behind_the_image_is_read),
		cmocka_unit_test(a_channel_reads_the_same),
		cmocka_unit_test(a_channel_over_a_bad_image),
		cmocka_unit_test(a_channel_closed_early),
		cmocka_unit_test(a_channel_cancelled),
	};

	return cmocka_run_group_tests_name("convert flow", tests, NULL, NULL);
}
