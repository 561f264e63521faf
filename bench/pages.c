/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Measures on this kernel what 4 MiB of pages cost: to copy them, or to write-protect them and to
 * copy each when it is written. No part of godwit runs here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

#define PAGE	       4096u
#define PAGES	       1024u
#define USER_MODE_ONLY 1
/* Of the kernel's ABI; the headers may be older. */
#define FEATURE_WP	 (UINT64_C(1) << 0)
#define FEATURE_WP_SHMEM (UINT64_C(1) << 12)

static uint8_t *pages, *copies;
static int uffd;

static int protect(uint8_t *at, size_t len, int on)
{
	struct uffdio_writeprotect wp = {
		.range = {(uintptr_t)at, len},
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &wp);
}

/* Copies each page before its first write. */
static void *serve(void *opaque)
{
	unsigned done = 0;

	while (done < PAGES) {
		struct pollfd fd = {.fd = uffd, .events = POLLIN};
		struct uffd_msg message;

		if (poll(&fd, 1, -1) < 1 || read(uffd, &message, sizeof(message)) < 1)
			continue;
		uint8_t *page = pages + (message.arg.pagefault.address - (uintptr_t)pages) / PAGE *
						(size_t)PAGE;

		memcpy(copies + (page - pages), page, PAGE);
		protect(page, PAGE, 0);
		done++;
	}
	return NULL;
}

static void print(const char *name, uint64_t since, const char *what)
{
	printf("%-24s %10.2f ms    %s\n", name, (double)(gw_clock_ns() - since) / 1e6, what);
}

static int open_uffd(void)
{
	struct uffdio_api api = {.api = UFFD_API, .features = FEATURE_WP | FEATURE_WP_SHMEM};
	struct uffdio_register reg = {.range = {(uintptr_t)pages, PAGES * PAGE},
				      .mode = UFFDIO_REGISTER_MODE_WP};

	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) < 0 || ioctl(uffd, UFFDIO_REGISTER, &reg) < 0)
		return -1;
	return 0;
}

int main(void)
{
	pthread_t thread;
	uint64_t start;

	pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	copies = malloc(PAGES * PAGE);
	if (pages == MAP_FAILED || !copies)
		return 1;
	memset(pages, 1, PAGES * PAGE);
	memset(copies, 1, PAGES * PAGE);
	start = gw_clock_ns();
	memcpy(copies, pages, PAGES * PAGE);
	print("pages-copy", start, "to copy 4 MiB");
	if (open_uffd() < 0 || pthread_create(&thread, NULL, serve, NULL) != 0) {
		printf("pages-protect: not on this kernel (%s)\n", strerror(errno));
		return 0;
	}
	start = gw_clock_ns();
	protect(pages, PAGES * PAGE, 1);
	print("pages-protect", start, "to write-protect them");
	start = gw_clock_ns();
	for (unsigned i = 0; i < PAGES; i++)
		*(volatile uint8_t *)(pages + i * (size_t)PAGE) = 2;
	print("pages-write", start, "until each was written once after that");
	pthread_join(thread, NULL);
	return 0;
}
