/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shared by the tests of conversions: runs a conversion over bytes in memory, and takes images of
 * version 2 and 3 apart with its own code.
 */
#ifndef GW_TESTS_CONVERT_FIXTURE_H
#define GW_TESTS_CONVERT_FIXTURE_H

#include "lib/gwtest.h"

#include "base/buffer.h"
#include "convert/convert.h"
#include "format/libxc/image.h"
#include "format/libxl/stream.h"

/* The result of a conversion. */
struct outcome {
	int rc;
	struct gw_error err;
	struct gw_buffer out;
	struct gw_conversion_result done;
	struct gw_buffer warnings; /* one line each, with a NUL after the last */
};

/* args: everything but channels and toolstack; NULL: defaults. */
void convert(struct outcome *o, const void *data, size_t len, const struct gw_convert_args *args);
/* The same over channels of the caller's. out may be NULL: the output is then in o->out. */
void convert_channels(struct outcome *o, struct gw_channel *in, struct gw_channel *out,
		      const struct gw_convert_args *args);
void outcome_free(struct outcome *o);
/* A channel that reads these bytes, which must outlive it. */
struct gw_channel *source_of(const void *data, size_t len);

/* A record of either layer, unchanged. */
struct seen_record {
	bool libxl;
	uint32_t type, length;
	size_t at;	     /* of its header */
	const uint8_t *body; /* NULL if length is 0 */
};

/* No guest of these tests has more. */
#define SEEN_PFNS (1u << 20)

struct seen {
	const uint8_t *data;
	size_t len;
	size_t xl_len;	  /* length of the xl header and its optional data; 0: none */
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

/* The type of the pfn's last entry, NEVER if it has none; its last contents, NULL if it has
 * none. */
unsigned seen_type(const struct seen *s, uint64_t pfn);
const uint8_t *seen_page(const struct seen *s, uint64_t pfn);

/* Takes a result apart. Fails the test if that is not possible, or if padding, reserved fields or
 * counts differ from the specification. */
void see(struct seen *s, const void *data, size_t len);
void seen_free(struct seen *s);
/* Record number n of this type, in the libxl layer or among the image's records other than
 * PAGE_DATA; NULL if there is none. */
const struct seen_record *seen_find(const struct seen *s, bool libxl, uint32_t type, size_t n);
/* The same records in order as "TYPE TYPE ...", in a static buffer. PAGE_DATAs in a row count as
 * one; records of libxl have a dot before them. */
const char *seen_order(const struct seen *s);
/* Checks that every page of the manifest is there with its type and contents, and that there are no
 * others. */
void check_manifest(const struct seen *s, const char *name);
/* Checks that verify finds no error. */
void check_verified(const void *data, size_t len);

/* The manifest of the last checkpoint of a stream of tests/data. In a static buffer. */
const char *manifest_of(const char *stream);

#endif
