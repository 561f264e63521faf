/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Small save and restore loops around the guest hooks, and the pages of a stream or manifest. They
 * share no code with the engine, so that the tests do not check it against itself.
 */
#ifndef GW_TESTS_GUEST_LOOP_H
#define GW_TESTS_GUEST_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/hypervisor.h>

#include "base/buffer.h"
#include "guest/guest.h"

/* An image in memory. */
struct image {
	struct gw_buffer file; /* owner of the bytes */
	uint8_t *data;	       /* of the image */
	size_t len;	       /* to the end of the file */
	enum gw_guest_type type;
};
struct image load_image(const char *name); /* of tests/data; must succeed */
void free_image(struct image *image);

/* The first record of this type (body at data), or NULL. Uses its own walk over the image. */
uint8_t *find_record(const struct image *image, uint32_t type, uint32_t *length);

/* Calls fn for every copy of a page, with its entry in PAGE_DATA and its contents. Asserts that
 * there is at least one. */
typedef void each_copy_fn(uint8_t *entry, uint8_t *data, uint64_t value);
void each_copy(const struct image *image, uint64_t pfn, each_copy_fn *fn, uint64_t value);

/* What a page has to be: type and canonical contents. */
struct page {
	bool exists;
	unsigned type;
	const uint8_t *data; /* NULL: none */
	bool has_hash;
	uint64_t hash; /* the first 8 bytes of the SHA-256, big endian, as in manifests */
};
struct pages {
	uint64_t nr;
	struct page *page;
};
/* The last copy of each page in the image, up to the checkpoint of this number (~0u: all). Borrows
 * the bytes. */
struct pages pages_of_image(const struct image *image, unsigned checkpoint);
struct pages pages_of_manifest(const char *name);
void free_pages(struct pages *pages);
uint64_t hash_page(const void *data);

struct restore_options {
	const struct gw_restore_guest_ops *ops; /* NULL: those of the image's type */
	unsigned checkpoint; /* stop at the CHECKPOINT of this number; ~0u: at END or the end of the
				bytes */
	uint64_t mismatches; /* out: pages that differed after VERIFY */
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
	uint64_t deferred; /* out: deferred pages of all passes */
	/* Called after each live pass, and at a checkpoint when the guest may run again. */
	void (*between)(void *opaque, struct gw_domain *d);
	void *opaque;
};
int save_loop(struct gw_domain *d, struct gw_buffer *out, struct save_options *options,
	      struct gw_error *err);

/* Makes an image of a saved buffer, which it takes over. */
struct image image_of(struct gw_buffer *buf, enum gw_guest_type type);

#endif
