/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests conversions of damaged images and over failing channels: an incomplete result never looks
 * complete, what verify calls an error is refused, and no temporary file is left.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/realdata.h"
#include "lib/bytes.h"
#include "lib/legacy_writer.h"
#include "lib/descriptors.h"
#include "lib/random.h"
#include "base/clock.h"
#include "base/util.h"
#include "channel/fault.h"
#include "examine/examine.h"

struct verdict {
	uint64_t errors;
	char first[600];
};

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	struct verdict *v = opaque;

	if (finding->level == GW_LEVEL_ERROR && v->errors++ == 0)
		gw_finding_format(finding, v->first, sizeof(v->first));
}

static struct verdict verify(const void *data, size_t len)
{
	struct verdict v = {0};
	const struct gw_examine_sink sink = {.opaque = &v, .finding = on_finding};
	struct gw_channel *in = source_of(data, len);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_examination sum;

	assert_ok(gw_examine(in, &sink, &sum, &err), &err);
	gw_channel_close(in);
	return v;
}

/* A random offset outside of page contents. */
static size_t place_in(const struct seen *s)
{
	const struct seen_record *r = &s->records[random64() % s->nr];
	size_t at;

	switch (random64() % 8) {
	case 0:
		return random64() % s->records[0].at;
	case 1:
	case 2:
	case 3:
		return r->at + random64() % 8;
	default:
		at = r->at + random64() % GW_MIN(r->length + 8, 600u);
		return GW_MIN(at, s->len - 1);
	}
}

static void spoil(uint8_t *data, const struct seen *s)
{
	static const uint8_t bytes[] = {0, 1, 2, 4, 8, 0x7f, 0x80, 0xff};

	for (unsigned n = 1 + random64() % 2; n; n--) {
		size_t at = place_in(s);

		if (random64() % 2)
			data[at] ^= (uint8_t)(1u << random64() % 8);
		else
			data[at] = bytes[random64() % sizeof(bytes)];
	}
}

/* A conversion either fails, or verify finds no error in its result. */
static void judge_mutant(const uint8_t *data, size_t len, bool agree)
{
	struct verdict was = {0};
	struct outcome o;

	convert(&o, data, len, NULL);
	if (agree)
		was = verify(data, len);
	if (o.rc == 0) {
		struct verdict is = verify(o.out.data, o.out.len);

		if (is.errors)
			fail_msg("the result is bad: %s", is.first);
		if (was.errors)
			fail_msg("it was converted although verify says: %s", was.first);
	} else if (agree && !was.errors && o.err.code != GW_UNSUPPORTED) {
		fail_msg("verify finds no error, convert says: %s", o.err.text);
	}
	outcome_free(&o);
}

static void mutants_of_version_3(void **state)
{
	static const char *const names[] = {
		"xen-code/v3_422_hvm_remus3_1024.xz",
		"xen-code/v3_422_libxl_hvm_remus3_1024.xz",
		"xen-code/v2_46_pv64_w64_live_1024.xz",
		"xen-code/v3_422_pv32_live_1024.xz",
		"xen417/tiny-pv.save.xz",
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(names); i++) {
		struct gw_buffer file = realdata_load(realdata_path(names[i]));
		uint8_t *copy = malloc(file.len);
		struct seen s;

		see(&s, file.data, file.len);
		for (int round = 0; round < 60; round++) {
			memcpy(copy, file.data, file.len);
			spoil(copy, &s);
			judge_mutant(copy, random64() % 4 ? file.len : random64() % file.len, true);
		}
		seen_free(&s);
		free(copy);
		gw_buffer_free(&file);
	}
}

static void mutants_of_legacy_images(void **state)
{
	for (int i = 0; i < 300; i++) {
		const struct legacy_wish wish = {.p2m_size = LEGACY_P2M_MIN};
		struct legacy_made *made = legacy_make(random64(), &wish);
		uint8_t *data = made->bytes.data;

		for (unsigned n = 1 + random64() % 3; n; n--) {
			const struct legacy_made_event *e =
				&made->events[random64() % made->nr_events];
			size_t at = GW_MIN(e->offset + random64() % 64, made->bytes.len - 1);

			data[at] = (uint8_t)(random64() % 2 ? data[at] ^ 1u << random64() % 8
							    : random64());
		}
		judge_mutant(data, made->bytes.len, false);
		legacy_made_free(made);
	}
}

/* A complete image with rounds that have to wait. */
static struct legacy_made *some_image(void)
{
	const struct legacy_wish wish = {
		.p2m_size = LEGACY_P2M_MIN,
		.rounds = 3,
		.xend = LEGACY_NO,
		.last = LEGACY_YES,
		.info = LEGACY_YES,
	};

