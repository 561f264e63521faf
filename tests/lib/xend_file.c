/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Makes files of xend: magic, length of the config, config, image.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "lib/xend_file.h"

struct gw_buffer xend_file(int32_t claimed_len, const char *config, size_t len,
			   const struct gw_buffer *image)
{
	struct gw_buffer file = {0};
	uint8_t raw[4];

	gw_put_be32(raw, (uint32_t)claimed_len);
	assert_int_equal(gw_buffer_append(&file, "LinuxGuestRecord", 16, NULL), 0);
	assert_int_equal(gw_buffer_append(&file, raw, sizeof(raw), NULL), 0);
	assert_int_equal(gw_buffer_append(&file, config, len, NULL), 0);
	if (image)
		assert_int_equal(gw_buffer_append(&file, image->data, image->len, NULL), 0);
	return file;
}
