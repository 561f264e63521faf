/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A record's name and contents in a few words, for lists of records.
 */
#ifndef GW_EXAMINE_DESCRIBE_H
#define GW_EXAMINE_DESCRIBE_H

#include "examine/examine.h"

/* "PAGE_DATA"; "type 0x1234" for one without a name, written into buf. Of a legacy image the type
 * is enum gw_legacy_id. */
const char *gw_record_title(enum gw_layer layer, uint32_t type, char *buf, size_t size);

/*
 * "pfns 0x0-0x3ff: 1024 entries, 1020 pages", "vCPU 0, 5168 bytes". Empty if there is nothing to
 * say, or the body has not its type's shape (the findings tell). pv_width: 4, 8, or 0 unknown.
 * Cut, with dots, if it does not fit. Returns buf.
 */
char *gw_describe_record(const struct gw_examine_record *record, unsigned pv_width, char *buf,
			 size_t size);

/* The same of the item of a legacy image that this event of its reader reported. */
char *gw_describe_item(const struct gw_legacy_reader *reader, enum gw_legacy_event event, char *buf,
		       size_t size);

/* The signature of a device model's record in a legacy image. */
const char *gw_legacy_model_name(enum gw_legacy_device_model model);

/* "L1", "XTAB", "pinned L4"; NULL for a reserved type. */
const char *gw_page_type_name(unsigned type);

#endif
