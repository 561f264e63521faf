/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fills a gw_error, without printing or allocating.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <godwit/error.h>

#include "base/util.h"

static void record(struct gw_error *err, enum gw_code code, int errnum, const char *fmt, va_list ap)
{
	if (!err || err->code != GW_OK)
		return;
	err->code = code;
	err->errnum = errnum;
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

int gw_fail(struct gw_error *err, enum gw_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	record(err, code, 0, fmt, ap);
	va_end(ap);
	return -1;
}

int gw_fail_errno(struct gw_error *err, const char *fmt, ...)
{
	int errnum = errno;
	bool first = err && err->code == GW_OK;
	va_list ap;

	va_start(ap, fmt);
	record(err, errnum == ENOMEM ? GW_NO_MEMORY : GW_SYSTEM, errnum, fmt, ap);
	va_end(ap);
	if (first) {
		size_t used = strlen(err->text);
		char why[128];

		snprintf(err->text + used, sizeof(err->text) - used, ": %s",
			 strerror_r(errnum, why, sizeof(why)));
	}
	errno = errnum;
	return -1;
}

int gw_fail_in(struct gw_error *err, const char *fmt, ...)
{
	char context[sizeof(err->text)];
	char whole[sizeof(err->text)];
	va_list ap;

	if (!err || err->code == GW_OK)
		return -1;
	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	/* A text too long for the buffer loses its end, never its beginning. */
	int n = snprintf(whole, sizeof(whole), "%s: %s", context, err->text);
	memcpy(err->text, whole, n < (int)sizeof(whole) ? (size_t)n + 1 : sizeof(whole));
	return -1;
}

const char *gw_code_name(enum gw_code code)
{
	static const char *const names[] = {
		[GW_OK] = "ok",
		[GW_INVALID] = "invalid",
		[GW_TRUNCATED] = "truncated",
		[GW_SYSTEM] = "system",
		[GW_CANCELLED] = "cancelled",
		[GW_REFUSED] = "refused",
		[GW_UNSUPPORTED] = "unsupported",
		[GW_PEER] = "peer",
		[GW_GUEST] = "guest",
		[GW_TOO_LATE] = "too-late",
		[GW_BUSY] = "busy",
		[GW_USAGE] = "usage",
		[GW_NO_MEMORY] = "no-memory",
	};

	return (size_t)code < GW_ARRAY_SIZE(names) && names[code] ? names[code] : "unknown";
}

void gw_error_clear(struct gw_error *err)
{
	if (err)
		*err = (struct gw_error)GW_ERROR_INIT;
}
