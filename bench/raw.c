/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Measures plain writev() and readv() over a pipe, a socket or a file, as a baseline for godwit
 * over the same one in the same run. With --channel the same transfer goes through libgodwit's
 * channels. Uses no domain and no stream.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <godwit/channel.h>

#include "base/clock.h"
#include "base/util.h"

#define IOV_PER_CALL 1024

/* The data to send: memory like a guest's, in runs of adjacent bytes. */
struct job {
	uint64_t bytes;	 /* in total */
	uint64_t memory; /* size of the buffer that is sent again and again */
	size_t run;	 /* bytes that are adjacent */
	size_t call;	 /* bytes in a call */
	bool channel;
	const char *folder; /* for the file */
	uint8_t *mem;
};

static void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("raw: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(3);
}

static void advance(struct iovec **iov, int *n, size_t moved)
{
	while (*n && moved >= (*iov)->iov_len) {
		moved -= (*iov)->iov_len;
		++*iov;
		--*n;
	}
	if (*n) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + moved;
		(*iov)->iov_len -= moved;
	}
}

static void move_raw(int fd, bool out, struct iovec *iov, int n)
{
	while (n) {
		int some = GW_MIN(n, IOV_PER_CALL);
		ssize_t moved = out ? writev(fd, iov, some) : readv(fd, iov, some);

		if (moved < 0 && errno == EINTR)
			continue;
		if (moved <= 0)
			die("%s: %s", out ? "writev" : "readv",
			    moved ? strerror(errno) : "the end came early");
		advance(&iov, &n, (size_t)moved);
	}
}

static void move_channel(struct gw_channel *ch, bool out, struct iovec *iov, int n)
{
	struct gw_error err = GW_ERROR_INIT;

	if (out ? gw_channel_writev(ch, iov, n, &err) != 0
		: gw_channel_readv(ch, iov, n, &err) != 1)
		die("%s", err.text);
}

/* The runs of one call, which begins at pos of the stream. Adjacent runs are never merged. */
static int runs(const struct job *job, uint64_t pos, struct iovec *iov, int max)
{
	uint64_t left = GW_MIN(job->bytes - pos, (uint64_t)job->call);
	int n = 0;

	while (left && n < max) {
		uint64_t at = pos % job->memory;
		uint64_t some = GW_MIN(left, job->memory - at);
		size_t len = GW_MIN(some, (uint64_t)job->run);

		iov[n++] = (struct iovec){.iov_base = job->mem + at, .iov_len = len};
		pos += len;
		left -= len;
	}
	return n;
}

/* One side of the transfer. */
static void move(const struct job *job, int fd, bool out)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = NULL;
	int max = (int)(job->call / job->run) + 2;
	struct iovec *iov = calloc((size_t)max, sizeof(*iov));

	if (!iov)
		die("no memory");
	if (job->channel && !(ch = gw_channel_from_fd(fd, false, "the sink", &err)))
		die("%s", err.text);
	for (uint64_t pos = 0; pos < job->bytes;) {
		int n = runs(job, pos, iov, max);

		for (int i = 0; i < n; i++)
			pos += iov[i].iov_len;
		if (ch)
			move_channel(ch, out, iov, n);
		else
			move_raw(fd, out, iov, n);
	}
	gw_channel_close(ch);
	free(iov);
}

static uint8_t *memory(uint64_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		die("%" PRIu64 " bytes of memory: %s", size, strerror(errno));
	/* Every page is populated, and adjacent pages differ. */
	for (uint64_t at = 0; at < size; at += 4096)
		memset((uint8_t *)mem + at, (int)(at >> 12), GW_MIN(size - at, (uint64_t)4096));
	return mem;
}

static void report(const struct job *job, const char *sink, uint64_t ns)
{
	double seconds = (double)ns / 1e9;

	printf("{\"sink\": \"%s\", \"via\": \"%s\", \"bytes\": %" PRIu64
	       ", \"run\": %zu, \"call\": %zu, \"seconds\": %.6f, \"bytes_per_second\": %.0f}\n",
	       sink, job->channel ? "channel" : "raw", job->bytes, job->run, job->call, seconds,
	       seconds > 0 ? (double)job->bytes / seconds : 0);
	fflush(stdout);
}

/* From one process to another, until the reader has the last byte. */
static void measure_pair(struct job *job, const char *sink, int in, int out)
{
	int start[2], status;
	uint64_t began;
	pid_t reader;
	char byte = 0;

	if (pipe(start) < 0 || (reader = fork()) < 0)
		die("%s", strerror(errno));
	if (reader == 0) {
		close(out);
		munmap(job->mem, job->memory);
		job->mem = memory(job->memory);
		if (write(start[1], &byte, 1) != 1)
			_exit(3);
		move(job, in, false);
		_exit(0);
	}
	close(in);
	close(start[1]);
	if (read(start[0], &byte, 1) != 1)
		die("the reader did not start");
	began = gw_clock_ns();
	move(job, out, true);
	if (waitpid(reader, &status, 0) < 0 || status != 0)
		die("the reader of the %s failed", sink);
	report(job, sink, gw_clock_ns() - began);
	close(out);
	close(start[0]);
}

