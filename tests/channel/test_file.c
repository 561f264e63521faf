/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests files by path: an unfinished file never replaces a complete one, and an error names the
 * file that cannot be opened or written.
 */
#include "tools.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "channel/offset_io.h"
#include "lib/random.h"

static char *folder;

static int make(void **state)
{
	folder = make_folder();
	return 0;
}

static int clear(void **state)
{
	remove_folder(folder);
	return 0;
}

static const char *in_folder(const char *name)
{
	static char paths[4][512];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
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

/* Counts the names in the folder, temporary ones included. */
static int count_files(void)
{
	DIR *dir = opendir(folder);
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static struct gw_channel *create(const char *name, const char *text)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_create(in_folder(name), &err);

	if (!ch)
		fail_msg("%s", err.text);
	assert_ok(gw_channel_write(ch, text, strlen(text), &err), &err);
	return ch;
}

static void fails_to_create(const char *path, enum gw_code code, const char *part)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_null(gw_channel_create(path, &err));
	assert_fails(-1, &err, code, part);
	assert_null(gw_channel_create(path, NULL));
}

static void appears_when_finished(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	mode_t old = umask(0);
	struct gw_channel *ch = create("image", "new");
	struct stat st;
	char byte;

	assert_int_equal(access(in_folder("image"), F_OK), -1);
	assert_fails(gw_channel_read(ch, &byte, 1, &err), &err, GW_USAGE, "created for writing");
	assert_ok(gw_channel_finish(ch, &err), &err);
	assert_holds("image", "new");
	assert_int_equal(stat(in_folder("image"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	gw_channel_close(ch);
	assert_holds("image", "new");
	assert_int_equal(count_files(), 1);

	umask(0777);
	ch = create("narrow", "new");
	assert_ok(gw_channel_finish(ch, &err), &err);
	gw_channel_close(ch);
	umask(old);
	assert_int_equal(stat(in_folder("narrow"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void replaces_only_when_finished(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch;

	put("image", "old");
	ch = create("image", "new");
	assert_holds("image", "old");
	assert_int_equal(count_files(), 1);
	gw_channel_close(ch);
	assert_holds("image", "old");
	assert_int_equal(count_files(), 1);

	ch = create("image", "new");
	assert_ok(gw_channel_finish(ch, &err), &err);
	assert_holds("image", "new");
	gw_channel_close(ch);
	assert_int_equal(count_files(), 1);
}

static void relative_paths_survive_a_chdir(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	char before[512];
	struct gw_channel *ch;

	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(folder), 0);
	ch = gw_channel_create("image", &err);
	assert_non_null(ch);
	assert_int_equal(chdir("/"), 0);
	assert_ok(gw_channel_write(ch, "new", 3, &err), &err);
	assert_ok(gw_channel_finish(ch, &err), &err);
	gw_channel_close(ch);
	assert_int_equal(chdir(before), 0);
	assert_holds("image", "new");
	assert_int_equal(count_files(), 1);
}

static void links_stay_links(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch;
	struct stat st;

	put("real", "old");
	assert_int_equal(symlink("real", in_folder("link")), 0);
	ch = create("link", "new");
	assert_ok(gw_channel_finish(ch, &err), &err);
	gw_channel_close(ch);
	assert_holds("real", "new");
	assert_int_equal(lstat(in_folder("link"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void longest_name(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	char name[256];
	struct gw_channel *ch;

	memset(name, 'n', 255);
	name[255] = 0;
	ch = create(name, "new");
	assert_ok(gw_channel_finish(ch, &err), &err);
	gw_channel_close(ch);
	assert_holds(name, "new");
}

/* A device or a FIFO is written in place and is not replaced by a file. */
static void devices_and_fifos(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_create("/dev/null", &err), *from;
	struct stat st;

	assert_non_null(ch);
	assert_ok(gw_channel_write(ch, "x", 1, &err), &err);
	assert_ok(gw_channel_finish(ch, &err), &err);
	gw_channel_close(ch);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));

	ch = gw_channel_create("/dev/full", &err);
	assert_non_null(ch);
	assert_fails(gw_channel_write(ch, "x", 1, &err), &err, GW_SYSTEM,
		     "writing /dev/full at byte 0: No space left on device");
	gw_channel_close(ch);

	assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
	from = gw_channel_open(in_folder("fifo"), &err);
	ch = gw_channel_create(in_folder("fifo"), &err);
	assert_non_null(from);
	assert_non_null(ch);
	transfer(from, ch, 1 << 20, 5000, true);
	gw_channel_close(from);
	gw_channel_close(ch);
	assert_int_equal(stat(in_folder("fifo"), &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(count_files(), 1);
}

static void *finish_empty(void *opaque)
{
	struct half *h = opaque;

	h->failed = gw_channel_finish(h->ch, &h->err) != 0;
	return NULL;
}

/* Its reader sees the end even if nothing was written. */
static void empty_fifo(void **state)
{
	struct half h = {.err = GW_ERROR_INIT};
	struct gw_error err = GW_ERROR_INIT;
	pthread_t thread;
	char byte;

	assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
	h.ch = gw_channel_create(in_folder("fifo"), &err);
	pthread_create(&thread, NULL, finish_empty, &h);
	struct gw_channel *from = gw_channel_open(in_folder("fifo"), &err);
	assert_int_equal(gw_channel_read(from, &byte, 1, &err), 0);
	pthread_join(thread, NULL);
	assert_false(h.failed);
	gw_channel_close(from);
	gw_channel_close(h.ch);
}

static void random_bytes(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct half w = {create("image", ""), 3 << 20, random_seed(), 30000, true, false,
			 GW_ERROR_INIT};

	write_half(&w);
	if (w.failed)
		fail_msg("%s", w.err.text);
	gw_channel_close(w.ch);

	/* Reads between skips that are small enough for read-ahead. */
	for (size_t largest = 30; largest <= 30000; largest *= 10) {
		struct half r = {gw_channel_open(in_folder("image"), &err),
				 3 << 20,
				 random_seed(),
				 largest,
				 false,
				 false,
				 GW_ERROR_INIT};

		assert_non_null(r.ch);
		assert_true(r.ch->seekable);
		assert_int_equal(r.ch->size, 3 << 20);
		read_half(&r);
		gw_channel_close(r.ch);
	}
}

/* Read calls of this thread and the bytes they returned; -1 where the system does not count
 * them. */
static int count_reads(uint64_t *calls, uint64_t *bytes)
{
	FILE *file = fopen("/proc/thread-self/io", "r");
	char line[100];
	int found = 0;

	while (file && fgets(line, sizeof(line), file)) {
		found += sscanf(line, "rchar: %" SCNu64, bytes);
		found += sscanf(line, "syscr: %" SCNu64, calls);
	}
	if (file)
		fclose(file);
	return found == 2 ? 0 : -1;
}

/* Skips through records of 1024 pages each, as a reader of an image does: one call for each
 * record. */
static void reads_little(void **state)
{
	enum { RECORDS = 50, HEAD = 16, ENTRIES = 8192, PAGES = 4 << 20 };
	const uint64_t size = (uint64_t)RECORDS * (HEAD + ENTRIES + PAGES);
	uint64_t calls[2], bytes[2];
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch;
	uint8_t buf[ENTRIES];

	put("image", "");
	if (truncate(in_folder("image"), (off_t)size) != 0 || count_reads(&calls[0], &bytes[0]) < 0)
		skip();
	ch = gw_channel_open(in_folder("image"), &err);
	assert_int_equal(count_reads(&calls[0], &bytes[0]), 0);
	for (int i = 0; i < RECORDS; i++) {
		assert_int_equal(gw_channel_read(ch, buf, 8, &err), 1);
		assert_int_equal(gw_channel_read(ch, buf, HEAD - 8, &err), 1);
		assert_int_equal(gw_channel_read(ch, buf, ENTRIES, &err), 1);
		assert_int_equal(gw_channel_skip(ch, PAGES, &err), 1);
	}
	assert_int_equal(count_reads(&calls[1], &bytes[1]), 0);
	assert_int_equal(ch->read_pos, size);
	/* A few calls more: those for the first record, before any skip, and those that read the
	 * counters. */
	assert_in_range(calls[1] - calls[0], RECORDS, RECORDS + 6);
	assert_in_range(bytes[1] - bytes[0], RECORDS * (HEAD + ENTRIES),
			RECORDS * (HEAD + ENTRIES) + 4096);
	assert_int_equal(gw_channel_read(ch, buf, 1, &err), 0);
	/* Only the channel's own position moved. */
	assert_int_equal(lseek(ch->fd, 0, SEEK_CUR), 0);
	gw_channel_close(ch);
}

/* Bytes that are appended later are read as well. */
static void a_file_that_grows(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch;
	char buf[4];
	FILE *file;

	put("file", "12345678");
	ch = gw_channel_open(in_folder("file"), &err);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(gw_channel_read(ch, buf, 2, &err), 1);
		assert_int_equal(gw_channel_skip(ch, 2, &err), 1);
	}
	assert_int_equal(gw_channel_read(ch, buf, 1, &err), 0);
	file = fopen(in_folder("file"), "a");
	fputs("9abcdef", file);
	fclose(file);
	assert_int_equal(gw_channel_read(ch, buf, 1, &err), 1);
	assert_memory_equal(buf, "9", 1);
	assert_int_equal(gw_channel_skip(ch, 3, &err), 1);
	assert_int_equal(gw_channel_read(ch, buf, 3, &err), 1);
	assert_memory_equal(buf, "def", 3);
	assert_int_equal(gw_channel_skip(ch, 1, &err), 0);
	gw_channel_close(ch);
}

/* Reads at an offset, counted from where the channel began, without moving the channel; also from
 * the middle of a file. */
static void reads_at_a_place(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_cancel *cancel = gw_cancel_new(&err);
	struct gw_channel *ch;
	char buf[4];
	int fd;

	put("file", "0123456789");
	ch = gw_channel_open(in_folder("file"), &err);
	assert_int_equal(gw_channel_read(ch, buf, 4, &err), 1);
	gw_channel_unread(ch, buf, 4);
	assert_ok(gw_channel_pread(ch, 6, buf, 4, &err), &err);
	assert_memory_equal(buf, "6789", 4);
	assert_int_equal(gw_channel_read(ch, buf, 2, &err), 1);
	assert_memory_equal(buf, "01", 2);
	assert_fails(gw_channel_pread(ch, 8, buf, 4, &err), &err, GW_SYSTEM,
		     "/file ends at offset 0xa now");
	gw_channel_set_cancel(ch, cancel);
	gw_cancel_set(cancel);
	assert_fails(gw_channel_pread(ch, 6, buf, 4, &err), &err, GW_CANCELLED, "cancelled");
	gw_channel_close(ch);

	fd = open(in_folder("file"), O_RDONLY);
	assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
	ch = gw_channel_from_fd(fd, true, "inherited", &err);
	assert_int_equal(ch->start, 3);
	assert_int_equal(gw_channel_read(ch, buf, 2, &err), 1);
	assert_ok(gw_channel_pread(ch, 1, buf, 4, &err), &err);
	assert_memory_equal(buf, "4567", 4);
	assert_int_equal(gw_channel_read(ch, buf, 2, &err), 1);
	assert_memory_equal(buf, "56", 2);
	gw_channel_close(ch);
	gw_cancel_free(cancel);
}

static void what_fails(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch;
	char byte;

	assert_null(gw_channel_open(in_folder("none"), &err));
	assert_fails(-1, &err, GW_SYSTEM, "/none: No such file or directory");
	assert_null(gw_channel_open(folder, &err));
	assert_fails(-1, &err, GW_SYSTEM, "Is a directory");
	fails_to_create(in_folder("none/image"), GW_SYSTEM, "/none/image: No such file or dir");
	fails_to_create(folder, GW_SYSTEM, "Is a directory");
	fails_to_create(in_folder("new/"), GW_USAGE, "names no file");
	fails_to_create("", GW_USAGE, "names no file");
	put("file", "");
	fails_to_create(in_folder("file/image"), GW_SYSTEM, "Not a directory");

	/* The channel ends where the file ends now, not where it ended when it was opened. */
	put("file", "1234");
	ch = gw_channel_open(in_folder("file"), &err);
	assert_int_equal(truncate(in_folder("file"), 2), 0);
	assert_fails(gw_channel_skip(ch, 4, &err), &err, GW_TRUNCATED, "/file ends at byte 2");
	assert_int_equal(gw_channel_read(ch, &byte, 1, &err), 0);
	gw_channel_close(ch);

	/* A folder of that name makes the rename fail. */
	ch = create("late", "new");
	assert_int_equal(mkdir(in_folder("late"), 0700), 0);
	assert_fails(gw_channel_finish(ch, &err), &err, GW_SYSTEM, "giving");
	gw_channel_close(ch);
	assert_int_equal(count_files(), 2);
}

/* A file grows beyond the process's limit: the failed write leaves no file. */
static void no_more_room(void **state)
{
	struct rlimit old, less = {.rlim_cur = 1000000, .rlim_max = RLIM_INFINITY};
	struct gw_error err = GW_ERROR_INIT;
	char *much = calloc(1, 2 << 20);
	struct gw_channel *ch;

	put("image", "old");
	ch = create("image", "");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	less.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
	int rc = gw_channel_write(ch, much, 2 << 20, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_fails(rc, &err, GW_SYSTEM, "at byte 1000000: File too large");
	gw_channel_close(ch);
	assert_holds("image", "old");
	assert_int_equal(count_files(), 1);
	free(much);
}

/* Without permission: root becomes another user for this test. */
static void no_right(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	bool root = geteuid() == 0;

	put("theirs", "old");
	assert_int_equal(chmod(in_folder("theirs"), 0400), 0);
	assert_int_equal(mkdir(in_folder("closed"), 0500), 0);
	put("open", "old");
	assert_int_equal(chmod(in_folder("open"), 0666), 0);
	assert_int_equal(chmod(folder, root ? 0755 : 0500), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	if (root) {
		assert_null(gw_channel_open(in_folder("theirs"), &err));
		assert_fails(-1, &err, GW_SYSTEM, "/theirs: Permission denied");
	}
	fails_to_create(in_folder("theirs"), GW_SYSTEM, "replacing");
	fails_to_create(in_folder("closed/image"), GW_SYSTEM, "Permission denied");
	fails_to_create(in_folder("open"), GW_SYSTEM, "creating a temporary file beside");
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(folder, 0700), 0);
	assert_holds("theirs", "old");
}

static void standard_streams(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *in = gw_channel_open("-", &err), *out = gw_channel_create("-", &err);

	assert_string_equal(in->name, "standard input");
	assert_int_equal(in->fd, 0);
	assert_string_equal(out->name, "standard output");
	assert_int_equal(out->fd, 1);
	gw_channel_close(in);
	gw_channel_close(out);
	assert_int_not_equal(fcntl(0, F_GETFD), -1);
	assert_int_not_equal(fcntl(1, F_GETFD), -1);
}

#define IN_FOLDER(t) cmocka_unit_test_setup_teardown(t, make, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(appears_when_finished),
		IN_FOLDER(replaces_only_when_finished),
		IN_FOLDER(relative_paths_survive_a_chdir),
		IN_FOLDER(links_stay_links),
		IN_FOLDER(longest_name),
		IN_FOLDER(devices_and_fifos),
		IN_FOLDER(empty_fifo),
		IN_FOLDER(random_bytes),
		IN_FOLDER(reads_little),
		IN_FOLDER(a_file_that_grows),
		IN_FOLDER(reads_at_a_place),
		IN_FOLDER(what_fails),
		IN_FOLDER(no_more_room),
		IN_FOLDER(no_right),
		cmocka_unit_test(standard_streams),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
