/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Judges whether QEMU reads a savevm stream to its end.
 */
#include "format/qemu/whole.h"

#include <stdio.h>
#include <string.h>

#include "format/qemu/internal.h"

/* The stream ends before least bytes of a section's data, or before EOF after them. */
static enum gw_qemu_fault cut_in(const struct gw_qemu_sections *q, const char *name, char *text,
				 size_t size)
{
	snprintf(text, size, "it ends after %llu bytes, inside of section \"%s\"",
		 (unsigned long long)q->total, name);
	return GW_QEMU_CUT;
}

static enum gw_qemu_fault judge_end(const struct gw_qemu_sections *q, char *text, size_t size)
{
	const struct gw_qemu_section *last = &q->list[q->nr - 1];
	const struct gw_qemu_subsection *sub = &q->subsection;
	uint64_t data = last->offset + gw_qemu_header_size(strlen(last->name));

	if (!q->end) {
		snprintf(text, size,
			 "it ends after %llu bytes without the mark after its last section, \"%s\"",
			 (unsigned long long)q->total, last->name);
		return GW_QEMU_CUT;
	}
	if (q->found_by != GW_QEMU_PATTERN || q->left_out)
		return GW_QEMU_WHOLE;
	if (q->cut_header) {
		snprintf(text, size, "it ends after %llu bytes, inside of a section's header",
			 (unsigned long long)q->total);
		return GW_QEMU_CUT;
	}
	if (data + gw_qemu_least_size(last->name, last->version, last->first_word) > q->end)
		return cut_in(q, last->name, text, size);
	if (sub->data > data && sub->data + gw_qemu_least_size(sub->name, sub->version, 0) > q->end)
		return cut_in(q, sub->name, text, size);
	return GW_QEMU_WHOLE;
}

enum gw_qemu_fault gw_qemu_judge(const struct gw_qemu_sections *q, char *text, size_t size)
{
	if (!q->is_qemu) {
		snprintf(text, size, "it does not begin with \"QEVM\"");
		return GW_QEMU_NO_MAGIC;
	}
	if (q->version != GW_QEMU_VERSION) {
		snprintf(text, size, "its version is %u, expected %u", q->version, GW_QEMU_VERSION);
		return GW_QEMU_BAD_VERSION;
	}
	if (q->found_by != GW_QEMU_NOTHING)
		return judge_end(q, text, size);
	/* No section at all is legal: EOF comes at once, and nothing after it is read. */
	if (q->is_empty)
		return GW_QEMU_WHOLE;
	snprintf(text, size, "no section begins after its header, at byte %llu of %llu",
		 (unsigned long long)q->first_section, (unsigned long long)q->total);
	return GW_QEMU_NO_SECTION;
}
