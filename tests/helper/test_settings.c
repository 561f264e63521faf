/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The save helper's command line and settings.
 */
#include "guests.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

/* A save whose settings are invalid: the domain is never touched. */
static void assert_refused(struct environment *e, const char *says)
{
	struct fake_libxl f;
	int io = mem_file();

	fake_save(&f, io, -1, "1", CB_SAVE, "0", environment_list(e));
	fake_serve(&f, MSG_COMPLETE, 0);
	assert_int_equal((int)fake_u32(&f, 0), -1);
	assert_int_equal(fake_u32(&f, 1), EINVAL);
	fake_log_has(&f, says);
	assert_int_equal(fake_end(&f), 0);
	assert_int_equal(lseek(io, 0, SEEK_END), 0);
	close(io);
}

static void test_invalid(void **state)
{
	static const struct {
		const char *line, *says;
	} lines[] = {
		{"downtime = soon", "helper.conf, line 2: downtime is \"soon\""},
		{"downtime = 0", "expected a number from 1 to 3600000"},
		{"bandwidth = 10T", "bandwidth is \"10T\""},
		{"bandwidth = 18446744073709551615G", "bandwidth is"},
		{"timeout 3", "expected \"setting = value\""},
		{"colour = red", "unknown setting \"colour\""},
		{"on-stall = hope", "on-stall is \"hope\", expected switch or abort"},
		{"on-stall = throttle", "Xen cannot slow a domain's vCPUs"},
		{"report = here.json", "expected an absolute path"},
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct environment e = source(HVM_IMAGE, "");
		char text[200];

		snprintf(text, sizeof(text), "# ours\n%s\n", lines[i].line);
		scratch_save("helper.conf", text, strlen(text));
		environment_add(&e, "GODWIT_HELPER_CONF", scratch("helper.conf"));
		assert_refused(&e, lines[i].says);
	}
	struct environment e = source(HVM_IMAGE, "");

	environment_add(&e, "GODWIT_TIMEOUT", "-1");
	assert_refused(&e, "the environment's GODWIT_TIMEOUT: timeout is \"-1\"");
	e = source(HVM_IMAGE, "");
	environment_add(&e, "GODWIT_HELPER_CONF", scratch("none.conf"));
	struct fake_libxl f;
	int io = mem_file();

	fake_save(&f, io, -1, "0", CB_SAVE, "0", environment_list(&e));
	fake_serve(&f, MSG_COMPLETE, 0);
	assert_int_equal(fake_u32(&f, 1), ENOENT);
	assert_int_equal(fake_end(&f), 0);
	close(io);
}

static json_t *line_of(const struct gw_buffer *report, unsigned n)
{
	const char *at = (const char *)report->data;
	const char *end = memchr(at, '\n', report->len);

	while (n--) {
		assert_non_null(end);
		at = end + 1;
		end = memchr(at, '\n', report->len - (size_t)(at - (const char *)report->data));
	}
	assert_non_null(end);
	return json_loadb(at, (size_t)(end - at), 0, NULL);
}

