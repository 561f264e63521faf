/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Random legacy images with their meaning: each event that the reader of format/legacy/legacy.h
 * must report, and memory and state at each checkpoint as a restore must have them. The same seed
 * gives the same image. Each image could come from some libxc of Xen 4.0 to 4.5, or, without
 * extended info, of 3.0; a domain of `memory:` can be restored from it.
 */
#ifndef GW_TESTS_LEGACY_WRITER_H
#define GW_TESTS_LEGACY_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "format/legacy/legacy.h"

/* Properties that the image must have; zeroed: any, but not bare. */
enum legacy_wish_for { LEGACY_ANY, LEGACY_YES, LEGACY_NO };
struct legacy_wish {
	unsigned width;
	enum gw_guest_type guest;
	unsigned guest_width; /* PV */
	uint64_t p2m_size;    /* at least LEGACY_P2M_MIN */
	unsigned rounds;
	uint32_t max_vcpu_id; /* PV */
	enum legacy_wish_for compression, verify, tmem, info, xend, last;
	bool bare; /* HVM: without a device model record */
};

#define LEGACY_P2M_MIN 40u
#define LEGACY_NEVER   0xff /* type of a pfn that did not come */
#define LEGACY_PARAMS  40u

/* An event that the reader reports, with its values. */
struct legacy_made_event {
	enum gw_legacy_event event;
	int32_t id;	 /* as reader->id; not for HEADER, CHECKPOINT and DONE */
	uint64_t offset; /* as reader->item_offset; not for the same events */
	size_t end; /* the bytes of the image that the reader has taken when it reports the event */
	/* Value of a param; pages with contents of a batch; length of compressed data and device
	   model (UINT64_MAX: to the end); id of a vCPU; pools of tmem; all unmapped pfns. */
	uint64_t value;
	size_t at; /* the offset of data (or a vCPU's context, or what follows) in the image */
	uint32_t len;
	size_t entries, nr_entries; /* in the image's list of entries, as PAGE_DATA has them */
};

struct legacy_made_vcpu {
	uint32_t id;
	size_t context, ext, xsave; /* offsets in the image; 0: none */
	uint32_t context_len, xsave_len;
	uint64_t xsave_mask;
};

/* Memory and state at a checkpoint. Offsets are in the image. */
struct legacy_made_round {
	size_t end; /* end of its tail: the image may be cut here */
	/* By pfn. The type is that of the last entry. A page of XALLOC is zero. */
	uint8_t *types, *memory, *unmapped;
	bool has_tsc, has_toolstack;
	struct gw_tsc_info tsc;
	uint64_t params[LEGACY_PARAMS];
	uint64_t has_param; /* a bit for each */
	uint64_t magic_pfns[3];
	size_t context, toolstack, model, shared_info;
	uint32_t context_len, toolstack_len, model_len;
	enum gw_legacy_device_model model_kind;
	struct legacy_made_vcpu *vcpus;
	size_t nr_vcpus;
};

struct legacy_made {
	struct gw_buffer bytes;
	struct gw_legacy_kind kind;
	unsigned guest_width; /* 0: HVM */
	uint64_t p2m_size;
	bool extended_info, extended_cr3, ext_contexts, bare, compressed, verify, vcpu_info;
	bool ends; /* the last round ends the image */
	bool last; /* by a LAST_CHECKPOINT chunk */
	uint32_t xsave_bytes, unknown_blocks;
	uint64_t first_frame; /* PV: the first P2M frame; the next ones count up */
	struct legacy_made_event *events;
	size_t nr_events;
	uint64_t *entries;
	size_t nr_entries;
	struct legacy_made_round *rounds;
	size_t nr_rounds;
};

/* wish NULL: no wishes. */
struct legacy_made *legacy_make(uint64_t seed, const struct legacy_wish *wish);
void legacy_made_free(struct legacy_made *made);

#endif
