/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The legacy image, as libxc of Xen 4.5 and before wrote it (docs/specs/libxc-migration-stream of
 * Xen, "Legacy Images"; tools/libxc/xg_save_restore.h and xc_domain_restore.c of those releases).
 * It has no header, no version and no padding; its integers are as wide as those of the toolstack
 * that saved it. Bytes to structs, no system call. The rules are in rules.h, the mapping to a
 * current image in map.h.
 *
 * The reader works like that of the current image (image.h): it never asks for a byte beyond the
 * current item, and page contents never pass through it.
 */
#ifndef GW_FORMAT_LEGACY_LEGACY_H
#define GW_FORMAT_LEGACY_LEGACY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>
#include <godwit/guest.h>

#include "base/buffer.h"

#define GW_LEGACY_P2M_MAX   UINT32_C(0x0fffffff) /* pfns have 28 bits */
#define GW_LEGACY_BATCH_MAX 1024u
#define GW_LEGACY_VCPUS_MAX 4096u
#define GW_LEGACY_CONTEXT_MAX                                                                      \
	(16u << 20)			/* of HVM context or toolstack record: above any real one */
#define GW_LEGACY_XSAVE_MAX (64u << 10) /* of a vCPU's extended state: above any real one */
#define GW_LEGACY_DETECT    16u		/* first bytes that decide width and guest type */

/* The int at the start of each chunk of the body; a positive one is the number of pages of a
 * batch. */
enum gw_legacy_id {
	GW_LEG_END = 0,
	GW_LEG_VERIFY = -1,
	GW_LEG_VCPU_INFO = -2,
	GW_LEG_HVM_IDENT_PT = -3,
	GW_LEG_HVM_VM86_TSS = -4,
	GW_LEG_TMEM = -5,
	GW_LEG_TMEM_EXTRA = -6,
	GW_LEG_TSC_INFO = -7,
	GW_LEG_HVM_CONSOLE_PFN = -8,
	GW_LEG_LAST_CHECKPOINT = -9,
	GW_LEG_HVM_ACPI_IOPORTS_LOCATION = -10,
	GW_LEG_HVM_VIRIDIAN = -11,
	GW_LEG_COMPRESSED_DATA = -12,
	GW_LEG_ENABLE_COMPRESSION = -13,
	GW_LEG_HVM_GENERATION_ID_ADDR = -14,
	GW_LEG_HVM_PAGING_RING_PFN = -15,
	GW_LEG_HVM_MONITOR_RING_PFN = -16,
	GW_LEG_HVM_SHARING_RING_PFN = -17,
	GW_LEG_TOOLSTACK = -18,
	GW_LEG_HVM_IOREQ_SERVER_PFN = -19,
	GW_LEG_HVM_NR_IOREQ_SERVER_PAGES = -20,
	GW_LEG_HVM_X87_FIP_WIDTH = -21,

	/* Not in the image: values of reader->id in the header and in the parts of the tail. */
	GW_LEG_HEADER = -100,
	GW_LEG_TAIL_MAGIC_PFNS = -101,
	GW_LEG_TAIL_HVM_CONTEXT = -102,
	GW_LEG_TAIL_DEVICE_MODEL = -103,
	GW_LEG_TAIL_UNMAPPED = -104,
	GW_LEG_TAIL_VCPU = -105,
	GW_LEG_TAIL_SHARED_INFO = -106,
};

/* "VCPU_INFO", "pages" for a batch, "HVM_CONTEXT" for that of the tail; NULL for unknown ids. */
const char *gw_legacy_id_name(int32_t id);
/* The HVM param that a chunk of this id sets, or -1. */
int gw_legacy_id_param(int32_t id);

/* The guest type and the width of the saving tools, as far as known or detected. */
struct gw_legacy_kind {
	unsigned width;		  /* size of a long in the saving tools: 4 or 8; 0: unknown */
	enum gw_guest_type guest; /* GW_GUEST_X86_PV or _HVM; GW_GUEST_NONE: unknown */
};

