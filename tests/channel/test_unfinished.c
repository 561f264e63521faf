/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests files that are not complete: what is left of them when their writer is killed, with and
 * without a file system that has files without names, and what the next writer removes.
 */
#include "tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static bool nameless_refused; /* as a file system does that has no files without names */

/* Instead of the C library's, for the library as well. */
static int refusing_openat(int dir, const char *path, int flags, mode_t mode)
{
	if ((flags & O_TMPFILE) == O_TMPFILE && nameless_refused) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_openat, dir, path, flags, mode);
}

int fake_openat(int dir, const char *path, int flags, ...) __asm__("openat64");
int fake_openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return refusing_openat(dir, path, flags, mode);
}

int fake_openat_2(int dir, const char *path, int flags) __asm__("__openat64_2");
int fake_openat_2(int dir, const char *path, int flags)
{
	return refusing_openat(dir, path, flags, 0);
}

static char *folder;

static int make(void **state)
{
	nameless_refused = *state != NULL;
	folder = make_folder();
	return 0;
}

static int clear(void **state)
{
	nameless_refused = false;
	remove_folder(folder);
	return 0;
}

static const char *in_folder(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* Names in the folder that begin with this. */
static int count(const char *prefix)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int n = 0;

	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	closedir(dir);
	return n;
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(in_folder(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void assert_holds(const char *name, const char *text)
{
	char buf[100] = "";
	FILE *file = fopen(in_folder(name), "r");

	assert_non_null(file);
	buf[fread(buf, 1, sizeof(buf) - 1, file)] = 0;
	fclose(file);
	assert_string_equal(buf, text);
}

static struct gw_channel *create(const char *name)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_create(in_folder(name), &err);

	if (!ch)
		fail_msg("%s", err.text);
	assert_ok(gw_channel_write(ch, "new", 3, &err), &err);
	return ch;
}

static void finish(struct gw_channel *ch)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_channel_finish(ch, &err), &err);
	gw_channel_close(ch);
}

/* A child that writes the file and is in the middle of that. */
static pid_t writer(const char *name)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		create(name);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void kill_writer(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int hidden(void)
{
	return nameless_refused ? 1 : 0;
}

static void closed_without_a_trace(void **state)
{
	struct gw_channel *ch = create("image");

	assert_int_equal(count(""), hidden());
	gw_channel_close(ch);
	assert_int_equal(count(""), 0);
	put("image", "old");
	gw_channel_close(create("image"));
	assert_int_equal(count(""), 1);
	assert_holds("image", "old");
}

static void killed(void **state)
{
	pid_t pid = writer("image");

	kill_writer(pid);
	assert_int_equal(count(""), hidden());
	finish(create("image"));
	assert_holds("image", "new");
	assert_int_equal(count(""), 1);

	/* The same where it would replace a file. */
	put("image", "old");
	kill_writer(writer("image"));
	assert_holds("image", "old");
	assert_int_equal(count(""), 1 + hidden());
	finish(create("image"));
	assert_holds("image", "new");
	assert_int_equal(count(""), 1);
}

/* What somebody still writes, and what is not ours, stays. */
static void others_files_stay(void **state)
{
	pid_t other = writer("image"), stale = writer("image-2");
	int before;

	kill_writer(stale);
	put(".image.godwit-0123456", "seven digits");
	put(".image.godwit-0123456x", "no digit");
	put(".imago.godwit-01234567", "another name");
	before = count(".");
	finish(create("image"));
	assert_int_equal(count("."), before);
	put(".image.godwit-01234567", "stale");
	finish(create("image"));
	assert_int_equal(count("."), before);
	finish(create("image-2"));
	assert_int_equal(count("."), before - hidden());
	kill_writer(other);
}

/* The file comes into being while ours is written. */
static void overtaken(void **state)
{
	struct gw_channel *ch = create("image");

	put("image", "old");
	finish(ch);
	assert_holds("image", "new");
	assert_int_equal(count(""), 1);
}

/* Without a name the place is the caller's until the end: a folder that is gone is an error. */
static void folder_is_gone(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	char dir[512];
	struct gw_channel *ch;

	snprintf(dir, sizeof(dir), "%s/sub", folder);
	assert_int_equal(mkdir(dir, 0700), 0);
	ch = create("sub/image");
	if (nameless_refused) {
		gw_channel_close(ch);
		return; /* the hidden file keeps the folder */
	}
	assert_int_equal(rmdir(dir), 0);
	assert_fails(gw_channel_finish(ch, &err), &err, GW_SYSTEM, "its name");
	gw_channel_close(ch);
}

/* Without a prestate, and with one: any pointer. */
#define BOTH(fn)                                                                                   \
	cmocka_unit_test_prestate_setup_teardown(fn, make, clear, NULL),                           \
		cmocka_unit_test_prestate_setup_teardown(fn, make, clear,                          \
							 (void *)&nameless_refused)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(closed_without_a_trace), BOTH(killed),
		BOTH(others_files_stay),      BOTH(overtaken),
		BOTH(folder_is_gone),
	};

	return cmocka_run_group_tests_name("unfinished", tests, NULL, NULL);
}
