/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Spool files. They have no name, so that a crash leaves no guest memory on the disk.
 */
#include "channel/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"

#define FLUSH_AT (1u << 20)

int gw_spool_file(struct gw_error *err)
{
	const char *dirs[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	int fd;

	for (size_t i = 0; i < GW_ARRAY_SIZE(dirs); i++) {
		if (!dirs[i] || !dirs[i][0])
			continue;
		fd = open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (fd >= 0)
			return fd;
	}
	fd = memfd_create("godwit-spool", MFD_CLOEXEC);
	if (fd < 0)
		gw_fail_errno(err, "a file for a round of checkpoints");
	return fd;
}

/*
 * Replaces a used file by a new one. ext4 writes the contents of a file that was truncated to 0 to
 * the disk when it is closed (auto_da_alloc in Documentation/filesystems/ext4).
 */
int gw_spool_begin(struct gw_spool *s, struct gw_error *err)
{
	gw_buffer_reset(&s->pending);
	if (s->open && s->bytes) {
		close(s->fd);
		s->open = false;
	}
	s->bytes = 0;
	if (s->open)
		return 0;
	s->fd = gw_spool_file(err);
	s->open = s->fd >= 0;
	return s->open ? 0 : -1;
}

static int flush(struct gw_spool *s, struct gw_error *err)
{
	size_t done = 0;

	while (done < s->pending.len) {
		ssize_t n = write(s->fd, s->pending.data + done, s->pending.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gw_fail_errno(err, "spooling a round of checkpoints");
		done += (size_t)n;
	}
	gw_buffer_reset(&s->pending);
	return 0;
}

void *gw_spool_room(struct gw_spool *s, size_t len, struct gw_error *err)
{
	return gw_buffer_reserve(&s->pending, len, err);
}

int gw_spool_filled(struct gw_spool *s, size_t len, struct gw_error *err)
{
	s->pending.len += len;
	s->bytes += len;
	if (s->limit && s->bytes > s->limit)
		return gw_fail(
			err, GW_INVALID,
			"a round of checkpoints has more than %llu bytes, which is more than the domain could fill",
			(unsigned long long)s->limit);
	return s->pending.len >= FLUSH_AT ? flush(s, err) : 0;
}

int gw_spool_put(struct gw_spool *s, const void *data, size_t len, struct gw_error *err)
{
	if (gw_buffer_append(&s->pending, data, len, err) < 0)
		return -1;
	s->pending.len -= len;
	return gw_spool_filled(s, len, err);
}

struct gw_channel *gw_spool_read(struct gw_spool *s, struct gw_error *err)
{
	if (flush(s, err) < 0)
		return NULL;
	if (lseek(s->fd, 0, SEEK_SET) < 0) {
		gw_fail_errno(err, "reading a spooled round of checkpoints");
		return NULL;
	}
	return gw_channel_from_fd(s->fd, false, "spooled round", err);
}

void gw_spool_close(struct gw_spool *s)
{
	if (s->open)
		close(s->fd);
	gw_buffer_free(&s->pending);
	*s = (struct gw_spool){0};
}
