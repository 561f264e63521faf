/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Counts open descriptors in /proc.
 */
#include "lib/gwtest.h"

#include <dirent.h>

#include "lib/descriptors.h"

int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
