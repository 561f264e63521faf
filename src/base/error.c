/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fills a gw_error, without printing or allocating.
 */
#include <assert.h>
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

int gw_fail_as(struct gw_error *err, const struct gw_error *why)
{
	if (err && err->code == GW_OK)
		*err = *why;
	return -1;
}

const char *gw_error_reason(const struct gw_error *err, unsigned i)
{
	const char *s = err->text;

	assert(i < err->nr_reasons);
	for (i++; i > 0; i--)
		s += strlen(s) + 1;
	return s;
}

static void add_reason(struct gw_error *err, const char *reason)
{
	const char *last = err->nr_reasons ? gw_error_reason(err, err->nr_reasons - 1) : err->text;
	size_t used = (size_t)(last - err->text) + strlen(last) + 1;
	size_t n = strlen(reason) + 1;

	if (err->reasons_left_out > 0 || n > sizeof(err->text) - used) {
		err->reasons_left_out++;
		return;
	}
	memcpy(err->text + used, reason, n);
	err->nr_reasons++;
}

/* Gives err a new sentence. Reasons that no longer fit after it are left out. */
static void replace_sentence(struct gw_error *err, const char *sentence)
{
	struct gw_error old = *err;

	snprintf(err->text, sizeof(err->text), "%s", sentence);
	err->nr_reasons = err->reasons_left_out = 0;
	for (unsigned i = 0; i < old.nr_reasons; i++)
		add_reason(err, gw_error_reason(&old, i));
	err->reasons_left_out += old.reasons_left_out;
}

int gw_fail_in(struct gw_error *err, const char *fmt, ...)
{
	char context[sizeof(err->text)];
	char whole[2 * sizeof(err->text) + 2];
	va_list ap;

	if (!err || err->code == GW_OK)
		return -1;
	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	/* A text too long for the buffer loses its end, never its beginning. */
	snprintf(whole, sizeof(whole), "%s: %s", context, err->text);
	replace_sentence(err, whole);
	return -1;
}

int gw_fail_more(struct gw_error *err, const char *fmt, ...)
{
	char more[sizeof(err->text)];
	char whole[2 * sizeof(err->text)];
	va_list ap;
	int room;

	if (!err || err->code == GW_OK)
		return -1;
	va_start(ap, fmt);
	vsnprintf(more, sizeof(more), fmt, ap);
	va_end(ap);
	room = (int)(sizeof(err->text) - 1 - strlen(more));
	snprintf(whole, sizeof(whole), "%.*s%s", room, err->text, more);
	replace_sentence(err, whole);
	return -1;
}

int gw_fail_reason(struct gw_error *err, const char *fmt, ...)
{
	char reason[sizeof(err->text)];
	va_list ap;

	if (!err || err->code == GW_OK)
		return -1;
	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	add_reason(err, reason);
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
		[GW_GONE] = "gone",
	};

	return (size_t)code < GW_ARRAY_SIZE(names) && names[code] ? names[code] : "unknown";
}

void gw_error_clear(struct gw_error *err)
{
	if (err)
		*err = (struct gw_error)GW_ERROR_INIT;
}
