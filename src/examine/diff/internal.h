/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parts of a comparison: one image as it was read, and reporting a difference.
 */
#ifndef GW_EXAMINE_DIFF_INTERNAL_H
#define GW_EXAMINE_DIFF_INTERNAL_H

#include "base/buffer.h"
#include "examine/diff/diff.h"
#include "examine/diff/byte_store.h"
#include "examine/memory/map.h"
#include "examine/rounds.h"
#include "examine/summary/summary.h"
#include "format/fields.h"

/* One image. Zeroed, then in and observer; gw_diff_side_free. */
struct gw_diff_side {
	struct gw_channel *in; /* borrowed */
	const struct gw_observer *observer;
	/* What counts: as restored. */
	struct gw_examination examination;
	struct gw_summary summary; /* its own map of memory is not filled */
	/*
	 * The populated pfns; a restore takes no page away. Of a PV guest with the last type, where
	 * BROKEN and XTAB are what was said of a page that is there all the same; of an HVM guest,
	 * which has no types, all are NOTAB. XALLOC: zeros, and no contents came.
	 */
	struct gw_memory_map pages;
	struct gw_byte_store store;
	uint64_t emulator_place, emulator_len; /* if summary.has_emulator: the place of its state in
						  the store, and its length */

	/* A stream of QEMU: its tree, the place of each RAM block in the store, and the pages of
	 * the store that were put. The memory of the machine is in pages as well. */
	struct gw_savevm_stream savevm;
	const struct gw_savevm_description *like; /* borrowed; NULL: none */
	uint64_t *block_places;			  /* NULL: no page came */
	struct gw_memory_map written;

	struct gw_checkpoints checkpoints;
	/* private */
	uint64_t emulator_room, emulator_received;
	struct gw_rounds rounds;
	struct gw_error bad;	 /* the first rule of level error that was broken */
	struct gw_error failure; /* of a hook that cannot say so itself */
};

/* Reads the image to its end. */
int gw_diff_side_read(struct gw_diff_side *side, struct gw_error *err);
void gw_diff_side_free(struct gw_diff_side *side);

/* A comparison under way. */
struct gw_diff {
	struct gw_diff_side a, b;
	const struct gw_diff_sink *sink;
	const struct gw_observer *observer;
	struct gw_comparison *found;
};

/* Reports a difference to the sink and counts it. */
void gw_diff_report(struct gw_diff *d, const struct gw_difference *difference);
/* The same, if the two texts (NULL: none) are not alike. what says of what they are. */
void gw_diff_texts(struct gw_diff *d, const struct gw_difference *what, const char *a,
		   const char *b);
void gw_diff_numbers(struct gw_diff *d, const struct gw_difference *what, const char *field,
		     uint64_t a, uint64_t b);
/* Two words of bits; name gives the name of one, or NULL. */
void gw_diff_bits(struct gw_diff *d, const struct gw_difference *what, uint64_t a, uint64_t b,
		  const char *(*name)(const void *opaque, unsigned bit), const void *opaque);

/* Bytes held against each other piece by piece: how many differ, and the first that do. Zeroed. */
struct gw_diff_bytes {
	uint64_t differing, offset;
	char a[36], b[36]; /* in hex, from offset on */
};

/* offset: of the first byte in all of the pieces. Of unlike length: the rest differs. */
void gw_diff_bytes_add(struct gw_diff_bytes *bytes, uint64_t offset, const uint8_t *a, size_t a_len,
		       const uint8_t *b, size_t b_len);
/* Reports them, if there are any. */
void gw_diff_bytes_report(struct gw_diff *d, const struct gw_difference *what,
			  const struct gw_diff_bytes *bytes);
/* Both for bytes that are in memory. */
void gw_diff_buffers(struct gw_diff *d, const struct gw_difference *what, const void *a,
		     size_t a_len, const void *b, size_t b_len);

/* Lists with more elements than this are compared as bytes: no guest has so many of anything. */
#define GW_DIFF_LIST_MAX 65536u

/* What belongs together of two lists; an index, or -1. */
struct gw_diff_pair {
	ssize_t a, b;
};

/*
 * Brings the elements of two arrays together whose keys are alike: the first of a key in one with
 * the first in the other, the second with the second. In the order of a, then what only b has.
 * *pairs is for the caller to free. The number of pairs, or -1.
 */
ssize_t gw_diff_match(const void *a, size_t nr_a, const void *b, size_t nr_b, size_t size,
		      int (*compare)(const void *x, const void *y), struct gw_diff_pair **pairs,
		      struct gw_error *err);

/* Whichever of the two is there; one at least is. */
const void *gw_diff_either(const void *a, const void *b);

/* A structure of named fields. */
struct gw_diff_blob {
	const uint8_t *data;
	size_t len;
	unsigned width; /* of the guest, or the typecode of an entry of HVM_CONTEXT */
};
typedef void (*gw_diff_walk_fn)(const struct gw_diff_blob *blob, gw_field_fn fn, void *opaque);

/*
 * Field by field. The bytes decide: a difference without a field's name is reported as bytes.
 * is_list: its fields may be at other places in the two.
 */
int gw_diff_fields(struct gw_diff *d, const struct gw_difference *what,
		   const struct gw_diff_blob *a, const struct gw_diff_blob *b, gw_diff_walk_fn walk,
		   bool is_list, struct gw_error *err);

/* Sections with more bytes are compared as bytes. */
#define GW_DIFF_SECTION_MAX (1u << 20)

/* A page of a stream of QEMU; then, when all are there, the map of its memory. */
int gw_diff_savevm_page(struct gw_diff_side *side, const struct gw_savevm_ram_item *item,
			struct gw_error *err);
int gw_diff_savevm_finish(struct gw_diff_side *side, struct gw_error *err);
/* Compares two streams of QEMU. */
int gw_diff_savevm(struct gw_diff *d, struct gw_error *err);

/* The parts, in the order in which they are reported. 0 or -1. */
int gw_diff_config(struct gw_diff *d, struct gw_error *err);
int gw_diff_policy(struct gw_diff *d, struct gw_error *err);
int gw_diff_params(struct gw_diff *d, struct gw_error *err);
int gw_diff_pv(struct gw_diff *d, struct gw_error *err);  /* info, P2M, shared info, vCPUs */
int gw_diff_hvm(struct gw_diff *d, struct gw_error *err); /* HVM_CONTEXT */
int gw_diff_device_model(struct gw_diff *d, struct gw_error *err);
int gw_diff_pages(struct gw_diff *d, struct gw_error *err);

#endif
