/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Small save and restore loops around the guest hooks, and what a stream or a manifest says of each
 * page. They share no code with the engine: what it is tested against must not be itself.
 */
#ifndef GW_TESTS_GUEST_LOOP_H
#define GW_TESTS_GUEST_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/hypervisor.h>

#include "base/buffer.h"
#include "guest/guest.h"

/* One image, whole in memory. */
struct image {
	struct gw_buffer file; /* owner of the bytes */
	uint8_t *data;	       /* of the image */
	size_t len;	       /* to the end of the file */
	enum gw_guest_type type;
};
struct image load_image(const char *name); /* of tests/data; fails the test if it cannot */
void free_image(struct image *image);

/* The first record of this type (body at data), or NULL. The walk is the test's own. */
uint8_t *find_record(const struct image *image, uint32_t type, uint32_t *length);

/* Calls fn for every copy of a page, with its entry in PAGE_DATA and its contents. Asserts that
 * there is one. */
typedef void each_copy_fn(uint8_t *entry, uint8_t *data, uint64_t value);
void each_copy(const struct image *image, uint64_t pfn, each_copy_fn *fn, uint64_t value);

/* What is expected of a page: its type, canonical contents. */
struct page {
	bool exists;
	unsigned type;
	const uint8_t *data; /* NULL: none */
	bool has_hash;
	uint64_t hash; /* first 8 bytes of SHA-256, big endian, as manifests have it */
};
struct pages {
	uint64_t nr;
	struct page *page;
};
/* By the last copy of each page in the image, up to the checkpoint of this number (~0u: all).
 * Borrows the bytes. */
struct pages pages_of_image(const struct image *image, unsigned checkpoint);
struct pages pages_of_manifest(const char *name);
void free_pages(struct pages *pages);
uint64_t hash_page(const void *data);

struct restore_options {
	const struct gw_restore_guest_ops *ops; /* NULL: those of the image's type */
	unsigned checkpoint; /* stop at the CHECKPOINT of this number; ~0u: at END or the end of the
				bytes */
	uint64_t mismatches; /* out: pages that differed behind VERIFY */
	struct gw_ring_end store, console;
	uint64_t store_gfn, console_gfn; /* out */
	unsigned missing;		 /* out */
};
int restore_loop(const struct image *image, struct gw_domain *d, struct restore_options *options,
		 struct gw_error *err);

struct save_options {
	unsigned live_passes; /* 0: suspend first */
	unsigned checkpoints; /* 0: plain */
	bool stay_suspended;
	uint64_t deferred; /* out: pages put off, in all */
	/* Called after each live pass, and for a checkpoint when the guest may run again. */
	void (*between)(void *opaque, struct gw_domain *d);
	void *opaque;
};
int save_loop(struct gw_domain *d, struct gw_buffer *out, struct save_options *options,
	      struct gw_error *err);

/* Takes a saved buffer over as an image. */
struct image image_of(struct gw_buffer *buf, enum gw_guest_type type);

#endif
