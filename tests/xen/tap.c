/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Takes the times of the Xen bench (tests/xen/bench.py), in dom0. It appends one line of JSON to
 * the file TAP_LOG; times are in nanoseconds of CLOCK_MONOTONIC, which all processes share.
 *
 * In the place of libxl's save helper (LIBXL_SAVE_HELPER names this program) it starts the helper
 * TAP_HELPER with the same arguments and descriptors, and passes on the messages between libxl and
 * the helper. The stream itself does not pass through here. A message is u16 length, u16 number,
 * fields; an answer is an int32 (src/helper/save_helper/libxl_pipe.h).
 *
 * "tap --run COMMAND [ARGUMENT...]" runs a command, passes on what it prints, and notes when
 * it printed the lines of a migration.
 *
 * The exit status is that of the program, or 255.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#define MAX_EVENTS 4096

enum { ANSWER = 0, LOG = 1, PROGRESS = 2 };

struct event {
	uint64_t ns;
	unsigned number; /* of the message, or ANSWER */
	long long value; /* of an answer; of PROGRESS the total; else the last field */
	char text[100];	 /* of a line that was printed; of PROGRESS what is done */
};

static struct event events[MAX_EVENTS];
static size_t nr_events, nr_progress, nr_logs;
static pid_t child;
static uint64_t started, ended;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void note(uint64_t ns, unsigned number, long long value, const char *text, size_t len)
{
	struct event *e = &events[nr_events];

	if (nr_events == MAX_EVENTS)
		return;
	nr_events++;
	*e = (struct event){.ns = ns, .number = number, .value = value};
	for (size_t i = 0; i < len && i < sizeof(e->text) - 1; i++)
		e->text[i] = text[i];
}

static void put_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n <= 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

/* PROGRESS: two texts of u32 size, u64 done, u64 total. Noted where a stage or its total is new. */
static void note_progress(uint64_t ns, const uint8_t *fields, size_t len)
{
	const struct event *last = NULL;
	uint32_t size = 0;
	uint64_t total;
	size_t at = 0;

	nr_progress++;
	for (int i = 0; i < 2; i++) {
		if (at + sizeof(size) + size > len)
			return;
		at += size;
		memcpy(&size, fields + at, sizeof(size));
		at += sizeof(size);
	}
	if (size == 0 || size > len || at + size + 16 > len)
		return;
	memcpy(&total, fields + at + size + 8, sizeof(total));
	for (size_t i = nr_events; i > 0 && !last; i--)
		if (events[i - 1].number == PROGRESS)
			last = &events[i - 1];
	if (!last || (uint64_t)last->value != total ||
	    strncmp(last->text, (const char *)fields + at, sizeof(last->text) - 1) != 0)
		note(ns, PROGRESS, (long long)total, (const char *)fields + at, size - 1);
}

static void note_message(uint64_t ns, const uint8_t *body, size_t len)
{
	uint16_t number;
	int32_t value = 0;

	if (len < sizeof(number))
		return;
	memcpy(&number, body, sizeof(number));
	if (len >= sizeof(number) + sizeof(value))
		memcpy(&value, body + len - sizeof(value), sizeof(value));
	if (number == LOG)
		nr_logs++;
	else if (number == PROGRESS)
		note_progress(ns, body + sizeof(number), len - sizeof(number));
	else
		note(ns, number, value, "", 0);
}

/* Passes on what there is first: nobody waits for the notes. False at the end of from. */
static int pass_messages(int from, int to)
{
	static uint8_t buffer[2 * 65538];
	static size_t have;
	ssize_t n = read(from, buffer + have, sizeof(buffer) - have);
	uint64_t ns = now();
	size_t at = 0;
	uint16_t len;

	if (n <= 0)
		return 0;
	put_all(to, buffer + have, (size_t)n);
	have += (size_t)n;
	for (; have - at >= sizeof(len); at += sizeof(len) + len) {
		memcpy(&len, buffer + at, sizeof(len));
		if (have - at < sizeof(len) + len)
			break;
		note_message(ns, buffer + at + sizeof(len), len);
	}
	have -= at;
	memmove(buffer, buffer + at, have);
	return 1;
}

static int pass_answers(int from, int to)
{
	static uint8_t answer[4];
	static size_t have;
	uint8_t bytes[64];
	ssize_t n = read(from, bytes, sizeof(bytes));
	uint64_t ns = now();
	int32_t value;

	if (n <= 0)
		return 0;
	put_all(to, bytes, (size_t)n);
	for (ssize_t i = 0; i < n; i++) {
		answer[have++] = bytes[i];
		if (have < sizeof(answer))
			continue;
		memcpy(&value, answer, sizeof(value));
		note(ns, ANSWER, value, "", 0);
		have = 0;
	}
	return 1;
}

