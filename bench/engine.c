/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Measures how fast the engine saves and restores. Beside it, in the same run, it measures plain
 * writev() and readv() of as many bytes over the same pipe, socket or file. One JSON object a line:
 * {"name", "bytes", "seconds"}.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <godwit/hypervisor.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/util.h"
#include "format/x86/hvm_context.h"
#include "format/libxc/image.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "migrate/operation.h"
#include "migrate/restore.h"
#include "migrate/save.h"

#define RUNS 3
#define STEP (4u << 20) /* size of one plain call: as much as a batch */

struct bench {
	struct gw_host *host;
	struct gw_domain *domain;
	uint64_t pages;
	uint8_t *image; /* image of the domain, for the restores */
	uint64_t len;
	char file[200];
};

_Noreturn static void die(const char *what, const struct gw_error *err)
{
	fprintf(stderr, "bench: %s: %s\n", what, err ? err->text : strerror(errno));
	exit(1);
}

static void tell(const char *name, uint64_t bytes, uint64_t ns)
{
	printf("{\"name\": \"%s\", \"bytes\": %llu, \"seconds\": %.6f}\n", name,
	       (unsigned long long)bytes, (double)ns / 1e9);
	fflush(stdout);
}

static struct gw_domain *create(struct bench *b)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain_config config = {
		.name = "bench", .type = GW_GUEST_X86_HVM, .max_pages = b->pages, .vcpus = 1};
	struct gw_domain *d = gw_host_create(b->host, &config, &err);

	if (!d)
		die("creating a domain", &err);
	return d;
}

/* Pages with random contents, because zeros could be handled faster somewhere. */
static void fill(struct gw_domain *d, uint64_t pages)
{
	struct gw_error err = GW_ERROR_INIT;
	uint64_t pfns[1024], gfns[1024], x = 88172645463325252u;
	struct gw_mapping mapping;
	void *mapped[1024];

	for (uint64_t first = 0; first < pages; first += 1024) {
		size_t n = (size_t)GW_MIN(UINT64_C(1024), pages - first);

		for (size_t i = 0; i < n; i++)
			pfns[i] = first + i;
		if (gw_domain_populate(d, n, pfns, gfns, &err) < 0 ||
		    gw_domain_map(d, n, gfns, true, mapped, &mapping, &err) < 0)
			die("filling a domain", &err);
		for (size_t i = 0; i < n; i++)
			for (size_t word = 0; word < GW_PAGE_SIZE / 8; word++) {
				x ^= x << 13;
				x ^= x >> 7;
				x ^= x << 17;
				((uint64_t *)mapped[i])[word] = x;
			}
		gw_domain_unmap(d, &mapping);
	}
}

/* The smallest state with which an HVM guest can be saved. */
static void give_state(struct gw_domain *d)
{
	struct gw_hvm_header header = {.magic = GW_HVM_HEADER_MAGIC,
				       .version = GW_HVM_HEADER_VERSION};
	struct gw_error err = GW_ERROR_INIT;
	uint8_t raw[GW_HVM_HEADER_SIZE], cpu[GW_HVM_CPU_SIZE] = {0};
	struct gw_buffer blob = {0};

	gw_hvm_header_encode(raw, &header);
	gw_put_le64(cpu + 656, 0x11); /* cr0: PE, ET */
	if (gw_hvm_entry_append(&blob, GW_HVM_HEADER, 0, raw, sizeof(raw), &err) < 0 ||
	    gw_hvm_entry_append(&blob, GW_HVM_CPU, 0, cpu, sizeof(cpu), &err) < 0 ||
	    gw_hvm_entry_append(&blob, GW_HVM_END, 0, NULL, 0, &err) < 0 ||
	    gw_domain_set_context(d, blob.data, blob.len, &err) < 0)
		die("giving a domain state", &err);
	gw_buffer_free(&blob);
	for (uint32_t param = 1; param <= 17; param += 16)
		if (gw_domain_set_param(d, param, param, &err) < 0)
			die("giving a domain params", &err);
}

