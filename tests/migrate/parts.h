/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Real images taken apart, for tests that change them: the headers, and the records of both layers.
 */
#ifndef TESTS_MIGRATE_PARTS_H
#define TESTS_MIGRATE_PARTS_H

#include "base/buffer.h"
#include "stored.h"

#define MAX_PARTS 256

/* A part of an image or stream: a header, or a record of either layer. */
struct part {
	uint8_t *data; /* malloc'ed */
	size_t len;
};

struct parent {
	const char *name;
	bool libxl;
	enum gw_guest_type type;
	struct part parts[MAX_PARTS];
	size_t n;
	size_t first_record;	       /* the parts before it are headers */
	const struct gw_buffer *image; /* set while it is taken apart */
};

/* A file of the real streams (lib/realdata.h) with a few of its pages; the caller frees it. */
struct parent parent_load(const char *name);
void parent_copy(const struct parent *from, struct parent *to);
void parent_free(struct parent *p);
/* The whole image. */
void parent_join(const struct parent *p, struct gw_buffer *out);

void part_add(struct parent *p, const uint8_t *data, size_t len);
/* Before the part at at; nothing if there are MAX_PARTS. */
void part_insert(struct parent *p, size_t at, const uint8_t *data, size_t len);
void part_drop(struct parent *p, size_t at);
void part_swap(struct part *a, struct part *b);

#endif
