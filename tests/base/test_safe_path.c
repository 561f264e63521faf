/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the walk over paths: where it ends, and what it refuses in folders that others can write
 * to. Only root can make the files of another user; without it those tests are skipped.
 */
#include "lib/gwtest.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/safe_path.h"
#include "base/settings.h"

#define OTHER 12345

static char folder[] = "/tmp/godwit-path.XXXXXX";

static int set_up(void **state)
{
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int open_for(const char *path, int flags, enum gw_safe_use use, struct gw_error *err)
{
	return gw_safe_open(path, flags | O_NONBLOCK, 0600, use, err);
}

static void opens(const char *path, const char *contents)
{
	struct gw_error err = GW_ERROR_INIT;
	char text[20] = "";
	int fd = open_for(path, O_RDONLY, GW_SAFE_DATA, &err);

	assert_ok(fd, &err);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	assert_string_equal(text, contents);
	close(fd);
}

static void refuses(const char *path, int flags, enum gw_safe_use use, const char *why)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_fails(open_for(path, flags, use, &err), &err, GW_SYSTEM, why);
}

/* The same file as open() finds, however the path is written. */
static void as_the_kernel(void **state)
{
	char text[40];
	int fd;

	assert_int_equal(mkdir("a", 0700), 0);
	assert_int_equal(mkdir("a/b", 0700), 0);
	put("a/b/file", "deep");
	put("top", "top");
	assert_int_equal(symlink("a/b", "down"), 0);
	assert_int_equal(symlink("../../top", "a/b/up"), 0);
	assert_int_equal(symlink("down/up", "both"), 0);
	opens("a/b/file", "deep");
	opens(".//a/./b/../b///file", "deep");
	opens("down/file", "deep");
	opens("down/../b/file", "deep");
	opens("both", "top");
	/* Links of /proc to what is open. */
	fd = open("top", O_RDONLY);
	snprintf(text, sizeof(text), "/proc/self/fd/%d", fd);
	assert_int_equal(rename("top", "renamed"), 0);
	opens(text, "top");
	assert_int_equal(unlink("renamed"), 0);
	opens(text, "top");
	close(fd);
	opens("/proc/self/cwd/a/b/file", "deep");
	opens("/dev/null", "");
	refuses("both", O_RDONLY, GW_SAFE_DATA, "both: No such file");
	refuses("", O_RDONLY, GW_SAFE_DATA, "No such file");
	refuses("a/none/file", O_RDONLY, GW_SAFE_DATA, "No such file");
	refuses("a/b/file/", O_RDONLY, GW_SAFE_DATA, "Not a directory");
	refuses("a/b/file/x", O_RDONLY, GW_SAFE_DATA, "Not a directory");
	assert_int_equal(symlink("loop", "loop"), 0);
	refuses("loop", O_RDONLY, GW_SAFE_DATA, "Too many levels");
}

/* O_CREAT creates through a link that leads nowhere, and opens what exists. */
static void creates(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	int fd = open_for("both", O_WRONLY | O_CREAT, GW_SAFE_PRIVATE, &err);

	assert_ok(fd, &err);
	close(fd);
	put("top", "filled");
	opens("both", "filled");
	fd = open_for("both", O_WRONLY | O_CREAT, GW_SAFE_PRIVATE, &err);
	assert_ok(fd, &err);
	close(fd);
	opens("both", "filled");
}