	return legacy_make(random64(), &wish);
}

static void inputs_that_fail(void **state)
{
	int before = count_fds();

	for (int i = 0; i < 150; i++) {
		struct legacy_made *made = some_image();
		struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
		struct gw_error err = GW_ERROR_INIT;
		struct gw_channel *in;
		struct outcome o;

		plan.seed = random64();
		plan.read.most = 1 + (uint32_t)(random64() % 70000);
		plan.read.error_at = random64() % made->bytes.len;
		in = gw_channel_fault(source_of(made->bytes.data, made->bytes.len), &plan, &err);
		assert_non_null(in);
		convert_channels(&o, in, NULL, NULL);
		assert_fails(o.rc, &o.err, GW_SYSTEM, "Input/output error");
		if (o.out.len) {
			struct verdict v = verify(o.out.data, o.out.len);

			assert_true(v.errors);
		}
		outcome_free(&o);
		gw_channel_close(in);
		legacy_made_free(made);
	}
	assert_int_equal(count_fds(), before);
}

static void outputs_that_fail(void **state)
{
	int before = count_fds();

	for (int i = 0; i < 150; i++) {
		struct legacy_made *made = some_image();
		struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
		struct gw_error err = GW_ERROR_INIT;
		struct gw_channel *in, *out;
		struct outcome whole, o;

		convert(&whole, made->bytes.data, made->bytes.len, NULL);
		assert_int_equal(whole.rc, 0);
		plan.seed = random64();
		plan.write.most = 1 + (uint32_t)(random64() % 70000);
		plan.write.error_at = random64() % whole.out.len;
		plan.write.errnum = random64() % 2 ? ENOSPC : EPIPE;
		in = source_of(made->bytes.data, made->bytes.len);
		out = gw_channel_fault(bytes_sink("failing", NULL), &plan, &err);
		assert_non_null(out);
		convert_channels(&o, in, out, NULL);
		assert_fails(o.rc, &o.err, plan.write.errnum == EPIPE ? GW_PEER : GW_SYSTEM,
			     "writing failing at byte");
		assert_int_equal(o.done.out_bytes, plan.write.error_at);
		outcome_free(&o);
		outcome_free(&whole);
		gw_channel_close(in);
		gw_channel_close(out);
		legacy_made_free(made);
	}
	assert_int_equal(count_fds(), before);
}

/* Reading and writing a few bytes at a time changes nothing. */
static void short_turns(void **state)
{
	for (int i = 0; i < 10; i++) {
		struct legacy_made *made = some_image();
		struct gw_fault_plan plan = GW_FAULT_PLAN_INIT;
		struct gw_error err = GW_ERROR_INIT;
		struct gw_channel *in;
		struct outcome whole, o;

		convert(&whole, made->bytes.data, made->bytes.len, NULL);
		plan.seed = random64();
		plan.read.most = 1 + (uint32_t)(random64() % 200);
		in = gw_channel_fault(source_of(made->bytes.data, made->bytes.len), &plan, &err);
		convert_channels(&o, in, NULL, NULL);
		assert_int_equal(o.rc, 0);
		assert_int_equal(o.out.len, whole.out.len);
		assert_memory_equal(o.out.data, whole.out.data, o.out.len);
		outcome_free(&o);
		outcome_free(&whole);
		gw_channel_close(in);
		legacy_made_free(made);
	}
}

static void *cancel_soon(void *opaque)
{
	usleep(20000);
	gw_cancel_set(opaque);
	return NULL;
}

/* A conversion that waits for input, or for room in a full pipe, ends when the token is set. */
static void cancelled(void **state)
{
	struct gw_buffer file = realdata_load(realdata_path("xen-code/leg45_hvm_w64_1024.xz"));

	for (int writing = 0; writing < 2; writing++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_cancel *cancel = gw_cancel_new(&err);
		struct gw_convert_args args = {.cancel = cancel};
		struct gw_channel *in, *out = NULL;
		struct outcome o;
		pthread_t thread;
		int fds[2];

		assert_int_equal(pipe(fds), 0);
		if (writing) {
			in = source_of(file.data, file.len);
			out = gw_channel_from_fd(fds[1], true, "full", &err);
		} else {
			assert_int_equal(write(fds[1], file.data, 5000), 5000);
			in = gw_channel_from_fd(fds[0], true, "slow", &err);
		}
		assert_int_equal(pthread_create(&thread, NULL, cancel_soon, cancel), 0);
		convert_channels(&o, in, out, &args);
		assert_fails(o.rc, &o.err, GW_CANCELLED, writing ? "writing full" : "reading slow");
		pthread_join(thread, NULL);
		outcome_free(&o);
		gw_channel_close(in);
		gw_channel_close(out);
		close(writing ? fds[0] : fds[1]);
		gw_cancel_free(cancel);
	}
	gw_buffer_free(&file);
}

