/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The mapping of a legacy image to version 3: the record of each item (docs/format.md has the
 * table). It encodes structs as bytes, without system calls. src/convert decides when to write
 * them, and src/examine describes a legacy image by them.
 */
#ifndef GW_FORMAT_LEGACY_MAP_H
#define GW_FORMAT_LEGACY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "base/buffer.h"
#include "format/legacy/legacy.h"

#define GW_LEGACY_CONVERTER_MINOR 1 /* xen_minor of a converted image (xen_major 0) */

/* Items that become records only at the end of the round. Zeroed is empty; gw_legacy_map_free(). */
struct gw_legacy_map {
	/* private */
	bool has_tsc;
	struct gw_tsc_info tsc;
	struct gw_buffer params;  /* pairs of index and value, each index once, as they came */
	struct gw_buffer context; /* HVM */
	struct gw_buffer vcpus;	  /* PV: complete records */
	struct gw_buffer shared_info;
	struct gw_buffer toolstack; /* unchanged */
};

void gw_legacy_map_free(struct gw_legacy_map *map);
/* Another round begins: forgets the records of the last tail (params, TSC and toolstack record stay
 * until they come again). */
void gw_legacy_map_round(struct gw_legacy_map *map);

/* At GW_LEGACY_HEADER: image header, domain header, [X86_PV_INFO], STATIC_DATA_END,
 * [X86_PV_P2M_FRAMES]. */
int gw_legacy_map_header(const struct gw_legacy_reader *r, struct gw_buffer *out,
			 struct gw_error *err);
/*
 * At GW_LEGACY_PAGES: writes the entries for a PAGE_DATA to out[0..GW_LEGACY_BATCH_MAX-1], without
 * fillers. Their contents come in the input in the same order. *nr_pages: entries with contents.
 * Returns the number of entries; 0: no record is needed.
 */
size_t gw_legacy_map_pages(const struct gw_legacy_reader *r, uint64_t *out, size_t *nr_pages);
/*
 * At GW_LEGACY_UNMAPPED: writes the XTAB entries of a PAGE_DATA for these pfns without memory. No
 * restore frees memory for them, but a reader of the image sees the guest's memory. Returns their
 * number.
 */
size_t gw_legacy_map_unmapped(const struct gw_legacy_reader *r, uint64_t *out);
/* At any other event: keeps the data for the tail's records. GW_UNSUPPORTED for data that version 3
 * cannot carry (tmem with contents). */
int gw_legacy_map_event(struct gw_legacy_map *map, const struct gw_legacy_reader *r,
			enum gw_legacy_event event, struct gw_error *err);
/*
 * At GW_LEGACY_CHECKPOINT: writes the records after the pages, in the specification's order. PV:
 * X86_TSC_INFO, SHARED_INFO, the vCPUs' records. HVM: X86_TSC_INFO, HVM_PARAMS, HVM_CONTEXT. Writes
 * no END and no CHECKPOINT.
 */
int gw_legacy_map_tail(const struct gw_legacy_map *map, const struct gw_legacy_header *header,
		       struct gw_buffer *out, struct gw_error *err);
/*
 * Appends the toolstack record as the body of EMULATOR_XENSTORE_DATA after its ids: keys
 * physmap/ADDRESS/{start_addr,size,name} and their values, NUL-terminated. width: word size of the
 * saving tools, which decides the entry layout; a record that does not fit it fails. *entries:
 * number of physmap entries; without entries, or on failure, nothing is appended. A result longer
 * than GW_STREAM_BODY_MAX, or another version, is GW_UNSUPPORTED.
 */
int gw_legacy_map_xenstore(const void *toolstack, size_t len, unsigned width, struct gw_buffer *out,
			   uint32_t *entries, struct gw_error *err);

#endif
