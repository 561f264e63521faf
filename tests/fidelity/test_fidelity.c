/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests that "godwit verify --deep --for xen-4.17" and a real Xen 4.17 agree on patched images. The
 * images are made by seed here; Xen's verdicts on the same images are in BASE.tsv, recorded by
 * "./dev xen --fidelity". Every difference is printed. It has to be in explained.tsv with its
 * reason, and only such; those that are may be at most one in a hundred, and of images that verify
 * calls ok and Xen refuses only what the machine of the verdicts cannot judge.
 */
#include "lib/gwtest.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fidelity/generate.h"
#include "lib/realdata.h"

#define SEEDS_WANTED 400
#define SEEDS_MAX    4096

/* main() of the godwit command. */
int godwit_main(int argc, char **argv);

struct row {
	char kind[16], checksum[12], verdict[12], reason[400];
	bool known, explained, machine;
	char explanation[400];
};

/* How many differences there are, and of which kind. */
struct count {
	unsigned images, taken, refused, verify_takes, verify_refuses, unexplained, machine,
		stale; /* explained, and no difference */
};

/* What verify said. */
struct said {
	int status;
	char error[500]; /* its first error, or else its last line */
};

static FILE *open_table(const char *name)
{
	const char *dir = getenv("GODWIT_FIDELITY");
	char path[4096];
	FILE *f;

	assert_non_null(dir);
	snprintf(path, sizeof(path), "%s/%s.tsv", dir, name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s cannot be opened", path);
	return f;
}

/* Cuts the line into at most n columns; returns how many there are. */
static unsigned columns(char *line, char *column[], unsigned n)
{
	unsigned nr = 0;

	line[strcspn(line, "\n")] = '\0';
	while (nr < n && (column[nr] = strsep(&line, "\t")))
		nr++;
	return nr;
}

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static unsigned read_verdicts(const char *base, struct row *rows)
{
	char line[2048], *c[5];
	FILE *f = open_table(base);
	unsigned last = 0;

	assert_non_null(fgets(line, sizeof(line), f));
	while (fgets(line, sizeof(line), f)) {
		unsigned n = columns(line, c, 5), seed;
		struct row *row;

		assert_true(n >= 4);
		seed = (unsigned)strtoul(c[0], NULL, 10);
		assert_true(seed < SEEDS_MAX);
		row = rows + seed;
		row->known = true;
		copy(row->kind, sizeof(row->kind), c[1]);
		copy(row->checksum, sizeof(row->checksum), c[2]);
		copy(row->verdict, sizeof(row->verdict), c[3]);
		copy(row->reason, sizeof(row->reason), n > 4 ? c[4] : "");
		last = seed > last ? seed : last;
	}
	fclose(f);
	return last;
}

/* BASE, SEED, "machine" (it could not judge the image) or "verify", explanation. */
static void read_explained(const char *base, struct row *rows)
{
	char line[2048], *c[4];
	FILE *f = open_table("explained");

	assert_non_null(fgets(line, sizeof(line), f));
	while (fgets(line, sizeof(line), f)) {
		unsigned seed;

		assert_int_equal(columns(line, c, 4), 4);
		if (strcmp(c[0], base) != 0)
			continue;
		seed = (unsigned)strtoul(c[1], NULL, 10);
		assert_true(seed < SEEDS_MAX);
		rows[seed].explained = true;
		rows[seed].machine = !strcmp(c[2], "machine");
		copy(rows[seed].explanation, sizeof(rows[seed].explanation), c[3]);
	}
	fclose(f);
}

static void read_said(int fd, struct said *said)
{
	FILE *f = fdopen(fd, "r");
	bool has_error = false;
	char line[500];

	assert_non_null(f);
	copy(said->error, sizeof(said->error), "");
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!has_error)
			copy(said->error, sizeof(said->error), line);
		has_error = has_error || !strncmp(line, "error: ", 7);
	}
	fclose(f);
}

/* The command runs in a process of its own, which ends without the checks of a program that ends.
 */
