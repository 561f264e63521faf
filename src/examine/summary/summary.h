/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All that an image says about its domain, gathered while gw_examine walks it: what inspect
 * shows. Only well-formed records are gathered; what is wrong with the others the
 * findings say. Where the image says something more than once the last word counts, up to the last
 * complete checkpoint where it has checkpoints.
 */
#ifndef GW_EXAMINE_SUMMARY_SUMMARY_H
#define GW_EXAMINE_SUMMARY_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "base/buffer.h"
#include "examine/examine.h"
#include "examine/memory/map.h"
#include "examine/memory/page_contents.h"
#include "examine/memory/page_tables.h"
#include "examine/rounds.h"
#include "format/qemu/sections.h"

/* Lists stop growing at these; hostile images must not fill the memory. */
#define GW_SUMMARY_TYPES_MAX  256u
#define GW_SUMMARY_PARAMS_MAX 256u
#define GW_SUMMARY_VCPUS_MAX  8192u /* ids from there on are left out */
#define GW_SUMMARY_CODES_MAX  64u
#define GW_SUMMARY_ITEMS_MAX  64u
/* Bytes of state that are kept: thousands of vCPUs have less. More is left out. */
#define GW_SUMMARY_STATE_MAX (UINT64_C(256) << 20)

/* How many records of a type there are. */
struct gw_type_count {
	enum gw_layer layer;
	uint32_t type;
	uint64_t count;
	uint64_t bytes; /* of the bodies */
};

/* How many items of a kind a legacy image has. */
struct gw_item_count {
	int32_t id; /* enum gw_legacy_id; 1 for batches of any size */
	const char *name;
	uint64_t count;
	uint64_t bytes; /* all of their bytes */
};

struct gw_param {
	uint64_t index, value;
};

enum gw_vcpu_blob_kind {
	GW_VCPU_BASIC,
	GW_VCPU_EXTENDED,
	GW_VCPU_XSAVE,
	GW_VCPU_MSRS,
	GW_VCPU_NR_BLOBS,
};

/* PV: sizes of a vCPU's blobs, 0 if none came, and the blobs. HVM: only the id. */
struct gw_vcpu_summary {
	uint32_t id;
	uint32_t basic, extended, xsave, msrs;
	struct gw_buffer blobs[GW_VCPU_NR_BLOBS];
};

/* Entries of one typecode in the last HVM_CONTEXT. */
struct gw_code_count {
	uint16_t code;
	uint32_t count;
	uint64_t bytes;
};

