/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Plain saves and restores by the real save helper, with a libxl that behaves: the messages byte
 * for byte, the domain page for page.
 */
#include "guests.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "format/libxc/image.h"
#include "lib/realdata.h"

/* What Xen 4.17's own helper wrote to libxl for the same operations, LOG and PROGRESS left out:
 * recorded between an unmodified xl and it. */
#define SWITCH_ON     "\x0a\x00\x07\x00\x05\x00\x00\x00\x01\x00\x00\x00"
#define SWITCH_OFF    "\x0a\x00\x07\x00\x05\x00\x00\x00\x00\x00\x00\x00"
#define SUSPEND	      "\x02\x00\x03\x00"
#define STATIC_DATA   "\x06\x00\x08\x00\x00\x00\x00\x00"
#define COMPLETE_OK   "\x0a\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00"
#define RESULTS_BEGIN "\x12\x00\x09\x00"

#define assert_said(f, text) said((f), (text), sizeof(text) - 1)

static void said(const struct fake_libxl *f, const char *bytes, size_t len)
{
	assert_int_equal(f->raw.len, len);
	assert_memory_equal(f->raw.data, bytes, len);
}

/* A save with every answer as it should be; the image. */
static struct gw_buffer save(struct environment *e, const char *flags, struct fake_libxl *f)
{
	int io = mem_file();
	struct gw_buffer image;

	fake_save(f, io, -1, flags, CB_SAVE, "0", environment_list(e));
	assert_int_equal(fake_serve_all(f), 0);
	image = mem_contents(io);
	close(io);
	return image;
}

static void restore(const struct gw_buffer *image, struct environment *e, struct fake_libxl *f)
{
	int io = mem_with(image->data, image->len);

	fake_restore(f, io, -1, CB_RESTORE, "0", environment_list(e));
	assert_int_equal(fake_serve_all(f), 0);
	/* Not a byte more than the image: libxl's records come next. */
	assert_int_equal(lseek(io, 0, SEEK_CUR), (off_t)image->len);
	close(io);
}

static void test_hvm(void **state)
{
	const char *flags = *state;
	struct environment from = source(HVM_IMAGE, ""), to = target(HVM_IMAGE, "");
	struct fake_libxl f;
	struct gw_buffer image = save(&from, flags, &f);

	assert_said(&f, SWITCH_ON SUSPEND SWITCH_OFF COMPLETE_OK);
	fake_log_has(&f, "1 -1 starting save\n");
	fake_log_has(&f, "1 -1 complete r=0\n");
	assert_int_equal(fake_end(&f), 0);
	/* More bytes after the image, as in libxl's stream. */
	restore(&image, &to, &f);
	assert_said(&f, STATIC_DATA RESULTS_BEGIN "\xf9\x03\x00\x00\x00\x00\x00\x00"
						  "\x00\x00\x00\x00\x00\x00\x00\x00" COMPLETE_OK);
	assert_int_equal(fake_end(&f), 0);
	gw_buffer_free(&image);
	assert_moved();
}

static void test_pv(void **state)
{
	struct environment from = source(PV_IMAGE, "&guest=5"), to = target(PV_IMAGE, "");
	struct fake_libxl f;
	struct gw_buffer image = save(&from, *state, &f);

	/* No device model is ever asked for. */
	assert_said(&f, SUSPEND COMPLETE_OK);
	assert_int_equal(fake_end(&f), 0);
	restore(&image, &to, &f);
	assert_memory_equal(f.raw.data, STATIC_DATA RESULTS_BEGIN, 12);
	/* The mfns of the two rings, which differ each time. */
	assert_true(gw_get_le64(f.raw.data + 12) && gw_get_le64(f.raw.data + 20));
	assert_int_equal(fake_end(&f), 0);
	gw_buffer_free(&image);
	assert_moved();
}

/* Between two helpers, while the guest writes. */
static void test_live_through_a_pipe(void **state)
{
	struct environment from = source(HVM_IMAGE, "&guest=7"), to = target(HVM_IMAGE, "");
	struct fake_libxl sender, receiver;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	fake_save(&sender, fds[1], -1, "1", CB_SAVE, "0", environment_list(&from));
	fake_restore(&receiver, fds[0], -1, CB_RESTORE, "0", environment_list(&to));
	close(fds[0]);
	close(fds[1]);
	fake_serve(&sender, MSG_SWITCH_LOGDIRTY, 0);
	fake_serve(&receiver, MSG_STATIC_DATA_DONE, 0);
	assert_int_equal(fake_serve_all(&sender), 0);
	assert_int_equal(fake_end(&sender), 0);
	assert_int_equal(fake_serve_all(&receiver), 0);
	assert_int_equal(fake_end(&receiver), 0);
	assert_moved();
}

