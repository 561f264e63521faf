/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Appends lines to the report file (report_file.h).
 */
#include "helper/save_helper/report_file.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/safe_path.h"
#include "base/util.h"

static char *line_of(const char *operation, uint32_t domid, const struct gw_report *report,
		     struct gw_error *err)
{
	struct gw_buffer text = {0};
	char *line = NULL;
	json_t *root;

	if (gw_report_json(report, operation, &text, err) == 0) {
		root = json_loadb((const char *)text.data, text.len, 0, NULL);
		json_object_set_new(root, "domid", json_integer(domid));
		line = json_dumps(root, JSON_COMPACT);
		json_decref(root);
	}
	gw_buffer_free(&text);
	if (!line)
		gw_fail(err, GW_NO_MEMORY, "writing a report: out of memory");
	return line;
}

/* One write, so that the lines of two helpers do not mix. */
static int append(const char *path, char *line, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	GW_CLOSE_ON_EXIT int fd = gw_safe_open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK,
					       0600, GW_SAFE_PRIVATE, &why);
	size_t len = strlen(line);

	if (fd < 0)
		return gw_fail(err, why.code, "the report file %s", why.text);
	line[len] = '\n';
	if (write(fd, line, len + 1) != (ssize_t)len + 1)
		return gw_fail_errno(err, "the report file %s", path);
	return 0;
}

int gw_report_file_append(const char *path, const char *operation, uint32_t domid,
			  const struct gw_report *report, struct gw_error *err)
{
	char *line = line_of(operation, domid, report, err);
	int rc = line ? append(path, line, err) : -1;

	free(line);
	return rc;
}
