/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Faults on an emulated domain's memory, with a synchronous userfaultfd: a thread reads the
 * kernel's messages, calls back, and lets the faulting access continue.
 */
#include "hypervisor/emu/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/emu/domain.h"

/* Newer than the headers of the oldest system this builds on; values are the kernel's ABI. */
#define FEATURE_PAGEFAULT_WP  (UINT64_C(1) << 0)
#define FEATURE_MISSING_SHMEM (UINT64_C(1) << 5)
#define FEATURE_WP_SHMEM      (UINT64_C(1) << 12)
#define OPEN_USER_MODE_ONLY   1
#define MESSAGES	      16

void gw_emu_faults_init(struct gw_emu_faults *f)
{
	*f = (struct gw_emu_faults){.uffd = -1, .stop_fd = -1};
	pthread_mutex_init(&f->lock, NULL);
}

/* Includes faults of the kernel (a read(2) into guest memory) where this process may serve them. */
static int open_uffd(uint64_t features, struct gw_error *err)
{
	struct uffdio_api api = {.api = UFFD_API, .features = features};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | OPEN_USER_MODE_ONLY);
	if (fd < 0)
		return gw_fail_errno(err, "opening userfaultfd");
	if (ioctl(fd, UFFDIO_API, &api) < 0) {
		gw_fail_errno(err, "asking userfaultfd for faults on shared memory");
		close(fd);
		return -1;
	}
	return fd;
}

static bool is_due(const struct gw_emu_faults *f, uint64_t gfn)
{
	return __atomic_load_n(&f->due[gfn / 64], __ATOMIC_ACQUIRE) >> (gfn % 64) & 1;
}

static void clear_due(struct gw_emu_faults *f, uint64_t gfn)
{
	__atomic_fetch_and(&f->due[gfn / 64], ~(UINT64_C(1) << (gfn % 64)), __ATOMIC_ACQ_REL);
}

static int write_protect(struct gw_emu *e, uint64_t gfn, uint64_t n, bool on, struct gw_error *err)
{
	struct uffdio_writeprotect wp = {
		.range = {(uintptr_t)gw_machine_memory_page(&e->m.mem, gfn), n * GW_PAGE_SIZE},
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	/* EAGAIN: the address space changed during the call; the kernel asks to try again. */
	while (ioctl(e->faults.uffd, UFFDIO_WRITEPROTECT, &wp) < 0)
		if (errno != EAGAIN && errno != EINTR)
			return gw_fail_errno(err, "changing the protection of guest memory");
	return 0;
}

static void write_fault(struct gw_emu *e, uint64_t gfn)
{
	struct gw_emu_faults *f = &e->faults;

	if (is_due(f, gfn)) {
		f->on_write(f->opaque, gfn, gw_machine_memory_page(&e->m.mem, gfn));
		clear_due(f, gfn);
	}
	pthread_mutex_lock(&f->lock);
	if (f->logging)
		gw_machine_dirty_mark(&e->m, gfn);
	write_protect(e, gfn, 1, false, NULL);
	pthread_mutex_unlock(&f->lock);
}

/* A page that is not absent and was never accessed reads as zero. */
static void touch_fault(struct gw_emu *e, uint64_t gfn)
{
	struct gw_emu_faults *f = &e->faults;
	struct uffdio_zeropage zero = {
		.range = {(uintptr_t)gw_machine_memory_page(&e->m.mem, gfn), GW_PAGE_SIZE}};

	if (is_due(f, gfn)) {
		f->on_touch(f->opaque, gfn);
		return;
	}
	/* EEXIST: the page was filled in the meantime; the waiting access is woken to try again. */
	while (ioctl(f->uffd, UFFDIO_ZEROPAGE, &zero) < 0) {
		if (errno == EEXIST)
			ioctl(f->uffd, UFFDIO_WAKE, &zero.range);
		if (errno != EAGAIN && errno != EINTR)
			return;
	}
}

static void take_messages(struct gw_emu *e)
{
	struct uffd_msg messages[MESSAGES];
	ssize_t n = read(e->faults.uffd, messages, sizeof(messages));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(messages[0]); i++) {
		uint64_t at = messages[i].arg.pagefault.address;
		uint64_t gfn = (at - (uintptr_t)e->m.mem.base) / GW_PAGE_SIZE;

		if (messages[i].event != UFFD_EVENT_PAGEFAULT)
			continue;
		if (e->faults.mode == GW_EMU_FAULTS_PROTECT)
			write_fault(e, gfn);
		else
			touch_fault(e, gfn);
	}
}

