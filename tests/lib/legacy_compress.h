/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The other side of format/legacy/delta.h, for tests: pages as Remus compresses them. Shares no
 * code with what undoes it.
 */
#ifndef GW_TESTS_LEGACY_COMPRESS_H
#define GW_TESTS_LEGACY_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

#define LEGACY_COMPRESS_MAX (4096u + 9) /* bytes that a page becomes at most */

/* What makes old the page new, as libxc writes it. Returns the bytes in out. */
size_t legacy_compress_page(const uint8_t *old, const uint8_t *new_page,
			    uint8_t out[LEGACY_COMPRESS_MAX]);
/* A page that does without an old one: as libxc sends page tables, and what it does not know. */
size_t legacy_compress_full(const uint8_t *page, uint8_t out[LEGACY_COMPRESS_MAX]);

#endif
