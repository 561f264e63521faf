/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An image of a few records around the one that is tried.
 */
#include "record_image.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "drive.h"
#include "format/libxc/image.h"

static void put(struct gw_buffer *image, uint32_t type, const void *body, size_t len)
{
	if (gw_record_append(image, type, body, len, NULL) < 0)
		exit(1);
}

static void put_headers(struct gw_buffer *image, unsigned width)
{
	static const uint8_t marker[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t head[40] = {0}, info[8] = {0};

	memcpy(head, marker, sizeof(marker));
	memcpy(head + 8, "XENF", 4);
	gw_put_be32(head + 12, 3);
	gw_put_le32(head + 24, width ? GW_GUEST_X86_PV : GW_GUEST_X86_HVM);
	gw_put_le16(head + 28, 12);
	gw_put_le32(head + 32, 4);
	gw_put_le32(head + 36, 17);
	if (gw_buffer_append(image, head, sizeof(head), NULL) < 0)
		exit(1);
	if (!width)
		return;
	info[0] = (uint8_t)width;
	info[1] = width == 8 ? 4 : 3;
	put(image, GW_REC_X86_PV_INFO, info, sizeof(info));
}

void drive_record(unsigned width, uint32_t type, const uint8_t *body, size_t len)
{
	bool is_static = type == GW_REC_X86_CPUID_POLICY || type == GW_REC_X86_MSR_POLICY;
	struct gw_buffer image = {0};
	struct drive_result result;

	put_headers(&image, width);
	if (is_static)
		put(&image, type, body, len);
	put(&image, GW_REC_STATIC_DATA_END, NULL, 0);
	if (!is_static)
		put(&image, type, body, len);
	put(&image, GW_REC_END, NULL, 0);
	drive_image(image.data, image.len, &result);
	gw_buffer_free(&image);
}

static volatile unsigned sink;

void drive_field(void *opaque, const struct gw_field *field)
{
	char text[200];

	sink += (unsigned char)gw_field_text(field, text, sizeof(text))[0];
	for (size_t i = 0; gw_field_flag(field, i); i++)
		sink += (unsigned char)gw_field_flag(field, i)[0];
}
