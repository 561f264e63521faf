/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Paths as an open folder and a name in it, so that a file can be renamed or removed after a
 * chdir().
 */
#ifndef GW_CHANNEL_PATH_H
#define GW_CHANNEL_PATH_H

#include <godwit/error.h>

#include "base/safe_path.h"

struct gw_place {
	int dir;    /* descriptor of the folder, or -1 */
	char *name; /* the name in it; owned */
};

/* Opens the folder of a path that was walked to; path is for messages. Returns 0, or -1 with err;
 * nothing is then open. */
int gw_place_open(struct gw_place *place, const struct gw_safe_path *at, const char *path,
		  struct gw_error *err);
/* Syncs the folder, so that its names are durable, where the file system allows it. */
void gw_place_sync(const struct gw_place *place);
/* Closes the folder and frees the name. */
void gw_place_close(struct gw_place *place);

#endif
