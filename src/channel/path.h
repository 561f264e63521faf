/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A name in an open folder, so that what was made there can be renamed or removed after a chdir().
 */
#ifndef GW_CHANNEL_PATH_H
#define GW_CHANNEL_PATH_H

#include <godwit/error.h>

struct gw_place {
	int dir;    /* the folder, or -1 */
	char *name; /* the name in it; owned */
};

/* Opens the folder that path is in. 0, or -1 with err and nothing held. */
int gw_place_open(struct gw_place *place, const char *path, struct gw_error *err);
/* Makes what happened to names in the folder durable, where that can be done. */
void gw_place_sync(const struct gw_place *place);
void gw_place_close(struct gw_place *place);

#endif
