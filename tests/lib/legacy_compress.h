/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The compression that format/legacy/delta.h undoes: pages as Remus compresses them, for tests.
 * Shares no code with it.
 */
#ifndef GW_TESTS_LEGACY_COMPRESS_H
#define GW_TESTS_LEGACY_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

#define LEGACY_COMPRESS_MAX (4096u + 9) /* the most bytes that a compressed page can have */

/* The change from the old page to the new one, as libxc writes it. Returns the number of bytes in
 * out. */
size_t legacy_compress_page(const uint8_t *old, const uint8_t *new_page,
			    uint8_t out[LEGACY_COMPRESS_MAX]);
/* A page without reference to an old one, as libxc sends page tables and pages that it has no copy
 * of. */
size_t legacy_compress_full(const uint8_t *page, uint8_t out[LEGACY_COMPRESS_MAX]);

#endif
