/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sets the title of a process: the kernel shows what is in the memory of its first arguments.
 */
#include "cli/title.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/util.h"

static char *room;
static size_t room_len;

/* The end of the strings that follow each other in memory from at on. */
static char *end_of(char **strings, char *at)
{
	for (; *strings && *strings == at; strings++)
		at += strlen(at) + 1;
	return at;
}

void gw_title_init(int argc, char **argv)
{
	size_t n = 0;
	char **copy, *end;

	if (argc < 1)
		return;
	while (environ[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	end = end_of(argv, argv[0]);
	end = end_of(environ, end);
	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(environ[i]);
		if (!copy[i])
			return; /* the old environment stays, and so does the title */
	}
	if (!copy)
		return;
	environ = copy;
	room = argv[0];
	room_len = (size_t)(end - argv[0]);
}

void gw_title_set(const char *kind, const char *name)
{
	char title[160];
	size_t len;

	if (!room_len)
		return;
	/* The short name has 15 characters. */
	snprintf(title, sizeof(title), "godwit:%s", name);
	prctl(PR_SET_NAME, title);
	snprintf(title, sizeof(title), "godwit: %s %s", kind, name);
	len = GW_MIN(strlen(title), room_len - 1);
	memset(room, 0, room_len);
	memcpy(room, title, len);
}