static int ts_suspend(void *opaque, struct gw_error *err)
{
	struct gw_domain *d = opaque;

	return gw_control_suspend(d->control, 0, NULL, err) < 0 ? -1 : 0;
}

static uint64_t save(struct gw_domain *d, int fd, bool live)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_toolstack ts = {
		.head = GW_TABLE_HEAD(struct gw_toolstack), .owner = d, .suspend = ts_suspend};
	struct gw_channel *out = gw_channel_from_fd(fd, false, "sink", &err);
	struct gw_report report;
	struct gw_save_args args = {.domain = d, .out = out, .toolstack = &ts, .live = live};

	if (!out || gw_save_image(&args, &report, &err) < 0)
		die("saving", &err);
	gw_channel_close(out);
	if (gw_control_resume(d->control, &err) < 0)
		die("resuming", &err);
	return report.bytes;
}

static void restore(struct bench *b, int fd)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_restore_args args = {.domain = create(b)};

	args.in = gw_channel_from_fd(fd, false, "source", &err);
	if (!args.in || gw_restore_image(&args, NULL, &err) < 0 ||
	    gw_control_restored(args.domain->control, &err) < 0)
		die("restoring", &err);
	gw_channel_close(args.in);
	gw_control_destroy(args.domain->control);
}

/* Writes as many bytes as an image has from memory, and does nothing else. */
static void raw_write(const struct bench *b, int fd)
{
	for (uint64_t at = 0; at < b->len;) {
		struct iovec iov = {.iov_base = b->image + at,
				    .iov_len = (size_t)GW_MIN((uint64_t)STEP, b->len - at)};
		ssize_t n = writev(fd, &iov, 1);

		if (n <= 0)
			die("writing", NULL);
		at += (uint64_t)n;
	}
}

/* Reads into fresh memory of small pages, like that of a restored domain. */
static void raw_read(const struct bench *b, int fd)
{
	uint8_t *to =
		mmap(NULL, b->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (to == MAP_FAILED)
		die("mmap", NULL);
	madvise(to, b->len, MADV_NOHUGEPAGE);
	for (uint64_t at = 0; at < b->len;) {
		struct iovec iov = {.iov_base = to + at,
				    .iov_len = (size_t)GW_MIN((uint64_t)STEP, b->len - at)};
		ssize_t n = readv(fd, &iov, 1);

		if (n <= 0)
			die("reading", NULL);
		at += (uint64_t)n;
	}
	munmap(to, b->len);
}

struct far_end {
	const struct bench *b;
	int fd;
	bool reads;
	pthread_t thread;
};

/* The other end of a pipe or socket: reads everything, or writes the image. */
static void *run_far_end(void *opaque)
{
	struct far_end *f = opaque;
	void *buf;

	if (!f->reads) {
		raw_write(f->b, f->fd);
		close(f->fd);
		return NULL;
	}
	buf = malloc(STEP);
	while (buf && read(f->fd, buf, STEP) > 0)
		;
	free(buf);
	close(f->fd);
	return NULL;
}

enum sink { SINK_NULL, SINK_PIPE, SINK_SOCKET, SINK_FILE };
static const char *const sink_names[] = {"null", "pipe", "socketpair", "file"};

/* The near end of a sink; f->thread serves the far end of a pipe or socketpair. */
static int open_sink(enum sink sink, struct far_end *f, bool writing)
{
	int fds[2], fd;

	f->reads = writing;
	switch (sink) {
	case SINK_PIPE:
		if (pipe2(fds, O_CLOEXEC) < 0)
			die("pipe", NULL);
		fcntl(fds[0], F_SETPIPE_SZ, 1 << 20);
		break;
	case SINK_SOCKET:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
			die("socketpair", NULL);
		break;
	case SINK_NULL:
		return open("/dev/null", O_WRONLY | O_CLOEXEC);
	default:
		fd = open(f->b->file, writing ? O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC : O_RDONLY,
			  0600);
		if (fd < 0)
			die(f->b->file, NULL);
		return fd;
	}
	f->fd = fds[!writing];
	if (!writing) {
		f->fd = fds[1];
		fd = fds[0];
	} else {
		f->fd = fds[0];
		fd = fds[1];
	}
	if (pthread_create(&f->thread, NULL, run_far_end, f) != 0)
		die("a thread", NULL);
	return fd;
}

static bool has_far_end(enum sink sink)
{
	return sink == SINK_PIPE || sink == SINK_SOCKET;
}

enum work { WORK_RAW_WRITE, WORK_SAVE, WORK_SAVE_LIVE, WORK_RAW_READ, WORK_RESTORE };
static const char *const work_names[] = {"raw-write", "save", "save-live", "raw-read", "restore"};

/* The time until the far end has everything as well; *bytes: the number of bytes moved. */
static uint64_t one_run(struct bench *b, enum work work, enum sink sink, uint64_t *bytes)
{
	struct far_end f = {.b = b};
	bool writing = work <= WORK_SAVE_LIVE;
	int fd = open_sink(sink, &f, writing);
	uint64_t start = gw_clock_ns();

	*bytes = b->len;
	if (work == WORK_RAW_WRITE)
		raw_write(b, fd);
	else if (work == WORK_SAVE || work == WORK_SAVE_LIVE)
		*bytes = save(b->domain, fd, work == WORK_SAVE_LIVE);
	else if (work == WORK_RAW_READ)
		raw_read(b, fd);
	else
		restore(b, fd);
	close(fd);
	if (has_far_end(sink))
		pthread_join(f.thread, NULL);
	return gw_clock_ns() - start;
}

/* The best of several runs, because other load on the machine only makes a run slower. */
static void measure(struct bench *b, enum work work, enum sink sink)
{
	uint64_t best = UINT64_MAX, bytes = 0;
	char name[60];

	for (int i = 0; i < RUNS; i++) {
		uint64_t ns = one_run(b, work, sink, &bytes);

		best = GW_MIN(best, ns);
	}
	snprintf(name, sizeof(name), "%s-%s", work_names[work], sink_names[sink]);
	tell(name, bytes, best);
}

/* Makes the image that the restores read, and keeps it in memory. */
static void make_image(struct bench *b)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0)
		die("memfd", NULL);
	b->len = save(b->domain, fd, false);
	b->image = mmap(NULL, b->len, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (b->image == MAP_FAILED)
		die("mmap", NULL);
	close(fd);
}