/* --debug: everything again after VERIFY. */
static void test_debug(void **state)
{
	struct environment from = source(HVM_IMAGE, ""), to = target(HVM_IMAGE, "");
	struct fake_libxl f;
	struct gw_buffer image = save(&from, "3", &f);

	assert_int_equal(fake_end(&f), 0);
	assert_int_equal(realdata_record(&image, 0, GW_REC_VERIFY).length, 0);
	restore(&image, &to, &f);
	assert_int_equal(fake_end(&f), 0);
	gw_buffer_free(&image);
	assert_moved();
}

/* Debian's Xen cannot log the writes of a PV guest. */
static void test_no_logdirty(void **state)
{
	struct environment from = source(PV_IMAGE, "&guest=5&logdirty=no");
	struct environment to = target(PV_IMAGE, "");
	struct fake_libxl f;
	struct gw_buffer image = save(&from, "1", &f);

	assert_said(&f, SUSPEND COMPLETE_OK);
	fake_log_has(&f, "7 -1 the domain is suspended before its memory is sent");
	assert_int_equal(fake_end(&f), 0);
	restore(&image, &to, &f);
	assert_int_equal(fake_end(&f), 0);
	gw_buffer_free(&image);
	assert_moved();
}

/* Without a policy in the image libxl makes one: the message says so. */
static void test_missing_policy(void **state)
{
	struct environment to = target("xen-code/v2_46_hvm_w64_1024.xz", "");
	struct gw_buffer image = image_in("xen-code/v2_46_hvm_w64_1024.xz");
	int io = mem_with(image.data, image.len);
	struct fake_libxl f;

	fake_restore(&f, io, -1, CB_RESTORE, "0", environment_list(&to));
	fake_expect(&f, MSG_STATIC_DATA_DONE);
	assert_int_equal(fake_u32(&f, 0), 3);
	fake_answer(&f, 0);
	fake_expect(&f, MSG_RESTORE_RESULTS);
	assert_int_not_equal(fake_u64(&f, 0), 0);
	assert_int_equal(fake_serve_all(&f), 0);
	assert_int_equal(fake_end(&f), 0);
	close(io);
	gw_buffer_free(&image);
}

/* A callback that libxl does not serve is never called. */
static void test_callbacks_by_flag(void **state)
{
	struct environment from = source(HVM_IMAGE, "");
	int io = mem_file();
	struct fake_libxl f;

	fake_save(&f, io, -1, "1", "8", "0", environment_list(&from));
	fake_serve(&f, MSG_SUSPEND, 1);
	fake_serve(&f, MSG_COMPLETE, 0);
	assert_int_equal(fake_u32(&f, 0), 0);
	assert_int_equal(fake_end(&f), 0);
	close(io);
	from = source(HVM_IMAGE, "");
	io = mem_file();
	fake_save(&f, io, -1, "1", "128", "0", environment_list(&from));
	fake_serve(&f, MSG_SWITCH_LOGDIRTY, 0);
	fake_serve(&f, MSG_SWITCH_LOGDIRTY, 0);
	fake_serve(&f, MSG_COMPLETE, 0);
	assert_int_equal((int)fake_u32(&f, 0), -1);
	fake_log_has(&f, "8 -1 saving domain 5: a save needs a toolstack that can suspend");
	assert_int_equal(fake_end(&f), 0);
	close(io);
}

/* The guest rewrites pages as fast as it can: Xen's policy gives up after five passes. */
static void test_passes(void **state)
{
	struct environment from = source(HVM_IMAGE, "&guest=3&rate=0");
	struct fake_libxl f;
	struct gw_buffer image, report;

	environment_add(&from, "GODWIT_BANDWIDTH", "10M");
	environment_add(&from, "GODWIT_REPORT", scratch("passes"));
	image = save(&from, "1", &f);
	assert_non_null(memmem(f.progress.data, f.progress.len, "Frames iteration 4\n", 19));
	assert_null(memmem(f.progress.data, f.progress.len, "Frames iteration 5\n", 19));
	assert_int_equal(fake_end(&f), 0);
	gw_buffer_free(&image);
	report = scratch_load("passes");
	assert_non_null(memmem(report.data, report.len, "\"stopped_by\":\"toolstack\"", 24));
	gw_buffer_free(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_hvm, (void *)(uintptr_t) "0"),
		cmocka_unit_test_prestate(test_hvm, (void *)(uintptr_t) "1"),
		cmocka_unit_test_prestate(test_pv, (void *)(uintptr_t) "0"),
		cmocka_unit_test_prestate(test_pv, (void *)(uintptr_t) "1"),
		cmocka_unit_test(test_live_through_a_pipe),
		cmocka_unit_test(test_debug),
		cmocka_unit_test(test_no_logdirty),
		cmocka_unit_test(test_missing_policy),
		cmocka_unit_test(test_callbacks_by_flag),
		cmocka_unit_test(test_passes),
	};

	return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