/* The file's settings count, the environment's replace them, and each operation adds its report. */
static void test_used(void **state)
{
	static const char conf[] =
		"report = /nowhere/at/all\n max-rounds=1 # one\n\nbandwidth = 1G";
	struct environment from = source(HVM_IMAGE, "&guest=3&rate=0");
	struct environment to = target(HVM_IMAGE, "");
	struct gw_buffer image, report;
	struct fake_libxl f;
	int io = mem_file();
	struct stat st;
	json_t *line;

	scratch_save("helper.conf", conf, sizeof(conf) - 1);
	environment_add(&from, "GODWIT_HELPER_CONF", scratch("helper.conf"));
	environment_add(&from, "GODWIT_REPORT", scratch("report"));
	environment_add(&to, "GODWIT_REPORT", scratch("report"));
	fake_save(&f, io, -1, "1", CB_SAVE, "0", environment_list(&from));
	assert_int_equal(fake_serve_all(&f), 0);
	assert_null(memmem(f.progress.data, f.progress.len, "Frames iteration 1\n", 19));
	assert_int_equal(fake_end(&f), 0);
	image = mem_contents(io);
	lseek(io, 0, SEEK_SET);
	fake_restore(&f, io, -1, CB_RESTORE, "0", environment_list(&to));
	assert_int_equal(fake_serve_all(&f), 0);
	assert_int_equal(fake_end(&f), 0);
	report = scratch_load("report");
	line = line_of(&report, 0);
	assert_string_equal(json_string_value(json_object_get(line, "operation")), "save");
	assert_int_equal(json_integer_value(json_object_get(line, "domid")), DOMID);
	assert_int_equal(json_integer_value(json_object_get(line, "rounds")), 2);
	assert_int_equal(json_integer_value(json_object_get(line, "bytes")), image.len);
	json_decref(line);
	line = line_of(&report, 1);
	assert_string_equal(json_string_value(json_object_get(line, "operation")), "restore");
	assert_int_equal(json_integer_value(json_object_get(line, "bytes")), image.len);
	json_decref(line);
	assert_int_equal(stat(scratch("report"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	gw_buffer_free(&report);
	gw_buffer_free(&image);
	close(io);
}

/* A guest that writes all the time, and a target that it cannot keep: the save ends. */
static void test_on_stall(void **state)
{
	struct environment from = source(HVM_IMAGE, "&guest=3&rate=0");
	struct fake_libxl f;
	int io = mem_file();

	environment_add(&from, "GODWIT_ON_STALL", "abort");
	environment_add(&from, "GODWIT_DOWNTIME", "1");
	fake_save(&f, io, -1, "1", CB_SAVE, "0", environment_list(&from));
	assert_int_not_equal(fake_serve_all(&f), 0);
	fake_log_has(&f, "the guest writes faster than its memory can be sent");
	fake_log_has(&f, "the domain was not suspended");
	assert_int_equal(fake_end(&f), 0);
	close(io);
}

/* A report that cannot be written fails nothing. */
static void test_report_fails(void **state)
{
	struct environment from = source(HVM_IMAGE, "");
	struct fake_libxl f;
	int io = mem_file();

	environment_add(&from, "GODWIT_REPORT", scratch("none/report"));
	fake_save(&f, io, -1, "0", CB_SAVE, "0", environment_list(&from));
	assert_int_equal(fake_serve_all(&f), 0);
	fake_log_has(&f, "7 -1 the report file ");
	assert_int_equal(fake_end(&f), 0);
	close(io);
}

/* godwit.conf retires old senders here, too. */
static void test_accept(void **state)
{
	static const char conf[] = "accept = v3\n";
	struct environment e = target("xen-code/v2_46_hvm_w64_1024.xz", "");
	struct gw_buffer image = image_in("xen-code/v2_46_hvm_w64_1024.xz");
	int io = mem_with(image.data, image.len);
	struct fake_libxl f;

	scratch_save("godwit.conf", conf, sizeof(conf) - 1);
	environment_add(&e, "GODWIT_CONF", scratch("godwit.conf"));
	fake_restore(&f, io, -1, CB_RESTORE, "0", environment_list(&e));
	fake_expect(&f, MSG_RESTORE_RESULTS);
	fake_serve(&f, MSG_COMPLETE, 0);
	assert_int_equal((int)fake_u32(&f, 0), -1);
	assert_int_equal(fake_u32(&f, 1), EPERM);
	fake_log_has(&f, "this host does not accept it (accept = v3 in ");
	assert_int_equal(fake_end(&f), 0);
	/* From the headers alone. */
	assert_int_equal(lseek(io, 0, SEEK_CUR), 40);
	close(io);
	gw_buffer_free(&image);
}

/* What no libxl passes: nothing is said on its pipe. */
static void test_arguments(void **state)
{
	static const char *const cases[][12] = {
		{NULL},
		{"--help-domain", NULL},
		{"--save-domain", "7", "8", "5", "0", "136", NULL},
		/* Xen 4.13 and older said whether it is HVM, too. */
		{"--save-domain", "7", "8", "5", "0", "1", "136", "0", NULL},
		{"--save-domain", "7", "8", "5", "0", "136", "3", NULL},
		{"--save-domain", "7", "8", "five", "0", "136", "0", NULL},
		{"--save-domain", "7", "8", "-5", "0", "136", "0", NULL},
		{"--save-domain", "7", "8", "4294967296", "0", "136", "0", NULL},
		{"--restore-domain", "7", "8", "5", "3", "0", "4", "0", "768", NULL},
		{"--restore-domain", "7", "8", "5", "3", "0", "4", "0", "768", "", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_libxl f;

		fake_start(&f, cases[i], NULL, NULL);
		assert_int_equal(fake_next_any(&f), MSG_END);
		assert_int_equal(fake_end(&f), 255);
	}
}

/* A descriptor that is not open, or cannot be written. */
static void test_descriptors(void **state)
{
	struct environment e = source(HVM_IMAGE, "");
	int readonly = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct fake_libxl f;

	fake_save(&f, 99, -1, "0", CB_SAVE, "0", environment_list(&e));
	fake_serve(&f, MSG_COMPLETE, 0);
	assert_int_equal(fake_u32(&f, 1), EBADF);
	assert_int_equal(fake_end(&f), 0);
	fake_save(&f, readonly, 99, "0", CB_SAVE, "0", environment_list(&e));
	assert_int_equal(fake_serve_all(&f), -1);
	fake_log_has(&f, "; the domain was not suspended");
	assert_int_equal(fake_end(&f), 0);
	close(readonly);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_invalid),	     cmocka_unit_test(test_used),
		cmocka_unit_test(test_report_fails), cmocka_unit_test(test_accept),
		cmocka_unit_test(test_arguments),    cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_on_stall),
	};

	return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