/* The file that was judged is the file that is opened. */
static void no_other(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_safe_path at;

	put("judged", "1");
	assert_ok(gw_safe_path_walk(&at, "judged", GW_SAFE_FOLLOW, &err), &err);
	put("swapped", "2");
	assert_int_equal(rename("swapped", "judged"), 0);
	assert_fails(gw_safe_path_open(&at, "judged", O_RDONLY, 0, &err), &err, GW_SYSTEM,
		     "another file has taken its place");
	assert_int_equal(unlink("judged"), 0);
	assert_int_equal(symlink("top", "judged"), 0);
	assert_fails(gw_safe_path_open(&at, "judged", O_RDONLY, 0, &err), &err, GW_SYSTEM,
		     "Too many levels");
	gw_safe_path_close(&at);
	/* A name that was free is not taken from another. */
	assert_ok(gw_safe_path_walk(&at, "free", GW_SAFE_FOLLOW, &err), &err);
	assert_false(at.exists);
	put("free", "3");
	assert_fails(gw_safe_path_open(&at, "free", O_WRONLY | O_CREAT, 0600, &err), &err,
		     GW_SYSTEM, "File exists");
	gw_safe_path_close(&at);
}

static void give(const char *path)
{
	assert_int_equal(lchown(path, OTHER, (gid_t)-1), 0);
}