static void verify(int image, struct said *said)
{
	char path[40];
	char words[] = "godwit\0verify\0--deep\0--for\0xen-4.17";
	char *argv[] = {words, words + 7, words + 14, words + 21, words + 27, path, NULL};
	int ends[2], status;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		close(ends[0]);
		close(ends[1]);
		status = godwit_main(6, argv);
		fflush(NULL);
		_exit(status);
	}
	close(ends[1]);
	read_said(ends[0], said);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	said->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void judge(const struct generated *g, struct said *said)
{
	int fd = memfd_create("image", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, g->file.data, g->file.len), (ssize_t)g->file.len);
	verify(fd, said);
	close(fd);
}

static void compare(const char *base, unsigned seed, const struct row *row,
		    const struct generated *g, struct count *n)
{
	bool taken = !strcmp(row->verdict, "taken"), ok;
	struct said said;

	judge(g, &said);
	if (said.status > 1)
		fail_msg("%s %u (%s): verify failed with %d: %s", base, seed, g->text, said.status,
			 said.error);
	ok = said.status == 0;
	n->images++;
	n->taken += taken;
	n->refused += !taken;
	if (ok == taken) {
		n->stale += row->explained;
		if (row->explained)
			print_message("%s\t%u: explained, but they agree\n", base, seed);
		return;
	}
	n->verify_takes += ok;
	n->verify_refuses += !ok;
	n->unexplained += !row->explained || (ok && !row->machine);
	n->machine += row->machine;
	print_message("%s\t%u\t%s\tXen %s%s%s\tverify %s\t%s\t%s\n", base, seed, g->kind,
		      row->verdict, *row->reason ? ": " : "", row->reason, ok ? "ok" : said.error,
		      g->text, row->explained ? row->explanation : "NOT EXPLAINED");
}

static void load_base(const char *base, struct image *img)
{
	char name[40];
	struct gw_buffer file;

	snprintf(name, sizeof(name), "xen417/tiny-%s.save.xz", base);
	file = realdata_load(realdata_path(name));
	assert_true(image_load(img, file.data, file.len));
	gw_buffer_free(&file);
	image_slim(img);
}

static void agree(const char *base)
{
	struct row *rows = calloc(SEEDS_MAX, sizeof(*rows));
	struct generated g = {0};
	struct count n = {0};
	struct image img;
	unsigned last;

	assert_non_null(rows);
	last = read_verdicts(base, rows);
	read_explained(base, rows);
	load_base(base, &img);
	for (unsigned seed = 0; seed <= last; seed++) {
		char checksum[12];

		if (!rows[seed].known)
			continue;
		generate(&img, seed, &g);
		snprintf(checksum, sizeof(checksum), "%08x", g.checksum);
		if (strcmp(checksum, rows[seed].checksum) != 0 ||
		    strcmp(g.kind, rows[seed].kind) != 0)
			fail_msg(
				"%s %u: this is not the image that Xen judged: %s %s, it was %s %s",
				base, seed, g.kind, checksum, rows[seed].kind, rows[seed].checksum);
		compare(base, seed, rows + seed, &g, &n);
	}
	free(g.file.data);
	image_free(&img);
	free(rows);
	print_message(
		"%s: %u images; Xen takes %u, refuses %u; verify takes %u that Xen refuses, refuses %u that Xen takes; %u "
		"not explained\n",
		base, n.images, n.taken, n.refused, n.verify_takes, n.verify_refuses,
		n.unexplained);
	assert_true(n.images >= SEEDS_WANTED);
	assert_int_equal(n.stale, 0);
	assert_int_equal(n.unexplained, 0);
	assert_true((n.verify_takes + n.verify_refuses - n.machine) * 100 <= n.images);
}

static void test_pv(void **state)
{
	agree("pv");
}

static void test_pvh(void **state)
{
	agree("pvh");
}

static void test_hvm(void **state)
{
	agree("hvm");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pv),
		cmocka_unit_test(test_pvh),
		cmocka_unit_test(test_hvm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
