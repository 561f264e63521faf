/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A disk that hangs, for LD_PRELOAD: a write to a regular file whose path has the word of
 * GODWIT_TEST_SLOW does not return as long as the file GODWIT_TEST_BLOCK exists. It then writes the
 * path to that file, so that a test knows when a write waits.
 */
/* Else both names of a call would be one. */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void wait_for_disk(int fd)
{
	const char *block = getenv("GODWIT_TEST_BLOCK"), *slow = getenv("GODWIT_TEST_SLOW");
	char link[64], path[4096];
	struct stat st;
	ssize_t n;

	if (!block || !slow || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	if (!strstr(path, slow))
		return;
	while (stat(block, &st) == 0) {
		int out = st.st_size == 0 ? open(block, O_WRONLY | O_CLOEXEC) : -1;

		if (out >= 0) {
			dprintf(out, "%s\n", path);
			close(out);
		}
		usleep(10000);
	}
}

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *buf, size_t len)
{
	wait_for_disk(fd);
	return NEXT(write)(fd, buf, len);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	wait_for_disk(fd);
	return NEXT(writev)(fd, iov, n);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t offset, int flags)
{
	wait_for_disk(fd);
	return NEXT(pwritev2)(fd, iov, n, offset, flags);
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int n, off64_t offset, int flags)
{
	wait_for_disk(fd);
	return NEXT(pwritev64v2)(fd, iov, n, offset, flags);
}
