/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Passes the body of one record through everything that reads it: the decoders, the rules, and the
 * words of inspect.
 */
#ifndef GW_FUZZ_RECORD_IMAGE_H
#define GW_FUZZ_RECORD_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "format/fields.h"

/* A guest of this width; an HVM guest with 0. */
void drive_record(unsigned width, uint32_t type, const uint8_t *body, size_t len);

/* For gw_field_fn: writes the field and all its flags as text. */
void drive_field(void *opaque, const struct gw_field *field);

#endif
