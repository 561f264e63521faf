/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Failures of Xen's calls as errors of godwit's, and libxc's messages, which become a part of them
 * instead of lines on stderr.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hypervisor/xen/domain.h"

/* The last error message of libxc's in this thread. */
static __thread char said[200];

static void note(struct xentoollog_logger *log, xentoollog_level level, int errnoval,
		 const char *context, const char *format, va_list al)
{
	int errnum = errno;

	if (level >= XTL_ERROR) {
		vsnprintf(said, sizeof(said), format, al);
		said[strcspn(said, "\n")] = '\0';
	}
	errno = errnum;
}

static void nothing(struct xentoollog_logger *log)
{
}

void gw_xen_log_init(xentoollog_logger *log)
{
	*log = (xentoollog_logger){.vmessage = note, .destroy = nothing};
}

enum gw_code gw_xen_code(int errnum)
{
	switch (errnum) {
	case EOPNOTSUPP:
	case ENOSYS:
		return GW_UNSUPPORTED;
	case ENOMEM:
		return GW_NO_MEMORY;
	case EEXIST:
		return GW_BUSY;
	default:
		return GW_SYSTEM;
	}
}

int gw_xen_fail(struct gw_error *err, const char *fmt, ...)
{
	int errnum = errno;
	bool first = err && err->code == GW_OK;
	char what[300], why[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	gw_fail(err, gw_xen_code(errnum), "%s: %s%s%s%s", what,
		strerror_r(errnum, why, sizeof(why)), said[0] ? " (libxc: " : "", said,
		said[0] ? ")" : "");
	if (first && err->code == GW_SYSTEM)
		err->errnum = errnum;
	said[0] = '\0';
	errno = errnum;
	return -1;
}