/* Zeroed is empty, then what is wanted; gw_summary_free. */
struct gw_summary {
	/* To be set before the walk: gw_summary_page then needs the contents of pages, or of page
	 * tables. */
	bool want_contents, want_tables;
	/* xl header */
	uint64_t xl_offset;
	uint32_t mandatory_flags, optional_flags;
	/* xend header */
	uint64_t xend_offset;
	/* of either: its text, followed by a NUL that does not count; xend's is an S-expression */
	struct gw_buffer config;
	bool has_config, config_is_json, config_is_xend;
	/* layers */
	uint64_t stream_offset, image_offset;
	/* image */
	struct gw_checkpoints checkpoints;
	uint64_t unfinished; /* entries after the last complete checkpoint, left out */
	struct gw_memory_map memory;
	struct gw_page_contents contents; /* if want_contents */
	struct gw_page_tables tables;	  /* if want_tables: put in, not looked at yet */
	struct gw_type_count types[GW_SUMMARY_TYPES_MAX];
	size_t nr_types;
	struct gw_item_count items[GW_SUMMARY_ITEMS_MAX];
	size_t nr_items;
	bool has_pv_info;
	struct gw_pv_info pv_info;
	bool has_p2m;
	struct gw_p2m_frames p2m;    /* as the last record says */
	uint32_t p2m_end;	     /* the highest pfn of all of them */
	struct gw_buffer p2m_frames; /* of all: the pfn of each frame, as uint64_t */
	bool has_tsc;
	struct gw_tsc_info tsc;
	struct gw_param params[GW_SUMMARY_PARAMS_MAX];
	size_t nr_params;
	struct gw_vcpu_summary *vcpus; /* in the order in which they came */
	size_t nr_vcpus;
	uint16_t vcpu_places[GW_SUMMARY_VCPUS_MAX]; /* by id: place in vcpus + 1, 0: none came */
	uint32_t nr_leaves, nr_msrs;		    /* of the policies */
	struct gw_policy policy;
	struct gw_buffer shared_info;
	struct gw_buffer hvm_context; /* the last one, whole */
	uint32_t hvm_context_bytes;
	bool has_hvm_header;
	uint32_t hvm_cpuid; /* CPUID leaf 1 eax of the saving host */
	struct gw_code_count codes[GW_SUMMARY_CODES_MAX];
	size_t nr_codes;
	struct gw_buffer xenabi; /* GODWIT_XENABI */
	struct gw_buffer kvm;	 /* GODWIT_KVM */
	/* libxl stream */
	bool has_emulator;
	uint32_t emulator_id;
	uint64_t emulator_bytes;      /* of device model state */
	struct gw_qemu_sections qemu; /* what of it is QEMU's; behind gw_summary_finish */
	/* Its bytes, if want_emulator; they begin at emulator_offset of the input. */
	struct gw_buffer emulator_state;
	uint64_t emulator_offset;
	bool want_emulator;
	bool has_xenstore;
	uint64_t xenstore_keys;
	struct gw_buffer xenstore; /* keys and values, each ended by a NUL */

	uint64_t state_bytes; /* bytes in those buffers that come and come again */
	uint64_t left_out;    /* pieces of state that found no room */
	struct gw_error err;  /* memory ran out on the way */

	/* private */
	struct gw_rounds rounds;
	struct gw_qemu_sections qemu_aside; /* of a round that is not complete */
	struct gw_buffer emulator_aside;    /* likewise */
	uint64_t emulator_aside_offset;
	uint64_t record, record_offset; /* of the PAGE_DATA whose pages come */
};

/* The state of the device model that came last, also of a round that is not complete. */
const struct gw_buffer *gw_summary_emulator(const struct gw_summary *summary, uint64_t *offset);

/* The entries of a sink: call them from a sink of your own, with the summary as opaque. */
void gw_summary_xlfile(void *summary, uint64_t offset, const struct gw_xlfile *xl);
void gw_summary_xend(void *summary, uint64_t offset, const struct gw_xend *xend);
void gw_summary_stream(void *summary, uint64_t offset, const struct gw_stream_header *header);
void gw_summary_image(void *summary, uint64_t offset, const struct gw_image_header *header);
void gw_summary_record(void *summary, const struct gw_examine_record *record);
void gw_summary_item(void *summary, const struct gw_examine_item *item);
int gw_summary_body(void *summary, const struct gw_examine_record *record, const uint8_t *data,
		    size_t len, struct gw_error *err);
/* Adds a record other than PAGE_DATA. The caller knows that it counts, and keeps the others aside.
 */
void gw_summary_apply(struct gw_summary *summary, const struct gw_examine_record *record);
/* These two where contents are wanted. */
bool gw_summary_wants(void *summary, uint64_t pfn, unsigned type);
int gw_summary_page(void *summary, uint64_t pfn, unsigned type, const uint8_t *contents,
		    struct gw_error *err);

/* Ends the summary after the walk. -1: out of memory, here or earlier. */
int gw_summary_finish(struct gw_summary *summary, struct gw_error *err);

/*
 * "xl file, libxl stream v2, libxc image v3, x86 HVM, 43 records, 1040 pages": the layers of an
 * image in one line. Returns buf.
 */
char *gw_examination_title(const struct gw_examination *examination, char *buf, size_t size);
/* "x86 PV", "x86 HVM" */
const char *gw_guest_type_title(uint32_t type);

void gw_summary_free(struct gw_summary *summary);

#endif
