/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pread and pwrite of all bytes of a range, and the offset of the next write.
 */
#include "channel/offset_io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "channel/fd.h"

int gw_pread_all(int fd, uint64_t offset, void *buf, size_t len, const char *what,
		 struct gw_error *err)
{
	uint8_t *to = buf;

	while (len) {
		ssize_t n = pread(fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gw_fail_errno(err, "reading %s at offset 0x%" PRIx64, what, offset);
		if (n == 0)
			return gw_fail(err, GW_SYSTEM,
				       "%s ends at offset 0x%" PRIx64
				       " now: it has changed while it was read",
				       what, offset);
		to += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int gw_pwrite_all(int fd, uint64_t offset, const void *buf, size_t len, const char *what,
		  struct gw_error *err)
{
	const uint8_t *from = buf;

	while (len) {
		ssize_t n = pwrite(fd, from, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gw_fail_errno(err, "writing %s at offset 0x%" PRIx64, what, offset);
		from += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int gw_channel_pread(const struct gw_channel *ch, uint64_t offset, void *buf, size_t len,
		     struct gw_error *err)
{
	if (gw_channel_check(ch, GW_READING, err))
		return -1;
	return gw_pread_all(ch->fd, ch->start + offset, buf, len, ch->name, err);
}

int64_t gw_channel_file_offset(struct gw_channel *ch)
{
	const struct gw_fd *f = ch->ops->splice_fd ? ch->ops->splice_fd(ch) : NULL;

	if (!f || !f->is_file || fcntl(f->ch.fd, F_GETFL) & O_APPEND)
		return -1;
	return lseek(f->ch.fd, 0, SEEK_CUR);
}
