/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading an output again. The file is opened a second time, because its descriptor may be
 * write-only.
 */
#include "channel/reread.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_file(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

struct gw_channel *gw_channel_reread(const struct gw_channel *out)
{
	off_t end = is_file(out->fd) ? lseek(out->fd, 0, SEEK_CUR) : -1;
	off_t begin = end - (off_t)out->write_pos;
	struct gw_channel *back = NULL;
	char path[32];
	int fd;

	if (end < 0 || begin < 0 || !out->write_pos)
		return NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", out->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (lseek(fd, begin, SEEK_SET) == begin)
		back = gw_channel_from_fd(fd, true, out->name, NULL);
	if (!back)
		close(fd);
	else
		gw_channel_set_cancel(back, out->cancel);
	return back;
}
