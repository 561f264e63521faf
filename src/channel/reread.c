/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reading an output again. The file is opened a second time, because its descriptor may be
 * write-only.
 */
#include "channel/reread.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "channel/kind.h"
#include "channel/offset_io.h"

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

struct part {
	struct gw_channel ch;
	const struct gw_channel *file;
	uint64_t next, end;
};

static struct part *part_of(struct gw_channel *ch)
{
	return gw_container_of(ch, struct part, ch);
}

static ssize_t part_read(struct gw_channel *ch, const struct iovec *iov, int n,
			 struct gw_error *err)
{
	struct part *p = part_of(ch);
	size_t len = (size_t)GW_MIN(p->end - p->next, (uint64_t)iov[0].iov_len);

	(void)n;
	if (gw_channel_pread(p->file, p->next, iov[0].iov_base, len, err) < 0)
		return -1;
	p->next += len;
	return (ssize_t)len;
}

static int64_t part_skip(struct gw_channel *ch, uint64_t len, struct gw_error *err)
{
	struct part *p = part_of(ch);

	(void)err;
	len = GW_MIN(p->end - p->next, len);
	p->next += len;
	return (int64_t)len;
}

static ssize_t part_write(struct gw_channel *ch, const struct iovec *iov, int n,
			  struct gw_error *err)
{
	(void)iov;
	(void)n;
	return gw_fail(err, GW_USAGE, "%s is only read", ch->name);
}

static int part_finish(struct gw_channel *ch, struct gw_error *err)
{
	(void)ch;
	(void)err;
	return 0;
}

static void part_close(struct gw_channel *ch)
{
	(void)ch;
}

static const struct gw_channel_ops part_ops = {
	.read = part_read,
	.write = part_write,
	.skip = part_skip,
	.drain = gw_channel_drain_nothing,
	.finish = part_finish,
	.close = part_close,
};

struct gw_channel *gw_channel_part(const struct gw_channel *file, uint64_t begin, uint64_t end,
				   struct gw_error *err)
{
	struct part *p = calloc(1, sizeof(*p));

	if (!p) {
		gw_fail_errno(err, "a channel for a part of %s", file->name);
		return NULL;
	}
	if (gw_channel_init(&p->ch, &part_ops, file->name, err) < 0) {
		free(p);
		return NULL;
	}
	p->file = file;
	p->next = begin;
	p->end = end;
	p->ch.cancel = file->cancel;
	return &p->ch;
}
