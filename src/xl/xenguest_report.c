/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Messages of libgodwit-xenguest, reported as libxenguest reports its own: by functions of
 * libxenctrl that know the logger of an xc_interface. xenctrl.h does not declare them, but every
 * libxenctrl exports them for the libxenguest of the same release.
 */
#include <errno.h>
#include <xentoollog.h>

#include "xl/xenguest_state.h"

void xc_report_error(xc_interface *xch, int code, const char *fmt, ...) GW_PRINTF(3, 4);
const char *xc_set_progress_prefix(xc_interface *xch, const char *doing);
void xc_report_progress_single(xc_interface *xch, const char *doing);
void xc_report_progress_step(xc_interface *xch, unsigned long done, unsigned long total);

/* The logger of an xc_interface takes errors and progress only. */
static void warn(const char *text)
{
	xentoollog_logger_stdiostream *log =
		xtl_createlogger_stdiostream(stderr, XTL_WARN, XTL_STDIOSTREAM_HIDE_PROGRESS);

	if (!log)
		return;
	xtl_log((xentoollog_logger *)log, XTL_WARN, -1, "godwit", "%s", text);
	xtl_logger_destroy((xentoollog_logger *)log);
}

/* The caller's logger may write to a pipe that only the caller's thread may use. */
static void log_to_caller(void *opaque, enum gw_log_level level, const char *text)
{
	struct gw_xenguest *g = opaque;

	if (level == GW_LOG_ERROR && pthread_equal(pthread_self(), g->thread))
		xc_report_error(g->xch, XC_INTERNAL_ERROR, "%s", text);
	else
		warn(text);
}

struct gw_log gw_xenguest_log(struct gw_xenguest *g)
{
	return (struct gw_log){.fn = log_to_caller, .opaque = g, .max = GW_LOG_WARNING};
}

void gw_xenguest_progress(void *owner, const struct gw_progress *p)
{
	struct gw_xenguest *g = owner;
	uint64_t total;

	if (!gw_libxc_progress(&g->progress, g->restore, p, g->doing, &total))
		return;
	if (total == 0) {
		xc_report_progress_single(g->xch, g->doing);
		return;
	}
	xc_set_progress_prefix(g->xch, g->doing);
	xc_report_progress_step(g->xch, p->pages_done, total);
}

void gw_xenguest_end_progress(struct gw_xenguest *g)
{
	xc_set_progress_prefix(g->xch, NULL);
}

static int xc_code(enum gw_code code)
{
	switch (code) {
	case GW_USAGE:
		return XC_INVALID_PARAM;
	case GW_NO_MEMORY:
		return XC_OUT_OF_MEMORY;
	default:
		return XC_INTERNAL_ERROR;
	}
}

int gw_xenguest_fail(struct gw_xenguest *g, const struct gw_error *failure)
{
	for (unsigned i = 0; i < failure->nr_reasons; i++)
		xc_report_error(g->xch, XC_INTERNAL_ERROR, "%s", gw_error_reason(failure, i));
	/* The last one is what xc_get_last_error() returns. */
	xc_report_error(g->xch, xc_code(failure->code), "%s", failure->text);
	errno = gw_libxc_errno(failure);
	return -1;
}
