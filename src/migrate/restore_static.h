/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The static data of an image: kept until it is complete, because there is no domain before that.
 */
#ifndef GW_MIGRATE_RESTORE_STATIC_H
#define GW_MIGRATE_RESTORE_STATIC_H

#include <godwit/policy.h>

#include "base/buffer.h"
#include "format/libxc/image.h"

/* Zeroed is empty. */
struct gw_static_data {
	struct gw_policy policy;
	struct gw_buffer records;
};

/* Keeps a record that came before the end of the static data. origin: offset of the image's first
 * byte, for messages. 0 or -1. */
int gw_static_data_keep(struct gw_static_data *s, const struct gw_record *rec, uint64_t origin,
			struct gw_error *err);
/* Gets the record at *pos and moves *pos to the next one; false: there are no more. rec's data is
 * borrowed. */
bool gw_static_data_next(const struct gw_static_data *s, size_t *pos, struct gw_record *rec);
void gw_static_data_free(struct gw_static_data *s);

#endif
