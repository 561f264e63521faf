/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Helpers that describe records and legacy items in short. Other files include describe.h.
 */
#ifndef GW_EXAMINE_DESCRIBE_INTERNAL_H
#define GW_EXAMINE_DESCRIBE_INTERNAL_H

#include "examine/describe.h"

/* Text that grows in a fixed buffer, and ends with dots where it does not fit. */
struct gw_text {
	char *buf;
	size_t size, len;
};

void gw_text_add(struct gw_text *t, const char *fmt, ...) GW_PRINTF(2, 3);

void gw_text_pages(struct gw_text *t, const uint64_t *entries, size_t n, size_t nr_pages);
void gw_text_hvm_context(struct gw_text *t, const void *data, size_t len);
void gw_text_param(struct gw_text *t, uint64_t index, uint64_t value);
void gw_text_tsc(struct gw_text *t, const struct gw_tsc_info *info);

#endif
