/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads a file of settings, line by line.
 */
#include "base/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN 1200

struct reader {
	gw_setting *setting;
	void *opaque;
	const char *path;
};

/* Removes blanks at both ends, in place. */
static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]))
		text[--len] = '\0';
	return text;
}

static int read_line(const struct reader *r, char *line, struct gw_error *err)
{
	char *key, *value;

	line[strcspn(line, "#")] = '\0';
	key = trim(line);
	if (!*key)
		return 0;
	value = strchr(key, '=');
	if (!value)
		return gw_fail(err, GW_USAGE, "expected \"setting = value\"");
	*value++ = '\0';
	key = trim(key);
	return r->setting(r->opaque, key, trim(value), r->path, err);
}

static int read_file(const struct reader *r, FILE *file, struct gw_error *err)
{
	char line[LINE_MAX_LEN];

	for (unsigned number = 1; fgets(line, sizeof(line), file); number++) {
		int rc = strchr(line, '\n') || feof(file)
				 ? read_line(r, line, err)
				 : gw_fail(err, GW_USAGE, "a line of more than %zu characters",
					   sizeof(line) - 2);

		if (rc < 0)
			return gw_fail_in(err, "%s, line %u", r->path, number);
	}
	return ferror(file) ? gw_fail_errno(err, "reading %s", r->path) : 0;
}

int gw_settings_read(const char *variable, const char *path, gw_setting *setting, void *opaque,
		     struct gw_error *err)
{
	const char *named = getenv(variable);
	struct reader r = {setting, opaque, named && *named ? named : path};
	FILE *file = fopen(r.path, "re");
	int rc;

	if (!file && errno == ENOENT && r.path != named)
		return 0;
	if (!file)
		return gw_fail_errno(err, "%s", r.path);
	rc = read_file(&r, file, err);
	fclose(file);
	return rc;
}
