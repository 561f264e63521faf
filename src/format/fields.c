/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Walks tables of fields.
 */
#include "format/fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

static uint64_t get(const uint8_t *bytes, uint32_t width)
{
	switch (width) {
	case 1:
		return *bytes;
	case 2:
		return gw_get_le16(bytes);
	case 4:
		return gw_get_le32(bytes);
	default:
		return gw_get_le64(bytes);
	}
}

static uint64_t value_of(const struct gw_field_row *row, const uint8_t *bytes)
{
	uint64_t v = get(bytes, row->width);

	if (row->bits)
		return v >> row->shift & ((UINT64_C(1) << row->bits) - 1);
	if (row->kind == GW_FIELD_SIGNED && row->width < 8 && v >> (row->width * 8 - 1))
		v |= ~UINT64_C(0) << row->width * 8;
	return v;
}

/* Sets the field's name: the row's name with the index in it. */
static void set_name(struct gw_field *field, const struct gw_field_row *row, uint32_t index)
{
	const char *mark = row->count ? strchr(row->name, '#') : NULL;

	if (mark)
		snprintf(field->name, sizeof(field->name), "%.*s%" PRIu32 "%s",
			 (int)(mark - row->name), row->name, index, mark + 1);
	else
		snprintf(field->name, sizeof(field->name), "%s", row->name);
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

static void give(const struct gw_field_row *row, uint32_t index, const uint8_t *bytes,
		 gw_field_fn fn, void *opaque)
{
	struct gw_field field = {
		.kind = row->kind,
		.bytes = bytes,
		.width = row->width,
		.element = row->count != 0,
		.names = row->names,
	};

	if (row->kind == GW_FIELD_BYTES) {
		field.zero = all_zero(bytes, row->width);
	} else {
		field.value = value_of(row, bytes);
		field.zero = field.value == 0;
	}
	if (row->sparse && field.zero)
		return;
	set_name(&field, row, index);
	fn(opaque, &field);
}

void gw_fields_walk(const struct gw_field_row *rows, const void *data, size_t len, gw_field_fn fn,
		    void *opaque)
{
	for (const struct gw_field_row *row = rows; row->name; row++) {
		uint32_t count = row->count ? row->count : 1;

		for (uint32_t i = 0; i < count; i++) {
			size_t offset = row->offset + (size_t)i * row->stride;

			if (len < row->width || offset > len - row->width)
				break;
			give(row, i, (const uint8_t *)data + offset, fn, opaque);
		}
	}
}

void gw_field_bytes(const char *name, const void *data, size_t len, gw_field_fn fn, void *opaque)
{
	struct gw_field field = {
		.kind = GW_FIELD_BYTES,
		.bytes = data,
		.width = len,
		.zero = all_zero(data, len),
	};

	snprintf(field.name, sizeof(field.name), "%s", name);
	fn(opaque, &field);
}

void gw_field_number(const char *name, uint64_t value, gw_field_fn fn, void *opaque)
{
	struct gw_field field = {.kind = GW_FIELD_DEC, .value = value, .zero = value == 0};

	snprintf(field.name, sizeof(field.name), "%s", name);
	fn(opaque, &field);
}

static void hex_bytes(const struct gw_field *field, char *buf, size_t size)
{
	size_t n = field->width;
	bool cut = n * 2 + 1 > size;

	buf[0] = 0;
	if (cut)
		n = size > 4 ? (size - 4) / 2 : 0;
	for (size_t i = 0; i < n; i++)
		snprintf(buf + 2 * i, 3, "%02x", field->bytes[i]);
	if (cut && size > 3)
		memcpy(buf + 2 * n, "...", 4);
}

char *gw_field_text(const struct gw_field *field, char *buf, size_t size)
{
	switch (field->kind) {
	case GW_FIELD_DEC:
		snprintf(buf, size, "%" PRIu64, field->value);
		break;
	case GW_FIELD_SIGNED:
		snprintf(buf, size, "%" PRId64, (int64_t)field->value);
		break;
	case GW_FIELD_BYTES:
		hex_bytes(field, buf, size);
		break;
	default:
		snprintf(buf, size, "0x%" PRIx64, field->value);
		break;
	}
	return buf;
}

const char *gw_field_flag(const struct gw_field *field, size_t i)
{
	for (const struct gw_field_bit *b = field->names; b && b->name; b++)
		if (field->value >> b->bit & 1 && i-- == 0)
			return b->name;
	return NULL;
}
