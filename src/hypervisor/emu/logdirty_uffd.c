/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Log-dirty by the kernel: userfaultfd write protection that resolves its own faults (WP_ASYNC),
 * and PAGEMAP_SCAN, which lists the pages written since the last scan and protects them again in
 * one step. It sees every store of this process and every copy of the kernel into guest memory.
 * Linux 6.7 and later.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/emu/domain.h"

/* Newer than the headers of the oldest system this builds on; values are the kernel's ABI. */
#define FEATURE_WP_SHMEM       (UINT64_C(1) << 12)
#define FEATURE_WP_UNPOPULATED (UINT64_C(1) << 13)
#define FEATURE_WP_ASYNC       (UINT64_C(1) << 15)
#define OPEN_USER_MODE_ONLY    1

#define SCAN_WP_MATCHING (UINT64_C(1) << 0)
#define SCAN_CHECK_WP	 (UINT64_C(1) << 1)
#define CATEGORY_WRITTEN (UINT64_C(1) << 1)

struct scan_region {
	uint64_t start, end, categories;
};

struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define IOCTL_SCAN _IOWR('f', 16, struct scan_arg)

#define REGIONS 512

static int open_uffd(struct gw_error *err)
{
	struct uffdio_api api = {.api = UFFD_API,
				 .features = FEATURE_WP_ASYNC | FEATURE_WP_UNPOPULATED |
					     FEATURE_WP_SHMEM};
	/* The kernel resolves the faults of all accesses, so UFFD_USER_MODE_ONLY is enough. */
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | OPEN_USER_MODE_ONLY);

	if (fd < 0)
		return gw_fail_errno(err, "opening userfaultfd");
	if (ioctl(fd, UFFDIO_API, &api) < 0) {
		gw_fail_errno(err, "asking userfaultfd for asynchronous write protection");
		close(fd);
		return -1;
	}
	return fd;
}

static int watch(int fd, const void *base, size_t len, struct gw_error *err)
{
	struct uffdio_register reg = {.range = {(uintptr_t)base, len},
				      .mode = UFFDIO_REGISTER_MODE_WP};

	if (ioctl(fd, UFFDIO_REGISTER, &reg) < 0)
		return gw_fail_errno(err, "registering guest memory with userfaultfd");
	return 0;
}

static int protect(int fd, const void *at, size_t len, struct gw_error *err)
{
	struct uffdio_writeprotect wp = {.range = {(uintptr_t)at, len},
					 .mode = UFFDIO_WRITEPROTECT_MODE_WP};

	/* EAGAIN: the address space changed during the call; the kernel asks to try again. */
	while (ioctl(fd, UFFDIO_WRITEPROTECT, &wp) < 0)
		if (errno != EAGAIN && errno != EINTR)
			return gw_fail_errno(err, "write-protecting guest memory");
	return 0;
}

/* Calls found for each matching range in [at, at + len). */
static int scan(int pagemap, struct scan_arg arg, const void *at, size_t len,
		int (*found)(void *opaque, uint64_t start, uint64_t end, struct gw_error *err),
		void *opaque, struct gw_error *err)
{
	struct scan_region regions[REGIONS];
	uint64_t end = (uintptr_t)at + len;

	arg.size = sizeof(arg);
	arg.start = (uintptr_t)at;
	arg.end = end;
	arg.vec = (uintptr_t)regions;
	arg.vec_len = REGIONS;
	while (arg.start < end) {
		int n = ioctl(pagemap, IOCTL_SCAN, &arg);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gw_fail_errno(err, "reading which pages were written");
		for (int i = 0; i < n; i++)
			if (found(opaque, regions[i].start, regions[i].end, err) < 0)
				return -1;
		arg.start = arg.walk_end;
	}
	return 0;
}

struct collecting {
	struct gw_emu *e;
	uint64_t *bitmap;
};

static int note(void *opaque, uint64_t start, uint64_t end, struct gw_error *err)
{
	struct collecting *c = opaque;
	uint64_t base = (uintptr_t)c->e->m.mem.base;

	gw_bitmap_set_range(c->bitmap, (start - base) / GW_PAGE_SIZE, (end - start) / GW_PAGE_SIZE);
	return 0;
}

/*
 * With only this category the kernel lists every page that is not protected. That includes pages
 * that it removed from the page table after a write (reclaim; the unit test makes one).
 */
static struct scan_arg written(bool forget)
{
	return (struct scan_arg){.flags = forget ? SCAN_WP_MATCHING | SCAN_CHECK_WP : 0,
				 .category_mask = CATEGORY_WRITTEN,
				 .return_mask = CATEGORY_WRITTEN};
}

