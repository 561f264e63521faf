/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the runtime folder: the lock of a name, files of a dead process, and whose folder is
 * trusted.
 */
#include "lib/gwtest.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/xl/config.h"
#include "vmm/logs.h"
#include "vmm/receivers.h"
#include "vmm/restored.h"
#include "vmm/runtime.h"

static char dir[400];

static int fresh(void **state)
{
	/* Longer than the address of a socket may be. */
	snprintf(dir, sizeof(dir), "%s/godwit-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	strcat(dir, "/a-rather-long-name-for-a-folder-so-that-it-is-longer-than-108-bytes-");
	strcat(dir, "which-is-all-that-a-unix-socket-address-has-room-for");
	setenv("GODWIT_RUNTIME_DIR", dir, 1);
	return 0;
}

static int tear_down(void **state)
{
	char command[500];

	*strrchr(dir, '/') = '\0';
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static int truncate_file(const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return truncate(path, 3);
}

static bool exists(const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void test_claim(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_runtime rt;
	struct gw_claim a = GW_CLAIM_NONE, b = GW_CLAIM_NONE;
	struct stat st;
	char **names;
	size_t n;
	int fd;

	assert_ok(gw_runtime_open(&rt, &err), &err);
	assert_int_equal(fstat(rt.fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_ok(gw_claim_take(&a, &rt, "g1", &err), &err);
	assert_fails(gw_claim_take(&b, &rt, "g1", &err), &err, GW_BUSY, "g1");
	assert_ok(gw_claim_take(&b, &rt, "a2", &err), &err);
	assert_int_equal(fstatat(rt.fd, "g1.sock", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_ok(gw_runtime_list(&rt, &names, &n, &err), &err);
	assert_int_equal(n, 2);
	assert_string_equal(names[0], "a2");
	assert_string_equal(names[1], "g1");
	gw_runtime_free_list(names, n);
	fd = gw_runtime_connect(&rt, "g1", &err);
	assert_ok(fd, &err);
	close(fd);
	gw_claim_release(&a, &rt);
	assert_false(exists("g1.sock"));
	assert_false(exists("g1.lock"));
	assert_fails(gw_runtime_connect(&rt, "g1", &err), &err, GW_REFUSED, "g1");
	assert_ok(gw_claim_take(&a, &rt, "g1", &err), &err);
	gw_claim_release(&a, &rt);
	gw_claim_release(&b, &rt);
	gw_runtime_close(&rt);
}

/* A process that was killed: its files exist, its lock does not. */
static void test_dead(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_runtime rt;
	struct gw_claim claim = GW_CLAIM_NONE;
	int ready[2];
	char **names, byte;
	size_t n;
	pid_t pid;

	assert_ok(gw_runtime_open(&rt, &err), &err);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (gw_claim_take(&claim, &rt, "dead", &err) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_ok(gw_runtime_list(&rt, &names, &n, &err), &err);
	assert_int_equal(n, 1);
	gw_runtime_free_list(names, n);
	assert_fails(gw_claim_take(&claim, &rt, "dead", &err), &err, GW_BUSY, "dead");

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(exists("dead.sock"));
	assert_ok(gw_runtime_list(&rt, &names, &n, &err), &err);
	assert_int_equal(n, 0);
	gw_runtime_free_list(names, n);
	assert_false(exists("dead.sock"));
	assert_false(exists("dead.lock"));
	assert_ok(gw_claim_take(&claim, &rt, "dead", &err), &err);
	gw_claim_release(&claim, &rt);
	close(ready[0]);
	close(ready[1]);
	gw_runtime_close(&rt);
}

static void test_names(void **state)
{
	static const char *const bad[] = {"",	  ".",	 "..",	 ".x",	     "-x",    "a/b",
					  "../x", "a b", "a\nb", "\xc3\xa9", "a;rm x"};
	struct gw_error err = GW_ERROR_INIT;
	char longest[66];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(gw_name_check(bad[i], &err), &err, GW_USAGE, "cannot be");
	assert_true(gw_name_is_valid("g1--incoming"));
	memset(longest, 'n', 64);
	longest[64] = '\0';
	assert_false(gw_name_is_valid(longest));
	longest[63] = '\0';
	assert_true(gw_name_is_valid(longest));
}

static void test_untrusted_folder(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_runtime rt;

	assert_ok(gw_runtime_open(&rt, &err), &err);
	gw_runtime_close(&rt);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_fails(gw_runtime_open(&rt, &err), &err, GW_REFUSED, "755");
	assert_int_equal(chmod(dir, 0700), 0);
}

static void path_in(char path[600], const char *name)
{
	snprintf(path, 600, "%s/%s", dir, name);
}

static int open_at(const char *path, struct gw_error *err)
{
	struct gw_runtime rt;
	int rc;

	setenv("GODWIT_RUNTIME_DIR", path, 1);
	rc = gw_runtime_open(&rt, err);
	gw_runtime_close(&rt);
	setenv("GODWIT_RUNTIME_DIR", dir, 1);
	return rc;
}

/* Who could lead the path to another folder. */
static void test_path(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	char shared[600], other[600], link[620], below[620];

	assert_ok(open_at(dir, &err), &err);
	path_in(shared, "shared");
	path_in(other, "other");
	assert_int_equal(mkdir(shared, 0700), 0);
	assert_int_equal(mkdir(other, 0700), 0);
	snprintf(link, sizeof(link), "%s/link", shared);
	snprintf(below, sizeof(below), "%s/new///", shared);
	/* A link of one's own, and a slash too many. */
	assert_int_equal(symlink(other, link), 0);
	assert_ok(open_at(link, &err), &err);
	assert_ok(open_at(below, &err), &err);
	/* Sticky: others can add files, but not replace mine. */
	assert_int_equal(chmod(shared, 01777), 0);
	assert_ok(open_at(link, &err), &err);
	assert_ok(open_at(below, &err), &err);
	assert_int_equal(chmod(shared, 0777), 0);
	assert_fails(open_at(below, &err), &err, GW_REFUSED,
		     "users other than you and root can replace files in /");
	assert_fails(open_at(link, &err), &err, GW_REFUSED, "users other than you and root");
	assert_int_equal(chmod(shared, 01777), 0);
	if (geteuid() != 0) {
		print_message("only root can make the files of another user\n");
		skip();
	}
	assert_int_equal(lchown(link, 12345, 12345), 0);
	assert_fails(open_at(link, &err), &err, GW_SYSTEM,
		     "refused: a symbolic link of user 12345");
	assert_int_equal(chmod(shared, 0775), 0);
	assert_int_equal(chown(shared, 0, 12345), 0);
	assert_fails(open_at(below, &err), &err, GW_REFUSED, "users other than you and root");
	assert_int_equal(chmod(shared, 0755), 0);
	assert_ok(open_at(below, &err), &err);
	assert_int_equal(chown(shared, 12345, 0), 0);
	assert_fails(open_at(below, &err), &err, GW_REFUSED, "users other than you and root");
	assert_int_equal(chown(shared, 0, 0), 0);
	assert_int_equal(chown(other, 12345, 0), 0);
	assert_fails(open_at(other, &err), &err, GW_REFUSED, "belongs to user 12345");
}

/* A name whose socket another user listens at is not talked to. */
static void test_server(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_claim claim;
	struct gw_runtime rt;
	int fd;

	assert_ok(gw_runtime_open(&rt, &err), &err);
	assert_ok(gw_claim_take(&claim, &rt, "own", &err), &err);
	fd = gw_runtime_connect(&rt, "own", &err);
	assert_ok(fd, &err);
	close(fd);
	if (geteuid() == 0) {
		/* The credentials of a server are those of its listen(). */
		assert_int_equal(seteuid(12345), 0);
		assert_int_equal(listen(claim.listen_fd, 4), 0);
		assert_int_equal(seteuid(0), 0);
		assert_fails(gw_runtime_connect(&rt, "own", &err), &err, GW_SYSTEM,
			     "is held by a process of user 12345, neither yours nor root's");
	}
	gw_claim_release(&claim, &rt);
	gw_runtime_close(&rt);
}

/* What is no regular file in the folder makes nothing wait. */
static void test_fifos(void **state)
{
	static const char *const files[] = {"g.lock", "receive.log", "12.receiver", "g.log"};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_receiver *receivers;
	struct gw_runtime rt;
	struct gw_claim claim;
	char path[600], **names;
	size_t n;

	assert_ok(gw_runtime_open(&rt, &err), &err);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		path_in(path, files[i]);
		assert_int_equal(mkfifo(path, 0600), 0);
	}
	assert_fails(gw_claim_take(&claim, &rt, "g", &err), &err, GW_SYSTEM,
		     "g.lock is a FIFO, not a regular file");
	assert_fails(gw_log_open_receivers(&rt, &err), &err, GW_SYSTEM,
		     "receive.log is not a regular file");
	assert_ok(gw_runtime_list(&rt, &names, &n, &err), &err);
	assert_int_equal(n, 0);
	gw_runtime_free_list(names, n);
	assert_ok(gw_receivers_list(&rt, &receivers, &n, &err), &err);
	assert_int_equal(n, 0);
	free(receivers);
	/* A domain's log is a new file each time. */
	int fd = gw_log_open_domain(&rt, "g", &err);
	assert_ok(fd, &err);
	close(fd);
	gw_runtime_close(&rt);
}

/* Names that the folder's own files have. */
static void test_reserved(void **state)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_fails(gw_name_check_given("receive", &err), &err, GW_USAGE, "receivers");
	assert_fails(gw_name_check_given("x--incoming", &err), &err, GW_USAGE, "beside its source");
	assert_fails(gw_name_check_given("a b", &err), &err, GW_USAGE, "cannot be");
	assert_ok(gw_name_check_given("receiver", &err), &err);
	assert_ok(gw_name_check_given("restored", &err), &err);
	assert_ok(gw_name_check_given("7.receiver", &err), &err);
	assert_ok(gw_name_check_given("x--incoming2", &err), &err);
}

/* An image is remembered with the uuid of its first restore. */
static void test_restored(void **state)
{
	const uint8_t one[16] = {1}, two[16] = {2}, none[16] = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_runtime rt;
	uint8_t before[16];
	bool again;

	assert_ok(gw_runtime_open(&rt, &err), &err);
	assert_ok(gw_restored_note(&rt, 0xabc, one, &again, before, &err), &err);
	assert_false(again);
	assert_ok(gw_restored_note(&rt, 0xabd, two, &again, before, &err), &err);
	assert_false(again);
	assert_ok(gw_restored_note(&rt, 0xabc, two, &again, before, &err), &err);
	assert_true(again);
	assert_memory_equal(before, one, 16);
	/* Contents that no godwit wrote. */
	assert_int_equal(truncate_file("restored/0000000000000abc"), 0);
	assert_ok(gw_restored_note(&rt, 0xabc, two, &again, before, &err), &err);
	assert_true(again);
	assert_memory_equal(before, none, 16);
	/* It does not count as a domain. */
	char **names;
	size_t n;
	assert_ok(gw_runtime_list(&rt, &names, &n, &err), &err);
	assert_int_equal(n, 0);
	gw_runtime_free_list(names, n);
	gw_runtime_close(&rt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_restored, fresh, tear_down),
		cmocka_unit_test_setup_teardown(test_claim, fresh, tear_down),
		cmocka_unit_test_setup_teardown(test_dead, fresh, tear_down),
		cmocka_unit_test_setup_teardown(test_untrusted_folder, fresh, tear_down),
		cmocka_unit_test_setup_teardown(test_path, fresh, tear_down),
		cmocka_unit_test_setup_teardown(test_server, fresh, tear_down),
		cmocka_unit_test_setup_teardown(test_fifos, fresh, tear_down),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
