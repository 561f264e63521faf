/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Real streams for tests: whole files in memory, and the offsets of their layers.
 */
#ifndef GW_TESTS_FORMAT_REALDATA_H
#define GW_TESTS_FORMAT_REALDATA_H

#include "base/buffer.h"
#include "format/libxc/image.h"

/* The path of a file of tests/data in a static buffer. */
const char *realdata_path(const char *name);

/* The file's contents, unpacked if it is compressed. Fails the test if it cannot be read. */
struct gw_buffer realdata_load(const char *path);

/* The offset of the libxc image in it. Fails the test if there is none. */
size_t realdata_image(const struct gw_buffer *file);

/*
 * The first record of this type of the image at this offset, whole (PAGE_DATA with its pages).
 * Fails the test if there is none.
 */
struct gw_record realdata_record(const struct gw_buffer *file, size_t image, uint32_t type);

#endif