static void *serve(void *opaque)
{
	struct gw_emu *e = opaque;
	struct pollfd fds[2] = {{.fd = e->faults.uffd, .events = POLLIN},
				{.fd = e->faults.stop_fd, .events = POLLIN}};

	while (!(fds[1].revents & POLLIN))
		if (poll(fds, 2, -1) > 0 && (fds[0].revents & POLLIN))
			take_messages(e);
	return NULL;
}

/* Closing the descriptor removes all protection and wakes the waiting access. */
static void close_all(struct gw_emu_faults *f)
{
	if (f->uffd >= 0)
		close(f->uffd);
	if (f->stop_fd >= 0)
		close(f->stop_fd);
	free(f->due);
	f->due = NULL;
	f->uffd = f->stop_fd = -1;
	f->mode = GW_EMU_FAULTS_OFF;
}

static void end(struct gw_emu_faults *f)
{
	static const uint64_t one = 1;
	/* A write to an eventfd with an empty counter does not wait. */
	ssize_t n = write(f->stop_fd, &one, sizeof(one));

	(void)n;
	pthread_join(f->thread, NULL);
	close_all(f);
}

void gw_emu_faults_free(struct gw_emu_faults *f)
{
	if (f->mode != GW_EMU_FAULTS_OFF)
		end(f);
	pthread_mutex_destroy(&f->lock);
}

static int open_all(struct gw_emu *e, enum gw_emu_fault_mode mode, struct gw_error *err)
{
	struct gw_emu_faults *f = &e->faults;
	bool protect = mode == GW_EMU_FAULTS_PROTECT;
	struct uffdio_register reg = {
		.range = {(uintptr_t)e->m.mem.base, e->m.mem.window * GW_PAGE_SIZE},
		.mode = protect ? UFFDIO_REGISTER_MODE_WP : UFFDIO_REGISTER_MODE_MISSING,
	};

	f->due = gw_bitmap_new(e->m.mem.window);
	if (!f->due)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a bitmap of a domain's pages");
	f->stop_fd = eventfd(0, EFD_CLOEXEC);
	f->uffd = open_uffd(
		protect ? FEATURE_PAGEFAULT_WP | FEATURE_WP_SHMEM : FEATURE_MISSING_SHMEM, err);
	if (f->uffd < 0)
		return -1;
	if (f->stop_fd < 0)
		return gw_fail_errno(err, "an eventfd");
	if (ioctl(f->uffd, UFFDIO_REGISTER, &reg) < 0)
		return gw_fail_errno(err, "registering guest memory with userfaultfd");
	return 0;
}

/* Opens the descriptor; the thread starts when all pages are protected or absent. */
static int begin(struct gw_emu *e, enum gw_emu_fault_mode mode, struct gw_error *err)
{
	if (e->faults.mode != GW_EMU_FAULTS_OFF)
		return gw_fail(err, GW_BUSY, "domain %u: faults on its memory are served already",
			       e->m.d.domid);
	if (e->m.dirty.ops)
		return gw_fail(
			err, GW_BUSY,
			"domain %u logs dirty pages: stop that first, and start it again after",
			e->m.d.domid);
	if (open_all(e, mode, err) < 0) {
		close_all(&e->faults);
		return -1;
	}
	return 0;
}

