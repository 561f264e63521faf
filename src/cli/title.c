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
#include "base/visible.h"

static char *room;
static size_t room_len;

/* The end of the strings that follow each other in memory from at on. */
static char *end_of(char **strings, char *at)
{
	for (; *strings && *strings == at; strings++)
		at += strlen(at) + 1;
	return at;
}

/* A copy of the list and of its strings, never freed; NULL if there is no memory. */
static char **copy_of(char **strings, size_t n)
{
	char **copy = calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = strdup(strings[i]);
		if (!copy[i])
			return NULL;
	}
	return copy;
}

void gw_title_init(int argc, char **argv)
{
	char **arguments, **environment, *start = argv[0], *end;
	size_t n = 0;

	if (argc < 1)
		return;
	while (environ[n])
		n++;
	end = end_of(environ, end_of(argv, start));
	arguments = copy_of(argv, (size_t)argc);
	environment = copy_of(environ, n);
	/* Without both, the strings stay where they are, and so does the title. */
	if (!arguments || !environment)
		return;
	memcpy(argv, arguments, (size_t)argc * sizeof(*argv));
	free(arguments);
	environ = environment;
	room = start;
	room_len = (size_t)(end - start);
}

void gw_title_set(const char *kind, const char *name)
{
	char title[160], shown[120];
	size_t len;

	if (!room_len)
		return;
	gw_visible(shown, sizeof(shown), name);
	/* The short name has 15 characters. */
	snprintf(title, sizeof(title), "godwit:%s", shown);
	prctl(PR_SET_NAME, title);
	snprintf(title, sizeof(title), "godwit: %s %s", kind, shown);
	len = GW_MIN(strlen(title), room_len - 1);
	memset(room, 0, room_len);
	memcpy(room, title, len);
}