/*
 * Fills unknown members of *kind from the first GW_LEGACY_DETECT bytes. Values that the caller
 * forced are kept. Fails if the bytes contradict them (GW_INVALID; the text gives the reason and
 * what the bytes look like), or are not a legacy image.
 */
int gw_legacy_detect(const uint8_t *first, size_t len, struct gw_legacy_kind *kind,
		     struct gw_error *err);

struct gw_legacy_header {
	struct gw_legacy_kind kind;
	uint64_t p2m_size; /* max pfn + 1 */
	/* PV */
	bool has_extended_info;	 /* false: written by Xen 3.0, the guest is as wide as the tools */
	unsigned guest_width;	 /* 4 or 8; 0 for HVM */
	bool pae_extended_cr3;	 /* in block "vcpu": a 32-bit guest with its L3 above 4 GiB */
	bool has_ext_contexts;	 /* block "extv" */
	uint32_t xsave_bytes;	 /* block "xcnt": for each vCPU, its own 16 included; 0: none */
	uint32_t unknown_blocks; /* skipped, as libxc does */
	uint64_t p2m_frames;	 /* entries of the list: gw_legacy_p2m_frame() */
};

enum gw_legacy_device_model {
	GW_LEGACY_DM_QEMU,  /* "QemuDeviceModelRecord": xend; goes to the end of input */
	GW_LEGACY_DM_LIBXL, /* "DeviceModelRecord0002": libxl */
	GW_LEGACY_DM_REMUS, /* "RemusDeviceModelState": the Remus script of old */
};

/* A vCPU in a PV guest's tail. All pointers are into the reader. */
struct gw_legacy_vcpu {
	uint32_t id;
	const uint8_t *context; /* vcpu_guest_context: 0x1430 or 0xaf0 bytes */
	uint32_t context_len;
	const uint8_t *ext; /* NULL: none; 128 bytes */
	uint32_t ext_len;
	uint64_t xsave_mask;
	const uint8_t *xsave; /* NULL: none; xcr0, xcr0_accum, area */
	uint32_t xsave_len;
	bool assumed; /* there was no VCPU_INFO: vCPU 0 is assumed to be online */
};

enum gw_legacy_event {
	GW_LEGACY_MORE,	  /* nothing to report yet: go on */
	GW_LEGACY_HEADER, /* header is filled; PV: the list of P2M frames is valid until the next
			     want(), like the data of later events */
	/*
	 * A complete chunk other than a batch: id and its member of the reader (value, vcpu_map,
	 * tsc, data/len). TMEM and TMEM_EXTRA are reported after all of their data was skipped.
	 */
	GW_LEGACY_CHUNK,
	/*
	 * A batch: entries[0..nr_entries-1] in the form of PAGE_DATA (gw_page_entry), including
	 * fillers (pfn 0 and XTAB). nr_pages of them have contents. data_len bytes of contents
	 * follow (4096 each; 0 in a compressed round): the caller takes or skips them, then calls
	 * gw_legacy_reader_data_done().
	 */
	GW_LEGACY_PAGES,
	/* COMPRESSED_DATA: data_len bytes follow (delta.h), then data_done(). */
	GW_LEGACY_COMPRESSED,
	GW_LEGACY_BODY_END, /* the chunk 0: the tail begins */
	/* HVM: magic_pfns; then the context in data/len; then the device model: its kind in model,
	 * and data_len bytes that follow (UINT64_MAX: all to the end of the input); then
	 * data_done(). */
	GW_LEGACY_MAGIC_PFNS,
	GW_LEGACY_HVM_CONTEXT,
	GW_LEGACY_DEVICE_MODEL,
	/* PV: pfns without memory, entries[0..nr_entries-1], at most 1024 at a time; then vcpu;
	 * then the 4096 bytes of shared_info in data/len. */
	GW_LEGACY_UNMAPPED,
	GW_LEGACY_VCPU,
	GW_LEGACY_SHARED_INFO,
	/* The tail is over: the image has a complete state of the domain. Then input may end, or
	 * another round begins; after LAST_CHECKPOINT the image has ended. */
	GW_LEGACY_CHECKPOINT,
	GW_LEGACY_DONE, /* the got() after the last CHECKPOINT: want nothing more */
};

