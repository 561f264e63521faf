/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Paths: an open folder and a name in it.
 */
#include "channel/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int gw_place_open(struct gw_place *place, const struct gw_safe_path *at, const char *path,
		  struct gw_error *err)
{
	*place = (struct gw_place){.dir = -1};
	place->dir = openat(at->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->dir < 0 && errno == EACCES)
		place->dir = fcntl(at->dir, F_DUPFD_CLOEXEC, 0);
	if (place->dir < 0)
		return gw_fail_errno(err, "the folder of %s", path);
	place->name = strdup(at->name);
	if (place->name)
		return 0;
	gw_place_close(place);
	return gw_fail_errno(err, "%s", path);
}

void gw_place_sync(const struct gw_place *place)
{
	/* Fails for a folder that is not readable, and on some file systems. */
	int ignored = fsync(place->dir);
	(void)ignored;
}

void gw_place_close(struct gw_place *place)
{
	if (place->dir >= 0)
		close(place->dir);
	free(place->name);
	*place = (struct gw_place){.dir = -1};
}
