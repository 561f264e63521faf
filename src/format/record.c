/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Records of the libxc image and the libxl stream: encodes the header and appends whole records.
 */
#include "format/record.h"

#include "base/bytes.h"

void gw_record_header_encode(uint8_t raw[GW_RECORD_HEADER_SIZE], uint32_t type, uint32_t length)
{
	gw_put_le32(raw, type);
	gw_put_le32(raw + 4, length);
}

void gw_record_header_decode(const uint8_t raw[GW_RECORD_HEADER_SIZE], uint32_t *type,
			     uint32_t *length)
{
	*type = gw_get_le32(raw);
	*length = gw_get_le32(raw + 4);
}

int gw_record_append(struct gw_buffer *buf, uint32_t type, const void *body, size_t length,
		     struct gw_error *err)
{
	uint8_t raw[GW_RECORD_HEADER_SIZE];

	if (length > GW_RECORD_MAX)
		return gw_fail(err, GW_INVALID,
			       "a record of type 0x%08x has %zu bytes, the format allows %u", type,
			       length, GW_RECORD_MAX);

	size_t padded = length + gw_record_padding((uint32_t)length);

	/* All or nothing: with the room reserved here the appends below cannot fail. */
	if (!gw_buffer_reserve(buf, sizeof(raw) + padded, err))
		return -1;
	gw_record_header_encode(raw, type, (uint32_t)length);
	if (gw_buffer_append(buf, raw, sizeof(raw), err) < 0 ||
	    gw_buffer_append(buf, body, length, err) < 0)
		return -1;
	return gw_buffer_append(buf, NULL, padded - length, err);
}