/* There is no room for waiting pages: an image that needs it fails, and the message gives the
 * reason. */
static void no_room_for_rounds(void **state)
{
	struct gw_buffer file = realdata_load(realdata_path("xen-code/leg45_hvm_w64_live_4096.xz"));
	struct gw_buffer remus =
		realdata_load(realdata_path("xen-code/leg45_hvm_w64_remus4_comp_1024.xz"));
	struct outcome o;
	pid_t child;
	int status;

	/* In a child process, because the limit applies to the whole process. */
	fflush(stdout);
	child = fork();
	if (child == 0) {
		struct rlimit limit = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		/* A live image: its pages are kept, but never needed. */
		convert(&o, file.data, file.len, NULL);
		if (o.rc != 0)
			_exit(1);
		convert(&o, remus.data, remus.len, NULL);
		_exit(o.rc < 0 && o.err.code == GW_SYSTEM &&
				      strstr(o.err.text, "could not be kept") &&
				      strstr(o.err.text, "File too large")
			      ? 0
			      : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	gw_buffer_free(&file);
	gw_buffer_free(&remus);
}

/* From a pipe: a compressed round after a first one that did not look live is refused, because the
 * pages it builds on were not kept. */
static void no_base(void **state)
{
	const struct legacy_wish wish = {
		.p2m_size = LEGACY_P2M_MIN,
		.rounds = 2,
		.compression = LEGACY_YES,
		.guest = GW_GUEST_X86_HVM,
		.width = 8,
		.tmem = LEGACY_NO,
	};
	struct legacy_made *made;
	struct gw_buffer image = {0};
	static const uint8_t tsc[24] = {0xf9, 0xff, 0xff, 0xff};
	struct outcome o;

	made = legacy_make(random64(), &wish);
	gw_buffer_append(&image, made->bytes.data, 8, NULL);
	gw_buffer_append(&image, tsc, sizeof(tsc), NULL);
	gw_buffer_append(&image, made->bytes.data + 8, made->bytes.len - 8, NULL);
	convert(&o, image.data, image.len, NULL);
	assert_fails(o.rc, &o.err, GW_UNSUPPORTED, "convert from a file");
	outcome_free(&o);
	gw_buffer_free(&image);
	legacy_made_free(made);
}

/* Data that version 3 cannot carry is refused before anything of the guest is written. */
static void tmem_with_contents(void **state)
{
	struct gw_buffer file = realdata_load(realdata_path("xen-code/leg45_hvm_w64_1024.xz"));
	struct gw_buffer image = {0};
	uint32_t head[] = {(uint32_t)-5, 1, 1, ~0u, 0, 0, 0, ~0u};
	uint32_t pool[] = {7, 0, 1, 1, 2, 3, 4};
	uint32_t page[] = {1, 0, 2, 0, 3, 0, 9};
	uint32_t end = ~0u;
	struct outcome o;

	gw_buffer_append(&image, file.data, 8, NULL);
	gw_buffer_append(&image, head, sizeof(head), NULL);
	gw_buffer_append(&image, pool, sizeof(pool), NULL);
	gw_buffer_append(&image, page, sizeof(page), NULL);
	gw_buffer_append(&image, NULL, 4096, NULL);
	gw_buffer_append(&image, &end, sizeof(end), NULL);
	gw_buffer_append(&image, file.data + 8, file.len - 8, NULL);
	convert(&o, image.data, image.len, NULL);
	assert_true(o.rc < 0);
	if (!strstr(o.err.text, "TMEM") || o.done.pages)
		fail_msg("%s", o.err.text);
	outcome_free(&o);
	gw_buffer_free(&image);
	gw_buffer_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutants_of_version_3), cmocka_unit_test(mutants_of_legacy_images),
		cmocka_unit_test(inputs_that_fail),	cmocka_unit_test(outputs_that_fail),
		cmocka_unit_test(short_turns),		cmocka_unit_test(cancelled),
		cmocka_unit_test(no_room_for_rounds),	cmocka_unit_test(no_base),
		cmocka_unit_test(tmem_with_contents),
	};

	return cmocka_run_group_tests_name("convert faults", tests, NULL, NULL);
}