static void a_socket(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(sun.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
}

/* What the other user may have put into a folder of this mode; shared: they may decide nothing. */
static void planted(mode_t mode, uid_t owner, bool shared)
{
	struct gw_error err = GW_ERROR_INIT;
	int fd;

	assert_int_equal(mkdir("s", 0700), 0);
	assert_int_equal(chmod("s", mode), 0);
	put("own", "own");
	assert_int_equal(symlink("../own", "s/link"), 0);
	opens("s/link", "own");
	give("s/link");
	assert_int_equal(mkfifo("s/fifo", 0666), 0);
	fd = open_for("s/fifo", O_RDONLY, GW_SAFE_DATA, &err);
	assert_ok(fd, &err);
	close(fd);
	give("s/fifo");
	put("s/file", "file");
	assert_int_equal(link("s/file", "s/second"), 0);
	put("s/root", "root");
	assert_int_equal(link("s/root", "s/roots"), 0);
	opens("s/roots", "root");
	give("s/file");
	a_socket("s/socket");
	give("s/socket");
	assert_int_equal(chown("s", owner, (gid_t)-1), 0);
	if (shared) {
		refuses("s/link", O_RDONLY, GW_SAFE_DATA,
			"s/link: refused: a symbolic link of user 12345 lies in /tmp/godwit-path.");
		refuses("s/link/x", O_RDONLY, GW_SAFE_DATA, "a symbolic link of user 12345");
		refuses("s/fifo", O_RDONLY, GW_SAFE_DATA, "a FIFO of user 12345");
		refuses("s/fifo", O_WRONLY, GW_SAFE_DATA, "a FIFO of user 12345");
		refuses("s/socket", O_RDONLY, GW_SAFE_DATA, "a socket of user 12345");
		refuses("s/second", O_RDONLY, GW_SAFE_DATA,
			"several names (hard links) of user 12345");
		refuses("s/root", O_WRONLY, GW_SAFE_PRIVATE,
			"several names (hard links) of user 0");
		assert_int_equal(unlink("s/second"), 0);
		refuses("s/file", O_WRONLY, GW_SAFE_PRIVATE, "a file of user 12345");
	}
	opens("s/file", "file");
	if (!shared) {
		opens("s/link", "own");
		opens("s/second", "file");
		refuses("s/socket", O_RDONLY, GW_SAFE_DATA, "No such device");
	}
	assert_int_equal(system("rm -rf s own"), 0);
}

static void of_others(void **state)
{
	if (geteuid() != 0) {
		print_message("only root can make the files of another user\n");
		skip();
	}
	planted(01777, 0, true);
	planted(0777, 0, true);
	planted(01775, 0, true);
	planted(01777, OTHER, true);
	planted(0755, 0, false);
	planted(0755, OTHER, false);
	planted(01700, OTHER, false);
}

/* A folder of the other user in a shared one is as the shared one. */
static void below(void **state)
{
	if (geteuid() != 0) {
		print_message("only root can make the files of another user\n");
		skip();
	}
	assert_int_equal(mkdir("s", 0700), 0);
	assert_int_equal(chmod("s", 01777), 0);
	assert_int_equal(mkdir("s/theirs", 0755), 0);
	assert_int_equal(mkdir("s/theirs/mine", 0755), 0);
	assert_int_equal(mkdir("s/mine", 0755), 0);
	assert_int_equal(symlink("/etc/passwd", "s/theirs/mine/x"), 0);
	assert_int_equal(symlink("/etc/passwd", "s/mine/x"), 0);
	give("s/theirs");
	give("s/theirs/mine/x");
	give("s/mine/x");
	refuses("s/theirs/mine/x", O_RDONLY, GW_SAFE_DATA, "a symbolic link of user 12345");
	refuses("s/theirs/../theirs/mine/x", O_RDONLY, GW_SAFE_DATA, "a symbolic link");
	close(open_for("s/mine/x", O_RDONLY, GW_SAFE_DATA, NULL));
}

static int count_settings(void *opaque, const char *key, const char *value, const char *path,
			  struct gw_error *err)
{
	++*(unsigned *)opaque;
	return 0;
}

static int read_settings(const char *path, unsigned *n, struct gw_error *err)
{
	*n = 0;
	setenv("GODWIT_TEST_CONF", path, 1);
	return gw_settings_read("GODWIT_TEST_CONF", "/none", count_settings, n, err);
}

/* Files of settings are regular and not long. */
static void settings(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	unsigned n;
	FILE *file;

	put("conf", "# none\na = b\n\nc=d # e");
	assert_ok(read_settings("conf", &n, &err), &err);
	assert_int_equal(n, 2);
	assert_ok(read_settings("/dev/null", &n, &err), &err);
	assert_int_equal(n, 0);
	assert_ok(read_settings("", &n, &err), &err);
	assert_fails(read_settings("no/conf", &n, &err), &err, GW_SYSTEM, "No such file");
	assert_int_equal(mkfifo("wait", 0600), 0);
	assert_fails(read_settings("wait", &n, &err), &err, GW_SYSTEM,
		     "wait is a FIFO, not a regular file");
	assert_fails(read_settings("/dev/zero", &n, &err), &err, GW_SYSTEM,
		     "/dev/zero is a device, not a regular file");
	assert_fails(read_settings("/tmp", &n, &err), &err, GW_SYSTEM, "a folder, not a regular");
	file = fopen("long", "w");
	for (unsigned i = 0; i < 6553; i++)
		fputs("aaaa = bbb\n" + (i == 0), file); /* 10 characters, then 11 each */
	fclose(file);
	assert_fails(read_settings("long", &n, &err), &err, GW_USAGE,
		     "long, line 5958: the file has more than 65536 bytes");
}

/* Of an open folder nothing but regular files. */
static void regular(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	int dir = open(".", O_PATH | O_DIRECTORY);
	int fd = gw_safe_open_regular(dir, "conf", "conf", O_RDONLY, 0, &err);

	assert_ok(fd, &err);
	close(fd);
	assert_fails(gw_safe_open_regular(dir, "wait", "P/wait", O_RDONLY, 0, &err), &err,
		     GW_SYSTEM, "P/wait is a FIFO, not a regular file");
	assert_fails(gw_safe_open_regular(dir, "wait", "P/wait", O_WRONLY, 0, &err), &err,
		     GW_SYSTEM, "P/wait is not a regular file");
	assert_fails(gw_safe_open_regular(dir, "both", "P/both", O_RDONLY, 0, &err), &err,
		     GW_SYSTEM, "Too many levels");
	close(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_kernel), cmocka_unit_test(creates),
		cmocka_unit_test(no_other),	 cmocka_unit_test(of_others),
		cmocka_unit_test(below),	 cmocka_unit_test(settings),
		cmocka_unit_test(regular),
	};

	return cmocka_run_group_tests_name("safe path", tests, set_up, tear_down);
}
