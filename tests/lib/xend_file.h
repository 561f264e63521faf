/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files as xend wrote them, put together from a config and an image.
 */
#ifndef GW_TESTS_XEND_FILE_H
#define GW_TESTS_XEND_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* The header with this claimed length, len bytes of the config, and the image; NULL: none. The
 * caller frees the buffer. */
struct gw_buffer xend_file(int32_t claimed_len, const char *config, size_t len,
			   const struct gw_buffer *image);

#endif
