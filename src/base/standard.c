/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Puts /dev/null in the place of closed standard descriptors, opened for the direction that is not
 * used.
 */
#include "base/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void gw_standard_occupy(int status)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(status);
	}
}
