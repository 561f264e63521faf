/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads a file of settings, line by line.
 */
#include "base/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/safe_path.h"

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

static int read_lines(const struct reader *r, FILE *file, struct gw_error *err)
{
	char line[LINE_MAX_LEN];
	size_t total = 0;

	for (unsigned number = 1; fgets(line, sizeof(line), file); number++) {
		int rc = strchr(line, '\n') || feof(file)
				 ? 0
				 : gw_fail(err, GW_USAGE, "a line of more than %zu characters",
					   sizeof(line) - 2);

		total += strlen(line);
		if (rc == 0 && total > GW_SETTINGS_MAX)
			rc = gw_fail(err, GW_USAGE, "the file has more than %u bytes",
				     GW_SETTINGS_MAX);
		if (rc == 0)
			rc = read_line(r, line, err);
		if (rc < 0)
			return gw_fail_in(err, "%s, line %u", r->path, number);
	}
	return ferror(file) ? gw_fail_errno(err, "reading %s", r->path) : 0;
}

static int read_file(const struct reader *r, int fd, struct gw_error *err)
{
	FILE *file = gw_safe_check_regular(fd, r->path, err) == 0 ? fdopen(fd, "r") : NULL;
	int rc;

	if (!file) {
		gw_fail_errno(err, "%s", r->path);
		close(fd);
		return -1;
	}
	rc = read_lines(r, file, err);
	fclose(file);
	return rc;
}

int gw_settings_read(const char *variable, const char *path, gw_setting *setting, void *opaque,
		     struct gw_error *err)
{
	const char *named = getenv(variable);
	struct reader r = {setting, opaque, named && *named ? named : path};
	struct gw_error why = GW_ERROR_INIT;
	/* O_NONBLOCK: to open a FIFO could wait for ever. */
	int fd = gw_safe_open(r.path, O_RDONLY | O_NONBLOCK, 0, GW_SAFE_PRIVATE, &why);

	if (fd < 0 && errno == ENOENT && r.path != named)
		return 0;
	return fd < 0 ? gw_fail_as(err, &why) : read_file(&r, fd, err);
}
