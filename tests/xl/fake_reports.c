/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The reports of libxenctrl in these tests (fake_libxc.h).
 */
#include "fake_libxc.h"

struct xc_interface_core fake_libxc;

void xc_report_error(xc_interface *xch, int code, const char *fmt, ...);
const char *xc_set_progress_prefix(xc_interface *xch, const char *doing);
void xc_report_progress_single(xc_interface *xch, const char *doing);
void xc_report_progress_step(xc_interface *xch, unsigned long done, unsigned long total);

static void add(char list[2000], const char *text)
{
	size_t len = strlen(list);

	assert_true(len + strlen(text) + 2 < 2000);
	sprintf(list + len, "%s\n", text);
}

void xc_report_error(xc_interface *xch, int code, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add(xch->errors, text);
}

const char *xc_set_progress_prefix(xc_interface *xch, const char *doing)
{
	const char *last = xch->doing;

	xch->doing = doing;
	return last;
}

void xc_report_progress_single(xc_interface *xch, const char *doing)
{
	add(xch->progress, doing);
}

void xc_report_progress_step(xc_interface *xch, unsigned long done, unsigned long total)
{
	const char *last = strrchr(xch->progress, '\n');

	assert_true(done <= total);
	while (last && last > xch->progress && last[-1] != '\n')
		last--;
	if (last && strncmp(last, xch->doing, strlen(xch->doing)) == 0)
		return;
	add(xch->progress, xch->doing);
	if (xch->on_subject)
		xch->on_subject();
}
