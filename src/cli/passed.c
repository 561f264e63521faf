/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Takes over the descriptors that a receiver was started with.
 */
#include "cli/passed.h"

#include <fcntl.h>
#include <unistd.h>

#include "channel/pair.h"

/* What is printed from now on goes nowhere. */
static int replace(int fd, struct gw_error *err)
{
	int null = open("/dev/null", (fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
	int rc = null < 0 ? -1 : dup2(null, fd);

	if (null >= 0)
		close(null);
	return rc < 0 ? gw_fail_errno(err, "/dev/null") : 0;
}

static int take(int *fd, struct gw_error *err)
{
	int own = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (own < 0)
		return gw_fail_errno(err, "fd:%d", *fd);
	if (*fd <= STDERR_FILENO) {
		if (replace(*fd, err) < 0) {
			close(own);
			return -1;
		}
	} else {
		close(*fd);
	}
	*fd = own;
	return 0;
}

int gw_passed_take(struct gw_address *address, struct gw_error *err)
{
	bool same = address->fd == address->out_fd;

	if (take(&address->fd, err) < 0)
		return -1;
	if (same) {
		address->out_fd = address->fd;
		return 0;
	}
	return take(&address->out_fd, err);
}

struct gw_channel *gw_passed_channel(const struct gw_address *address, const char *name,
				     struct gw_error *err)
{
	struct gw_channel *in = gw_channel_from_fd(address->fd, true, name, err);

	if (!in || address->fd == address->out_fd)
		return in;
	return gw_channel_pair(in, gw_channel_from_fd(address->out_fd, true, name, err), name, err);
}
