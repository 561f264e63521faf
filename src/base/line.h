/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lines of a log or of messages, each written by one call of write(2): lines of several processes
 * do not mix.
 */
#ifndef GW_BASE_LINE_H
#define GW_BASE_LINE_H

#include <limits.h>
#include <stdarg.h>
#include <stddef.h>

#include <godwit/error.h>

/* Zeroed is an empty line. A pipe takes this much at once, too. */
struct gw_line {
	size_t len;
	char text[PIPE_BUF];
};

/* Appends text of the program's own, as it is. */
void gw_line_add(struct gw_line *line, const char *fmt, ...) GW_PRINTF(2, 3);
/* Appends text that may come from anywhere, made visible (visible.h). What does not fit is replaced
 * by "...". */
void gw_line_add_foreign(struct gw_line *line, const char *text);
/* Adds the newline and writes the line to fd. An error of the write is ignored. */
void gw_line_write(struct gw_line *line, int fd);

/* A line of two parts on standard error: prefix is the program's own, text foreign. */
void gw_line_warn(const char *prefix, const char *text);

#endif