struct gw_legacy_reader {
	struct gw_legacy_kind forced;
	bool bare; /* HVM: set after init if no device model record ends the tail (no such event) */
	struct gw_legacy_header header;

	/* the item at hand */
	int32_t id;	      /* of the chunk, or GW_LEG_TAIL_...; of a batch the claimed count */
	uint64_t item;	      /* number of the current chunk or part of a tail, from 0 */
	uint64_t item_offset; /* offset of its first byte in the image */
	uint64_t value;	      /* of a chunk that sets an HVM param */
	struct gw_tsc_info tsc;
	uint32_t max_vcpu_id;
	const uint64_t *vcpu_map; /* max_vcpu_id / 64 + 1 words of bits */
	const uint8_t *data;
	uint32_t len;
	const uint64_t *entries;
	size_t nr_entries, nr_pages;
	uint64_t data_len;
	uint64_t unmapped;		 /* GW_LEGACY_UNMAPPED: number of all such pfns */
	uint64_t tmem_pools, tmem_pages; /* TMEM_EXTRA: pages to forget */
	uint64_t magic_pfns[3];		 /* ioreq, bufioreq, store */
	enum gw_legacy_device_model model;
	struct gw_legacy_vcpu vcpu;

	/* the image so far */
	uint64_t offset; /* bytes of the image taken so far */
	uint64_t rounds; /* complete rounds: CHECKPOINT events */
	bool verify_mode, compressed, last_checkpoint, has_vcpu_info;

	/* private */
	int state;
	struct gw_buffer buf, words, map;
	size_t need;
	uint64_t left, skip, items;
	int32_t next_id;
	uint32_t next_vcpu, pool_pages, info_left;
	unsigned page_shift, carried;
	uint8_t carry[8];
	bool stale;	  /* buf holds data of the last event */
	bool fresh;	  /* nothing of the current round came yet */
	bool ends;	  /* the image ends after the current tail */
	bool compressing; /* batches have no contents */
	bool doubtful;	  /* detected as HVM, but it may be an old PV guest */
};

/* forced: values that override detection; zeroed: none. */
void gw_legacy_reader_init(struct gw_legacy_reader *r, const struct gw_legacy_kind *forced);
void gw_legacy_reader_free(struct gw_legacy_reader *r);
/* Like gw_image_reader_want() and _got(): returns where the next bytes go and exactly how many;
 * then the bytes have arrived. Memory grows with the bytes that arrive, not with claimed
 * lengths. */
int gw_legacy_reader_want(struct gw_legacy_reader *r, void **to, size_t *len, struct gw_error *err);
/* -1: reading cannot continue; the text has expected and found values, but no place. */
int gw_legacy_reader_got(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			 struct gw_error *err);
void gw_legacy_reader_data_done(struct gw_legacy_reader *r);
/* Entry i of the p2m frame list: the pfn of the page that holds that part of the p2m. */
uint64_t gw_legacy_p2m_frame(const struct gw_legacy_reader *r, uint64_t i);
/* True after a complete state: input that ends here is not truncated. Also valid after want() if
 * none of the wanted bytes arrived. */
bool gw_legacy_reader_at_boundary(const struct gw_legacy_reader *r);
/*
 * For input that ended before any byte that want() asked for. True if LAST_CHECKPOINT and all of
 * the first tail came, except the device model's record: a guest without a device model does not
 * need it, and libxc alone does not write it. The round then counts as complete; the caller
 * continues with want() and got(), which ask for nothing more.
 */
bool gw_legacy_reader_without_model(struct gw_legacy_reader *r);
/* True inside the chunk or part of the tail that id, item and item_offset describe (or at its
 * place); false where the id of another chunk is expected. */
bool gw_legacy_reader_in_item(const struct gw_legacy_reader *r);

#endif