static int start_thread(struct gw_emu *e, enum gw_emu_fault_mode mode, struct gw_error *err)
{
	e->faults.mode = mode;
	if (pthread_create(&e->faults.thread, NULL, serve, e) == 0)
		return 0;
	close_all(&e->faults);
	return gw_fail(err, GW_SYSTEM, "no thread to serve the faults of domain %u", e->m.d.domid);
}

static int protect_start(struct gw_domain *d, gw_write_fault_fn *on_write, void *opaque,
			 struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(d);
	uint64_t first, n;

	if (begin(e, GW_EMU_FAULTS_PROTECT, err) < 0)
		return -1;
	e->faults.on_write = on_write;
	e->faults.opaque = opaque;
	for (uint64_t from = 0; (n = gw_machine_memory_run(&e->m.mem, from, &first));
	     from = first + n) {
		gw_bitmap_set_range(e->faults.due, first, n);
		if (write_protect(e, first, n, true, err) < 0) {
			close_all(&e->faults);
			return -1;
		}
	}
	return start_thread(e, GW_EMU_FAULTS_PROTECT, err);
}

static int protect_release(struct gw_domain *d, size_t n, const uint64_t *pfns,
			   struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(d);
	struct gw_emu_faults *f = &e->faults;
	int rc = 0;

	if (f->mode != GW_EMU_FAULTS_PROTECT)
		return gw_fail(err, GW_USAGE, "domain %u is not protected", d->domid);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (pfns[i] >= e->m.mem.window)
			continue;
		clear_due(f, pfns[i]);
		pthread_mutex_lock(&f->lock);
		/* While logging, the page must stay protected. */
		if (!f->logging && gw_machine_memory_has(&e->m.mem, pfns[i]))
			rc = write_protect(e, pfns[i], 1, false, err);
		pthread_mutex_unlock(&f->lock);
	}
	return rc;
}

static int protect_stop(struct gw_domain *d, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(d);

	if (e->faults.mode != GW_EMU_FAULTS_PROTECT)
		return 0;
	if (e->faults.logging)
		return gw_fail(err, GW_BUSY, "domain %u logs dirty pages: stop that first",
			       d->domid);
	end(&e->faults);
	return 0;
}

static int make_absent(struct gw_emu *e, size_t n, const uint64_t *pfns, struct gw_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (!gw_machine_memory_has(&e->m.mem, pfns[i]))
			return gw_fail(err, GW_INVALID, "pfn 0x%llx has no page to be filled",
				       (unsigned long long)pfns[i]);
		if (madvise(gw_machine_memory_page(&e->m.mem, pfns[i]), GW_PAGE_SIZE, MADV_REMOVE) <
		    0)
			return gw_fail_errno(err, "emptying the page of pfn 0x%llx",
					     (unsigned long long)pfns[i]);
		gw_bitmap_set(e->faults.due, pfns[i]);
	}
	return 0;
}

static int absent_start(struct gw_domain *d, size_t n, const uint64_t *pfns,
			gw_touch_fault_fn *on_touch, void *opaque, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(d);

	if (begin(e, GW_EMU_FAULTS_ABSENT, err) < 0)
		return -1;
	e->faults.on_touch = on_touch;
	e->faults.opaque = opaque;
	if (make_absent(e, n, pfns, err) < 0) {
		close_all(&e->faults);
		return -1;
	}
	return start_thread(e, GW_EMU_FAULTS_ABSENT, err);
}