static void measure_pipe(struct job *job)
{
	int fds[2];

	if (pipe(fds) < 0)
		die("pipe: %s", strerror(errno));
	measure_pair(job, "pipe", fds[0], fds[1]);
}

static void measure_unix(struct job *job)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		die("socketpair: %s", strerror(errno));
	measure_pair(job, "unix", fds[0], fds[1]);
}

static void measure_tcp(struct job *job)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int listening = socket(AF_INET, SOCK_STREAM, 0), out = socket(AF_INET, SOCK_STREAM, 0);

	if (listening < 0 || out < 0 || bind(listening, (struct sockaddr *)&addr, len) < 0 ||
	    listen(listening, 1) < 0 ||
	    getsockname(listening, (struct sockaddr *)&addr, &len) < 0 ||
	    connect(out, (struct sockaddr *)&addr, len) < 0)
		die("tcp: %s", strerror(errno));

	int in = accept(listening, NULL, NULL);

	if (in < 0)
		die("accept: %s", strerror(errno));
	close(listening);
	measure_pair(job, "tcp", in, out);
}

/* Written, written with fsync(), and read back; each measured by itself. */
static void measure_file(struct job *job)
{
	char path[4096];
	int fd = -1;

	if (snprintf(path, sizeof(path), "%s/godwit-bench-XXXXXX", job->folder) < (int)sizeof(path))
		fd = mkstemp(path);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	unlink(path);

	uint64_t began = gw_clock_ns();

	move(job, fd, true);
	report(job, "file-write", gw_clock_ns() - began);
	if (fsync(fd) < 0)
		die("fsync: %s", strerror(errno));
	report(job, "file-write-sync", gw_clock_ns() - began);
	if (lseek(fd, 0, SEEK_SET) < 0)
		die("lseek: %s", strerror(errno));
	began = gw_clock_ns();
	move(job, fd, false);
	report(job, "file-read", gw_clock_ns() - began);
	close(fd);
}

static const struct {
	const char *name;
	void (*measure)(struct job *job);
} sinks[] = {
	{"pipe", measure_pipe},
	{"unix", measure_unix},
	{"tcp", measure_tcp},
	{"file", measure_file},
};

static void measure(struct job *job, const char *sink)
{
	bool known = false;

	for (size_t i = 0; i < GW_ARRAY_SIZE(sinks); i++) {
		if (strcmp(sink, "all") != 0 && strcmp(sink, sinks[i].name) != 0)
			continue;
		known = true;
		sinks[i].measure(job);
	}
	if (!known)
		die("no sink is called %s: pipe, unix, tcp, file, all", sink);
}

static _Noreturn void usage(int status)
{
	fputs("usage: raw [--bytes N] [--memory N] [--run N] [--call N] [--folder DIR] [--channel] "
	      "[SINK...]\n"
	      "  --bytes   to be moved (1 GiB)        --memory  of which is different (64 MiB)\n"
	      "  --run     bytes in one place (4096)  --call    bytes in one call (4 MiB)\n"
	      "  --folder  for the file (/tmp)        --channel through libgodwit's channels\n"
	      "SINK: pipe, unix, tcp, file, all. One line of JSON for each measurement.\n",
	      status ? stderr : stdout);
	exit(status);
}

/* A size, with K, M or G after it. */
static uint64_t size_of(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);
	const char *unit = *end ? strchr("KMG", *end) : NULL;

	if (unit) {
		value <<= 10 * (unit - "KMG" + 1);
		end++;
	}
	if (end == text || *end || !value)
		usage(2);
	return value;
}

static void parse(struct job *job, int argc, char **argv)
{
	static const struct option options[] = {
		{"bytes", required_argument, NULL, 'b'},  {"memory", required_argument, NULL, 'm'},
		{"run", required_argument, NULL, 'r'},	  {"call", required_argument, NULL, 'c'},
		{"folder", required_argument, NULL, 'f'}, {"channel", no_argument, NULL, 'C'},
		{"help", no_argument, NULL, 'h'},	  {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'b':
			job->bytes = size_of(optarg);
			break;
		case 'm':
			job->memory = size_of(optarg);
			break;
		case 'r':
			job->run = size_of(optarg);
			break;
		case 'c':
			job->call = size_of(optarg);
			break;
		case 'f':
			job->folder = optarg;
			break;
		case 'C':
			job->channel = true;
			break;
		case 'h':
			usage(0);
		default:
			usage(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct job job = {
		.bytes = 1ull << 30,
		.memory = 64u << 20,
		.run = 4096,
		.call = 4u << 20,
		.folder = "/tmp",
	};

	parse(&job, argc, argv);
	job.mem = memory(job.memory);
	if (optind == argc)
		measure(&job, "all");
	for (int i = optind; i < argc; i++)
		measure(&job, argv[i]);
	return 0;
}