/* Passes on what was printed, and notes the lines of a migration. */
static int pass_lines(int from)
{
	static char line[256];
	static size_t have;
	char bytes[4096];
	ssize_t n = read(from, bytes, sizeof(bytes));
	uint64_t ns = now();

	if (n <= 0)
		return 0;
	put_all(STDOUT_FILENO, bytes, (size_t)n);
	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] != '\n') {
			if (have < sizeof(line))
				line[have++] = bytes[i];
			continue;
		}
		if (have > 9 && memcmp(line + 1, "igration", 8) == 0)
			note(ns, LOG, 0, line, have);
		have = 0;
	}
	return 1;
}

static void on_sigterm(int sig)
{
	kill(child, sig);
}

static void start(char **argv, int in, int out, int err)
{
	started = now();
	child = fork();
	if (child < 0) {
		perror("tap: fork");
		exit(255);
	}
	if (child == 0) {
		if (in >= 0)
			dup2(in, STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		if (err >= 0)
			dup2(err, STDERR_FILENO);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(255);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_sigterm);
}

static void make_pipe(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC) < 0) {
		perror("tap: pipe");
		exit(255);
	}
}

/* The stream is the helper's alone: its reader waits until nobody has it open for writing. */
static void close_stream(char **argv)
{
	for (int i = 2; i < 4; i++)
		if (atoi(argv[i]) > STDERR_FILENO)
			close(atoi(argv[i]));
}

static void watch_helper(char **argv)
{
	int answers[2], messages[2];

	make_pipe(answers);
	make_pipe(messages);
	argv[0] = getenv("TAP_HELPER");
	start(argv, answers[0], messages[1], -1);
	close(answers[0]);
	close(messages[1]);
	close_stream(argv);
	struct pollfd p[] = {{messages[0], POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents && !pass_messages(messages[0], STDOUT_FILENO))
			return;
		if (p[1].revents && !pass_answers(STDIN_FILENO, answers[1])) {
			close(answers[1]);
			p[1].fd = -1;
		}
	}
}

/* xl leaves a process in the background, which may have the pipe open for long. */
static void watch_command(char **argv)
{
	int printed[2];

	make_pipe(printed);
	start(argv, -1, printed[1], printed[1]);
	close(printed[1]);
	struct pollfd p[] = {{printed[0], POLLIN, 0},
			     {(int)syscall(SYS_pidfd_open, child, 0), POLLIN, 0}};

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents) {
			if (!pass_lines(printed[0]))
				p[0].fd = -1;
		} else if (p[1].revents) {
			return;
		}
	}
}

static void print_text(FILE *f, const char *text)
{
	for (; *text; text++)
		if (*text != '"' && *text != '\\' && (unsigned char)*text >= ' ')
			fputc(*text, f);
}

static void write_log(const char *mode, int status, const struct rusage *use)
{
	const char *path = getenv("TAP_LOG"), *label = getenv("TAP_LABEL");
	static char room[1 << 20];
	FILE *f = path ? fopen(path, "a") : NULL;

	if (!f)
		return;
	/* One write: both ends of a migration write to the file. */
	setvbuf(f, room, _IOFBF, sizeof(room));
	fprintf(f, "{\"label\": \"%s\", \"mode\": \"%s\", \"status\": %d, ", label ?: "", mode,
		status);
	fprintf(f, "\"start\": %llu, \"exit\": %llu, ", (unsigned long long)started,
		(unsigned long long)ended);
	fprintf(f, "\"user_us\": %lld, \"system_us\": %lld, \"rss_kib\": %ld, ",
		use->ru_utime.tv_sec * 1000000LL + use->ru_utime.tv_usec,
		use->ru_stime.tv_sec * 1000000LL + use->ru_stime.tv_usec, use->ru_maxrss);
	fprintf(f, "\"progress\": %zu, \"logs\": %zu, \"events\": [", nr_progress, nr_logs);
	for (size_t i = 0; i < nr_events; i++) {
		fprintf(f, "%s[%llu, %u, %lld, \"", i ? ", " : "", (unsigned long long)events[i].ns,
			events[i].number, events[i].value);
		print_text(f, events[i].text);
		fputs("\"]", f);
	}
	fputs("]}\n", f);
	fclose(f);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	struct rusage use = {0};
	int status = 0;

	if (strcmp(mode, "--run") == 0 && argc > 2) {
		mode = "xl";
		watch_command(argv + 2);
	} else if (strcmp(mode, "--save-domain") == 0 || strcmp(mode, "--restore-domain") == 0) {
		if (argc < 5 || !getenv("TAP_HELPER"))
			return 255;
		mode = strcmp(mode, "--save-domain") == 0 ? "save" : "restore";
		watch_helper(argv);
	} else {
		return 255;
	}
	while (wait4(child, &status, 0, &use) < 0)
		;
	ended = now();
	write_log(mode, status, &use);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}