static int collect(struct gw_machine *m, uint64_t *bitmap, bool forget, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of_machine(m);
	struct collecting c = {e, bitmap};
	uint64_t first, n;

	gw_machine_dirty_take_marks(&e->m, bitmap, forget);
	for (uint64_t at = 0; (n = gw_machine_memory_run(&e->m.mem, at, &first)); at = first + n)
		if (scan(e->dirty.pagemap, written(forget),
			 gw_machine_memory_page(&e->m.mem, first), n * GW_PAGE_SIZE, note, &c,
			 err) < 0)
			return -1;
	return 0;
}

static void stop(struct gw_machine *m)
{
	struct gw_emu *e = gw_emu_of_machine(m);
	/* Closing it removes all protection. */
	if (e->dirty.uffd >= 0)
		close(e->dirty.uffd);
	if (e->dirty.pagemap >= 0)
		close(e->dirty.pagemap);
	e->dirty.uffd = e->dirty.pagemap = -1;
}

static int start(struct gw_machine *m, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of_machine(m);
	uint64_t first, n;

	e->dirty.pagemap = -1;
	e->dirty.uffd = open_uffd(err);
	if (e->dirty.uffd < 0)
		return -1;
	e->dirty.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (e->dirty.pagemap < 0)
		return gw_fail_errno(err, "opening /proc/self/pagemap");
	if (watch(e->dirty.uffd, e->m.mem.base, e->m.mem.window * GW_PAGE_SIZE, err) < 0)
		return -1;
	for (uint64_t at = 0; (n = gw_machine_memory_run(&e->m.mem, at, &first)); at = first + n)
		if (protect(e->dirty.uffd, gw_machine_memory_page(&e->m.mem, first),
			    n * GW_PAGE_SIZE, err) < 0)
			return -1;
	return 0;
}

static int added(struct gw_machine *m, size_t n, const uint64_t *gfns, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of_machine(m);
	for (size_t i = 0, run; i < n; i += run) {
		for (run = 1; i + run < n && gfns[i + run] == gfns[i] + run;)
			run++;
		if (protect(e->dirty.uffd, gw_machine_memory_page(&e->m.mem, gfns[i]),
			    run * GW_PAGE_SIZE, err) < 0)
			return -1;
	}
	return 0;
}

const struct gw_machine_dirty_ops gw_emu_dirty_uffd = {
	.name = "uffd",
	.start = start,
	.collect = collect,
	.stop = stop,
	.added = added,
};

static int count(void *opaque, uint64_t from, uint64_t to, struct gw_error *err)
{
	*(uint64_t *)opaque += (to - from) / GW_PAGE_SIZE;
	return 0;
}

/* Two pages, one of them written: does the scan report that one? */
static int try_it(int uffd, int pagemap, uint8_t *pages, struct gw_error *err)
{
	uint64_t first = 0, second = 0;

	if (watch(uffd, pages, 2 * GW_PAGE_SIZE, err) < 0 ||
	    protect(uffd, pages, 2 * GW_PAGE_SIZE, err) < 0)
		return -1;
	*(volatile uint8_t *)pages = 1;
	if (scan(pagemap, written(true), pages, 2 * GW_PAGE_SIZE, count, &first, err) < 0 ||
	    scan(pagemap, written(true), pages, 2 * GW_PAGE_SIZE, count, &second, err) < 0)
		return -1;
	if (first != 1 || second != 0)
		return gw_fail(err, GW_UNSUPPORTED,
			       "this kernel's asynchronous write protection loses dirty pages");
	return 0;
}

static int probe(struct gw_error *err)
{
	GW_CLOSE_ON_EXIT int uffd = open_uffd(err);
	GW_CLOSE_ON_EXIT int pagemap = -1;
	uint8_t *pages;
	int rc;

	if (uffd < 0)
		return -1;
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		return gw_fail_errno(err, "opening /proc/self/pagemap");
	pages = mmap(NULL, 2 * GW_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (pages == MAP_FAILED)
		return gw_fail_errno(err, "mapping two pages");
	rc = try_it(uffd, pagemap, pages, err);
	munmap(pages, 2 * GW_PAGE_SIZE);
	return rc;
}

static struct {
	pthread_once_t once;
	struct gw_error problem;
} probed = {.once = PTHREAD_ONCE_INIT};

static void probe_once(void)
{
	probe(&probed.problem);
}

int gw_emu_dirty_uffd_probe(struct gw_error *err)
{
	pthread_once(&probed.once, probe_once);
	if (probed.problem.code == GW_OK)
		return 0;
	return gw_fail(err, GW_UNSUPPORTED, "%s", probed.problem.text);
}
