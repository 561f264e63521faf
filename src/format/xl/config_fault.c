/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How the readers of a config report a fault.
 */
#include <stdarg.h>
#include <stdio.h>

#include "format/xl/config_internal.h"

void gw_config_fault(struct gw_config_reader *r, enum gw_config_fault fault, size_t at,
		     const char *fmt, ...)
{
	char text[200];
	va_list ap;

	if (!r->faults || !r->faults->found)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->faults->found(r->faults->opaque, fault, at, text);
}
