/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a legacy image becomes as an image of version 3: each item's record (docs/format.md has the
 * table). Structs to bytes, no system call; when what is written is decided by src/convert, and
 * src/examine shows a legacy image in these terms.
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

/* What of the items has to wait for the end of the round. Zeroed is empty; gw_legacy_map_free. */
struct gw_legacy_map {
	/* private */
	bool has_tsc;
	struct gw_tsc_info tsc;
	struct gw_buffer params; /* pairs of index and value, each index once, in order of coming */
	struct gw_buffer context; /* HVM */
	struct gw_buffer vcpus;	  /* PV: records, complete */
	struct gw_buffer shared_info;
	struct gw_buffer toolstack; /* as it came */
};

void gw_legacy_map_free(struct gw_legacy_map *map);
/* Another round begins: what the last one's tail brought is forgotten (params, TSC and toolstack
 * record stay until they come again). */
void gw_legacy_map_round(struct gw_legacy_map *map);

/* At GW_LEGACY_HEADER: image header, domain header, [X86_PV_INFO], STATIC_DATA_END,
 * [X86_PV_P2M_FRAMES]. */
int gw_legacy_map_header(const struct gw_legacy_reader *r, struct gw_buffer *out,
			 struct gw_error *err);
/*
 * At GW_LEGACY_PAGES: the entries that a PAGE_DATA carries into out[0..GW_LEGACY_BATCH_MAX-1],
 * without those that only fill. Their contents stand in the input in the same order. *nr_pages: of
 * those with contents. Returns how many; 0: no record is needed.
 */
size_t gw_legacy_map_pages(const struct gw_legacy_reader *r, uint64_t *out, size_t *nr_pages);
/*
 * At GW_LEGACY_UNMAPPED: the entries of a PAGE_DATA without contents that says of these pfns that
 * there is no memory (XTAB). No restore takes memory away for it; whoever reads the image learns
 * what the guest had. Returns how many.
 */
size_t gw_legacy_map_unmapped(const struct gw_legacy_reader *r, uint64_t *out);
/* Any other event: keeps what the tail's records need. GW_UNSUPPORTED for what version 3 cannot
 * carry (tmem with contents). */
int gw_legacy_map_event(struct gw_legacy_map *map, const struct gw_legacy_reader *r,
			enum gw_legacy_event event, struct gw_error *err);
/*
 * At GW_LEGACY_CHECKPOINT: what stands behind the pages, in the order of the specification. PV:
 * X86_TSC_INFO, SHARED_INFO, the vCPUs' records. HVM: X86_TSC_INFO, HVM_PARAMS, HVM_CONTEXT. No
 * END, no CHECKPOINT.
 */
int gw_legacy_map_tail(const struct gw_legacy_map *map, const struct gw_legacy_header *header,
		       struct gw_buffer *out, struct gw_error *err);
/*
 * Appends the toolstack record as the body of EMULATOR_XENSTORE_DATA has it behind its ids: keys
 * physmap/ADDRESS/{start_addr,size,name} and their values, NUL-terminated. width: of the saving
 * tools, which decides where an entry begins: a record that is not of that width fails. *entries:
 * physmap entries; nothing is appended if there are none, or on failure. What is longer than a
 * record's GW_STREAM_BODY_MAX, or of another version, is GW_UNSUPPORTED.
 */
int gw_legacy_map_xenstore(const void *toolstack, size_t len, unsigned width, struct gw_buffer *out,
			   uint32_t *entries, struct gw_error *err);

#endif
