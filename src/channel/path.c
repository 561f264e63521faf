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

#include "base/util.h"

int gw_place_open(struct gw_place *place, const char *path, struct gw_error *err)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;
	GW_FREE_ON_EXIT char *dir = slash ? strndup(path, (size_t)(last - path)) : strdup(".");
	GW_FREE_ON_EXIT char *name = strdup(last);

	*place = (struct gw_place){.dir = -1};
	if (!dir || !name)
		return gw_fail_errno(err, "%s", path);
	if (!*last)
		return gw_fail(err, GW_USAGE, "\"%s\" names no file", path);
	place->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->dir < 0 && errno == EACCES)
		place->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place->dir < 0)
		return gw_fail_errno(err, "the folder of %s", path);
	place->name = GW_STEAL(name);
	return 0;
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
