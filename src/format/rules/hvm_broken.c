/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How the checkers of an HVM context report a broken rule: with the entry's place in the context.
 */
#include <stdarg.h>
#include <stdio.h>

#include "format/rules/hvm_internal.h"

int gw_hvm_broken(const struct gw_hvm_check *check, enum gw_rule_number number, const char *fmt,
		  ...)
{
	const struct gw_hvm_entry *entry = check->entry;
	const char *name = gw_hvm_code_name(entry->typecode);
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return gw_broken(&check->rules->reporter, number, check->rec->offset, check->rec,
			 check->err, "%s %u at 0x%zx of the context: %s", name ? name : "entry",
			 entry->instance, entry->offset, text);
}
