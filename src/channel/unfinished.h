/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files that have no name, or only a hidden one, until they are complete.
 */
#ifndef GW_CHANNEL_UNFINISHED_H
#define GW_CHANNEL_UNFINISHED_H

#include <godwit/error.h>

#include "channel/path.h"

/*
 * A file on its way to its place. While it is written it has no name (O_TMPFILE), so that nothing
 * is left of it when all processes that write it are gone, however they ended. Where the file
 * system cannot do that, it has a hidden name, .NAME.godwit-XXXXXXXX, and is locked (flock) as long
 * as it is open: the next gw_unfinished_create() for NAME removes one that nobody has locked.
 */
struct gw_unfinished {
	struct gw_place place; /* of the final file */
	char *hidden;	       /* its name in that folder now; NULL: none */
	int fd;		       /* not owned; -1: there is no such file */
};

/* Creates the file, for u->place. Returns its descriptor (mode 0600, write-only, close-on-exec),
 * for the caller to close, or -1. path is for messages. */
int gw_unfinished_create(struct gw_unfinished *u, const char *path, struct gw_error *err);
/* Gives the file its name, in the place of a file that has that name. Returns 0 or -1. */
int gw_unfinished_publish(struct gw_unfinished *u, const char *path, struct gw_error *err);
/* Removes the hidden name, if the file has one still, and closes the place. */
void gw_unfinished_close(struct gw_unfinished *u);

#endif
