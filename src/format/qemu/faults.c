/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Hands a fault of a savevm stream to its reporter.
 */
#include "format/qemu/faults.h"

#include <stdarg.h>
#include <stdio.h>

void gw_savevm_blame(const struct gw_savevm_faults *to, enum gw_savevm_fault fault, uint64_t offset,
		     const char *fmt, ...)
{
	char text[800];
	va_list ap;

	if (!to->report)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	to->report(to->opaque, fault, offset, text);
}