static int fill(struct gw_domain *d, uint64_t pfn, const void *page, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(d);
	struct gw_emu_faults *f = &e->faults;

	if (f->mode != GW_EMU_FAULTS_ABSENT || pfn >= e->m.mem.window)
		return gw_fail(err, GW_USAGE, "pfn 0x%llx is not absent", (unsigned long long)pfn);
	if (!is_due(f, pfn))
		return 0;
	struct uffdio_copy copy = {
		.dst = (uintptr_t)gw_machine_memory_page(&e->m.mem, pfn),
		.src = (uintptr_t)page,
		.len = GW_PAGE_SIZE,
	};

	while (ioctl(f->uffd, UFFDIO_COPY, &copy) < 0) {
		/* Another thread filled it a moment ago, and may not have said so yet. */
		if (errno == EEXIST) {
			clear_due(f, pfn);
			return 0;
		}
		if (errno != EAGAIN && errno != EINTR)
			return gw_fail_errno(err, "filling the page of pfn 0x%llx",
					     (unsigned long long)pfn);
	}
	clear_due(f, pfn);
	gw_emu_stale(&e->m, pfn);
	gw_machine_dirty_mark(&e->m, pfn);
	return 0;
}

static int absent_stop(struct gw_domain *d, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of(d);

	if (e->faults.mode != GW_EMU_FAULTS_ABSENT)
		return 0;
	uint64_t left = gw_bitmap_count(e->faults.due, e->m.mem.window);

	if (left > 0)
		return gw_fail(err, GW_BUSY, "domain %u: %llu pages are still absent", d->domid,
			       (unsigned long long)left);
	end(&e->faults);
	return 0;
}

const struct gw_fault_ops gw_emu_fault_ops = {
	.head = GW_TABLE_HEAD(struct gw_fault_ops),
	.protect_start = protect_start,
	.protect_release = protect_release,
	.protect_stop = protect_stop,
	.absent_start = absent_start,
	.fill = fill,
	.absent_stop = absent_stop,
};

/* Log-dirty as a part of protect. */

static int log_start(struct gw_machine *m, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of_machine(m);
	uint64_t first, n;

	pthread_mutex_lock(&e->faults.lock);
	e->faults.logging = true;
	pthread_mutex_unlock(&e->faults.lock);
	for (uint64_t from = 0; (n = gw_machine_memory_run(&e->m.mem, from, &first));
	     from = first + n)
		if (write_protect(e, first, n, true, err) < 0)
			return -1;
	return 0;
}

static int log_collect(struct gw_machine *m, uint64_t *bitmap, bool forget, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of_machine(m);
	uint64_t nr = e->m.mem.window;
	int rc = 0;

	pthread_mutex_lock(&e->faults.lock);
	gw_machine_dirty_take_marks(&e->m, bitmap, forget);
	for (uint64_t gfn = 0; forget && rc == 0; gfn++) {
		gfn = gw_bitmap_next_set(bitmap, nr, gfn);
		if (gfn >= nr)
			break;
		if (gw_machine_memory_has(&e->m.mem, gfn))
			rc = write_protect(e, gfn, 1, true, err);
	}
	pthread_mutex_unlock(&e->faults.lock);
	return rc;
}

/* Pages that must be copied before a write stay protected. */
static void log_stop(struct gw_machine *m)
{
	struct gw_emu *e = gw_emu_of_machine(m);
	pthread_mutex_lock(&e->faults.lock);
	e->faults.logging = false;
	for (uint64_t gfn = 0; gfn < e->m.mem.top; gfn++)
		if (gw_machine_memory_has(&e->m.mem, gfn) && !is_due(&e->faults, gfn))
			write_protect(e, gfn, 1, false, NULL);
	pthread_mutex_unlock(&e->faults.lock);
}

static int log_added(struct gw_machine *m, size_t n, const uint64_t *gfns, struct gw_error *err)
{
	struct gw_emu *e = gw_emu_of_machine(m);
	for (size_t i = 0; i < n; i++)
		if (write_protect(e, gfns[i], 1, true, err) < 0)
			return -1;
	return 0;
}

const struct gw_machine_dirty_ops gw_emu_dirty_faults = {
	.name = "faults",
	.start = log_start,
	.collect = log_collect,
	.stop = log_stop,
	.added = log_added,
};
