/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The lines of inspect's text: a column of labels, and their values.
 */
#ifndef GW_CLI_INSPECT_LINE_H
#define GW_CLI_INSPECT_LINE_H

#include <stdarg.h>
#include <stdio.h>

#include <godwit/error.h>

static inline void label(const char *name)
{
	printf("%-14s", name);
}

static inline void GW_PRINTF(2, 3) line(const char *name, const char *fmt, ...)
{
	va_list ap;

	label(name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

#endif