/* A guest of 4 GiB of pfns with hardly a page: measures the cost of absent pfns. */
static void measure_absent(struct bench *b)
{
	struct bench sparse = {.host = b->host, .pages = 1 << 20};
	uint64_t start, bytes;
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	sparse.domain = create(&sparse);
	fill(sparse.domain, 32);
	give_state(sparse.domain);
	start = gw_clock_ns();
	bytes = save(sparse.domain, fd, false);
	tell("save-absent-null", bytes, gw_clock_ns() - start);
	close(fd);
	gw_control_destroy(sparse.domain->control);
}

/* usage: engine [MiB [FOLDER]] */
int main(int argc, char **argv)
{
	uint64_t mib = argc > 1 ? strtoull(argv[1], NULL, 10) : 1024;
	const char *folder = argc > 2 ? argv[2] : "/tmp";
	struct gw_error err = GW_ERROR_INIT;
	struct bench b = {.pages = mib * 256};

	b.host = gw_host_open("memory:", &err);
	if (!b.host || b.pages == 0)
		die("opening memory:", &err);
	snprintf(b.file, sizeof(b.file), "%s/godwit-bench.%d", folder, getpid());
	b.domain = create(&b);
	fill(b.domain, b.pages);
	give_state(b.domain);
	make_image(&b);
	measure(&b, WORK_SAVE, SINK_NULL);
	measure_absent(&b);
	for (enum sink sink = SINK_PIPE; sink <= SINK_FILE; sink++)
		for (enum work work = WORK_RAW_WRITE; work <= WORK_RESTORE; work++)
			measure(&b, work, sink);
	unlink(b.file);
	munmap(b.image, b.len);
	gw_control_destroy(b.domain->control);
	gw_host_close(b.host);
	return 0;
}
