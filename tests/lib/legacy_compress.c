/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Compresses pages as Remus did.
 */
#include "lib/legacy_compress.h"

#include <stdbool.h>
#include <string.h>

#define WORDS 1024u

static bool differs(const uint8_t *old, const uint8_t *new_page, unsigned word)
{
	return memcmp(old + 4 * (size_t)word, new_page + 4 * (size_t)word, 4) != 0;
}

size_t legacy_compress_page(const uint8_t *old, const uint8_t *new_page,
			    uint8_t out[LEGACY_COMPRESS_MAX])
{
	size_t n = 0;

	if (memcmp(old, new_page, 4096) == 0) {
		out[0] = 0x00;
		return 1;
	}
	for (unsigned at = 0; at < WORDS;) {
		bool copy = differs(old, new_page, at);
		unsigned run = 1;

		while (at + run < WORDS && run < 127 && differs(old, new_page, at + run) == copy)
			run++;
		out[n++] = (uint8_t)(run | (copy ? 0 : 0x80));
		if (copy) {
			memcpy(out + n, new_page + 4 * (size_t)at, 4 * (size_t)run);
			n += 4 * (size_t)run;
		}
		at += run;
	}
	return n;
}

size_t legacy_compress_full(const uint8_t *page, uint8_t out[LEGACY_COMPRESS_MAX])
{
	out[0] = 0x80;
	memcpy(out + 1, page, 4096);
	return 4097;
}
