/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Turns as locks of bytes in a file without a name.
 */
#include "cli/turns.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int gw_turns_open(struct gw_turns *turns, unsigned n, struct gw_error *err)
{
	*turns = (struct gw_turns){.fd = memfd_create("godwit-turns", MFD_CLOEXEC), .n = n};
	return turns->fd < 0 ? gw_fail_errno(err, "a file for turns") : 0;
}

bool gw_turns_take(const struct gw_turns *turns)
{
	for (unsigned i = 0; turns->fd >= 0 && i < turns->n; i++) {
		struct flock byte = {
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = i, .l_len = 1};

		if (fcntl(turns->fd, F_SETLK, &byte) == 0)
			return true;
	}
	return turns->fd < 0;
}

void gw_turns_close(struct gw_turns *turns)
{
	if (turns->fd >= 0)
		close(turns->fd);
	turns->fd = -1;
}
