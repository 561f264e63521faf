/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The compression of Remus in legacy images (Xen 4.2 to 4.5, tools/libxc/xc_compression.c): a page
 * is encoded as its differences from the receiver's copy.
 */
#ifndef GW_FORMAT_LEGACY_DELTA_H
#define GW_FORMAT_LEGACY_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

/* The state between two pieces of compressed data, as a page may continue in the next piece.
 * Zeroed: at the start of a page. */
struct gw_legacy_delta {
	unsigned state;
	uint32_t done; /* bytes of the page that are complete */
	uint32_t left; /* bytes left of the current run */
	bool full;     /* the current page comes whole */
};

enum gw_legacy_delta_kind {
	GW_DELTA_NONE,	    /* no byte of the current page came */
	GW_DELTA_UNCHANGED, /* it is unchanged: the page needs no base */
	GW_DELTA_FULL,	    /* all of it came, so it needs no base */
	GW_DELTA_RUNS,	    /* only parts of it came */
};

/* The kind of the current page; if it begins with the given data, its first byte decides. */
enum gw_legacy_delta_kind gw_legacy_delta_kind(const struct gw_legacy_delta *d, const uint8_t *in,
					       size_t len);
/*
 * Applies compressed bytes to page (4096 bytes that hold its contents on the receiving side) until
 * the page is complete or the bytes are used up. Returns the bytes used, -1 if they are invalid.
 * *complete: the page is complete; the next call begins another.
 */
long gw_legacy_delta_apply(struct gw_legacy_delta *d, const uint8_t *in, size_t len, uint8_t *page,
			   bool *complete, struct gw_error *err);

#endif
