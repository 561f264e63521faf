/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starting the helper, its messages, its end (fake_libxl.h).
 */
#include "fake_libxl.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"

/* Nothing here takes so long; a helper that hangs fails its test and no other one. */
#define PATIENCE_MS 20000

static void keep_fds(const int *fds)
{
	for (; fds && *fds >= 0; fds++)
		fcntl(*fds, F_SETFD, 0);
}

static _Noreturn void become_helper(const char *const *args, const char *const *env, const int *fds,
				    int in, int out)
{
	const char *path = getenv("GODWIT_SAVE_HELPER");
	char *argv[16] = {(char *)(uintptr_t)path};

	for (unsigned i = 0; args[i] && i < 14; i++)
		argv[i + 1] = (char *)(uintptr_t)args[i];
	for (; env && *env; env++)
		putenv((char *)(uintptr_t)*env);
	keep_fds(fds);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	signal(SIGPIPE, SIG_DFL);
	execv(path, argv);
	_exit(127);
}

void fake_start(struct fake_libxl *f, const char *const *args, const char *const *env,
		const int *fds)
{
	int to[2], from[2];

	*f = (struct fake_libxl){0};
	assert_non_null(getenv("GODWIT_SAVE_HELPER"));
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0)
		become_helper(args, env, fds, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	f->answers = to[1];
	f->messages = from[0];
}

void fake_save(struct fake_libxl *f, int io, int back, const char *flags, const char *callbacks,
	       const char *type, const char *const *env)
{
	char io_text[16], back_text[16];
	const char *args[] = {"--save-domain", io_text,	  back_text, "5",
			      flags,	       callbacks, type,	     NULL};

	snprintf(io_text, sizeof(io_text), "%d", io);
	snprintf(back_text, sizeof(back_text), "%d", back);
	fake_start(f, args, env, (int[]){io, back, -1});
}

void fake_restore(struct fake_libxl *f, int io, int back, const char *callbacks, const char *type,
		  const char *const *env)
{
	char io_text[16], back_text[16];
	const char *args[] = {"--restore-domain", io_text, back_text, "5", "3", "0", "4", "0",
			      callbacks,	  type,	   NULL};

	snprintf(io_text, sizeof(io_text), "%d", io);
	snprintf(back_text, sizeof(back_text), "%d", back);
	fake_start(f, args, env, (int[]){io, back, -1});
}

/* len bytes; false at the end of the messages. */
static bool read_exactly(struct fake_libxl *f, void *to, size_t len)
{
	for (size_t done = 0; done < len;) {
		struct pollfd p = {.fd = f->messages, .events = POLLIN};
		ssize_t n;

		if (poll(&p, 1, PATIENCE_MS) != 1)
			fail_msg("the helper says nothing");
		n = read(f->messages, (char *)to + done, len - done);
		assert_true(n >= 0);
		if (n == 0) {
			/* Never a part of a message. */
			assert_int_equal(done, 0);
			return false;
		}
		done += (size_t)n;
	}
	return true;
}

static void add_line(struct gw_buffer *lines, const char *line)
{
	size_t len = strlen(line);

	if (lines->len > len && memcmp(lines->data + lines->len - len - 1, line, len) == 0)
		return;
	assert_int_equal(gw_buffer_printf(lines, NULL, "%s\n", line), 0);
}

/* The text at *at of the body, which moves to its end. */
static const char *text_at(const struct fake_libxl *f, size_t *at)
{
	size_t len = gw_get_le32(f->body + *at);
	const char *text = (const char *)f->body + *at + 4;

	assert_true(len > 0 && *at + 4 + len <= f->len);
	assert_int_equal(text[len - 1], 0);
	*at += 4 + len;
	return text;
}

static void note_log(struct fake_libxl *f)
{
	char line[3000];
	size_t at = 8;
	const char *context = text_at(f, &at), *text = text_at(f, &at);

	assert_int_equal(at, f->len);
	assert_true(*context);
	snprintf(line, sizeof(line), "%u %d %s", fake_u32(f, 0), (int)fake_u32(f, 1), text);
	add_line(&f->log, line);
}

static void note_progress(struct fake_libxl *f)
{
	size_t at = 0;
	const char *what;

	text_at(f, &at);
	what = text_at(f, &at);
	assert_int_equal(at + 16, f->len);
	assert_true(gw_get_le64(f->body + at) <= gw_get_le64(f->body + at + 8));
	add_line(&f->progress, what);
}

