/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the tests of conversions share: running one over bytes in memory, and taking images of
 * version 2 and 3 apart with code of the tests' own.
 */
#ifndef GW_TESTS_CONVERT_FIXTURE_H
#define GW_TESTS_CONVERT_FIXTURE_H

#include "lib/gwtest.h"

#include "base/buffer.h"
#include "convert/convert.h"
#include "format/libxc/image.h"
#include "format/libxl/stream.h"

/* What became of a conversion. */
struct outcome {
	int rc;
	struct gw_error err;
	struct gw_buffer out;
	struct gw_conversion_result done;
	struct gw_buffer warnings; /* a line each, NUL behind all */
};

/* args: all but channels and toolstack; NULL: nothing in particular. */
void convert(struct outcome *o, const void *data, size_t len, const struct gw_convert_args *args);
/* The same over channels of the caller's. out may be NULL: what comes out is then in o->out. */
void convert_channels(struct outcome *o, struct gw_channel *in, struct gw_channel *out,
		      const struct gw_convert_args *args);
void outcome_free(struct outcome *o);
/* A channel that gives these bytes, which have to outlive it. */
struct gw_channel *source_of(const void *data, size_t len);

/* A record of either layer, as it lies there. */
struct seen_record {
	bool libxl;
	uint32_t type, length;
	size_t at;	     /* of its header */
	const uint8_t *body; /* NULL if length is 0 */
};

/* No guest here has more. */
#define SEEN_PFNS (1u << 20)

struct seen {
	const uint8_t *data;
	size_t len;
	size_t xl_len;	  /* of xl header and optional data; 0: none */
	size_t stream_at; /* SIZE_MAX: none */
	size_t image_at;
	struct gw_image_header header;
	uint32_t stream_options;
	struct seen_record *records;
	size_t nr;
	bool ended; /* the image, with its END */
	/* By pfn up to the highest that came: 1 + type of the last entry, 0 if none came; last
	 * contents, NULL if none. */
	uint64_t nr_pfns;
	uint64_t room;
	uint8_t *types;
	const uint8_t **pages;
};

#define NEVER 0xff

/* The type of its last entry, NEVER if none came; its last contents, NULL if none. */
unsigned seen_type(const struct seen *s, uint64_t pfn);
const uint8_t *seen_page(const struct seen *s, uint64_t pfn);

/* Takes it apart; what cannot be, or is not as the specification wants it (padding, reserved
 * fields, counts), fails the test. */
void see(struct seen *s, const void *data, size_t len);
void seen_free(struct seen *s);
/* The records of the image that are no PAGE_DATA, or of the libxl layer: number n of those of this
 * type; NULL. */
const struct seen_record *seen_find(const struct seen *s, bool libxl, uint32_t type, size_t n);
/* The same records one after another as "TYPE TYPE ...", PAGE_DATAs in a row as one, those of libxl
 * with a dot before them. In a static buffer. */
const char *seen_order(const struct seen *s);
/* Every page of the manifest is there with its type and contents, and no other. */
void check_manifest(const struct seen *s, const char *name);
/* verify finds no error. */
void check_verified(const void *data, size_t len);

/* The manifest that a stream of tests/data has to come up to: of its last checkpoint. In a static
 * buffer. */
const char *manifest_of(const char *stream);

#endif
