/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Composes a line and writes it in one call.
 */
#include "base/line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "base/visible.h"

#define CUT "..."

/* The bytes that are free, without those of CUT and of the newline. */
static size_t room(const struct gw_line *line)
{
	size_t taken = line->len + strlen(CUT) + 1;

	return taken < sizeof(line->text) ? sizeof(line->text) - taken : 0;
}

static void cut(struct gw_line *line)
{
	if (line->len + strlen(CUT) >= sizeof(line->text))
		return;
	memcpy(line->text + line->len, CUT, strlen(CUT));
	line->len += strlen(CUT);
}

void gw_line_add(struct gw_line *line, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line->text + line->len, room(line), fmt, ap);
	va_end(ap);
	if (n > 0 && room(line) > 0)
		line->len += GW_MIN((size_t)n, room(line) - 1);
}

void gw_line_add_foreign(struct gw_line *line, const char *text)
{
	char shown[GW_VISIBLE_MAX];
	size_t left = strlen(text);

	while (left > 0) {
		size_t n = gw_visible_next(text, left, shown);
		size_t len = strlen(shown);

		if (len > room(line)) {
			cut(line);
			return;
		}
		memcpy(line->text + line->len, shown, len);
		line->len += len;
		text += n;
		left -= n;
	}
}

void gw_line_write(struct gw_line *line, int fd)
{
	size_t done = 0;

	line->text[line->len++] = '\n';
	while (done < line->len) {
		ssize_t n = write(fd, line->text + done, line->len - done);

		if (n < 0 && errno != EINTR)
			return;
		done += n > 0 ? (size_t)n : 0;
	}
}

void gw_line_warn(const char *prefix, const char *text)
{
	struct gw_line line = {0};

	gw_line_add(&line, "%s", prefix);
	gw_line_add_foreign(&line, text);
	gw_line_write(&line, STDERR_FILENO);
}
