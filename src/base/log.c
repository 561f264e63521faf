/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Formats a log message for the caller's sink.
 */
#include <godwit/log.h>

#include <stdio.h>

void gw_logf(const struct gw_log *log, enum gw_log_level level, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	if (!log || !log->fn || level > log->max)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log->fn(log->opaque, level, text);
}