int fake_next_any(struct fake_libxl *f)
{
	uint8_t head[4];

	f->id = MSG_END;
	if (!read_exactly(f, head, sizeof(head)))
		return MSG_END;
	f->id = gw_get_le16(head + 2);
	f->len = gw_get_le16(head) - 2u;
	if (f->len > 0 && !read_exactly(f, f->body, f->len))
		fail_msg("message %d without its body", f->id);
	if (f->id == MSG_LOG) {
		note_log(f);
	} else if (f->id == MSG_PROGRESS) {
		note_progress(f);
	} else {
		assert_int_equal(gw_buffer_append(&f->raw, head, sizeof(head), NULL), 0);
		assert_int_equal(gw_buffer_append(&f->raw, f->body, f->len, NULL), 0);
	}
	return f->id;
}

int fake_next(struct fake_libxl *f)
{
	do
		fake_next_any(f);
	while (f->id == MSG_LOG || f->id == MSG_PROGRESS);
	return f->id;
}

void fake_expect(struct fake_libxl *f, int id)
{
	if (fake_next(f) != id)
		fail_msg("message %d, expected %d; the log:\n%.*s", f->id, id, (int)f->log.len,
			 (const char *)f->log.data);
}

uint32_t fake_u32(const struct fake_libxl *f, unsigned i)
{
	assert_true(4 * i + 4 <= f->len);
	return gw_get_le32(f->body + (size_t)4 * i);
}

uint64_t fake_u64(const struct fake_libxl *f, unsigned i)
{
	assert_true(8 * i + 8 <= f->len);
	return gw_get_le64(f->body + (size_t)8 * i);
}

void fake_answer_bytes(struct fake_libxl *f, const void *bytes, size_t len)
{
	assert_int_equal(write(f->answers, bytes, len), (ssize_t)len);
}

void fake_answer(struct fake_libxl *f, int32_t answer)
{
	fake_answer_bytes(f, &answer, sizeof(answer));
}

void fake_serve(struct fake_libxl *f, int id, int32_t answer)
{
	fake_expect(f, id);
	fake_answer(f, answer);
}

int fake_serve_all(struct fake_libxl *f)
{
	for (;;) {
		switch (fake_next(f)) {
		case MSG_RESTORE_RESULTS:
			break;
		case MSG_SWITCH_LOGDIRTY:
		case MSG_STATIC_DATA_DONE:
			fake_answer(f, 0);
			break;
		case MSG_COMPLETE:
			fake_answer(f, 0);
			return (int)fake_u32(f, 0);
		case MSG_END:
			fail_msg("no COMPLETE; the log:\n%.*s", (int)f->log.len,
				 (const char *)f->log.data);
			return -1;
		default:
			fake_answer(f, 1);
		}
	}
}

void fake_die(struct fake_libxl *f)
{
	close(f->answers);
	close(f->messages);
	f->answers = f->messages = -1;
}

void fake_signal(struct fake_libxl *f, int sig)
{
	assert_int_equal(kill(f->pid, sig), 0);
}

int fake_end(struct fake_libxl *f)
{
	int status = 0;

	/* Like libxl after COMPLETE: it reads no more, and waits. */
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	if (f->answers >= 0)
		fake_die(f);
	gw_buffer_free(&f->log);
	gw_buffer_free(&f->progress);
	gw_buffer_free(&f->raw);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void fake_log_has(const struct fake_libxl *f, const char *text)
{
	if (!memmem(f->log.data, f->log.len, text, strlen(text)))
		fail_msg("no \"%s\" in the log:\n%.*s", text, (int)f->log.len,
			 (const char *)f->log.data);
}

int mem_file(void)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

struct gw_buffer mem_contents(int fd)
{
	struct gw_buffer all = {0};
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	if (st.st_size > 0) {
		void *to = gw_buffer_reserve(&all, (size_t)st.st_size, NULL);

		assert_int_equal(pread(fd, to, (size_t)st.st_size, 0), st.st_size);
		all.len = (size_t)st.st_size;
	}
	return all;
}

int mem_with(const void *data, size_t len)
{
	int fd = mem_file();

	assert_int_equal(pwrite(fd, data, len, 0), (ssize_t)len);
	return fd;
}

static char folder[200];

int scratch_set_up(void **state)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/godwit-helper.XXXXXX", tmp ? tmp : "/tmp");
	setenv("GODWIT_CONF", "/dev/null", 1);
	setenv("GODWIT_HELPER_CONF", "/dev/null", 1);
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	return remove(path);
}

int scratch_tear_down(void **state)
{
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch(const char *name)
{
	static char paths[8][300];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

struct gw_buffer scratch_load(const char *name)
{
	int fd = open(scratch(name), O_RDONLY | O_CLOEXEC);
	struct gw_buffer all;

	if (fd < 0)
		fail_msg("%s: %s", name, strerror(errno));
	all = mem_contents(fd);
	close(fd);
	return all;
}

void scratch_save(const char *name, const void *data, size_t len)
{
	int fd = open(scratch(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}
