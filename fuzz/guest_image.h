/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The smallest image of a PV guest that can be restored and saved again: one vCPU, page tables of
 * every level, start_info with its rings, a P2M of one page.
 */
#ifndef GW_FUZZ_GUEST_IMAGE_H
#define GW_FUZZ_GUEST_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct guest_image {
	uint8_t *data;
	size_t len;
};

/* True if the input is a patched image, and not one of its own: its first byte is 'n' (narrow: of a
 * 32-bit guest) or 'w' (wide). */
int guest_image_is_patched(const uint8_t *data, size_t size);
/*
 * A copy of the image with the bytes that the input says at the offsets that it says; free() it.
 * Most offsets are outside of the pages' contents.
 */
struct guest_image guest_image_patch(const uint8_t *data, size_t size);

/* Of a 32-bit guest, or of a 64-bit one; made once and kept. Ends the program without memory. */
const struct guest_image *guest_image(int wide);

#endif
