/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The states of the legacy reader, shared by its files. Other files include legacy.h.
 */
#ifndef GW_FORMAT_LEGACY_INTERNAL_H
#define GW_FORMAT_LEGACY_INTERNAL_H

#include "format/legacy/legacy.h"

#define GW_LEG_FIRST_ID (-21) /* the lowest id of a chunk */

/* Each waits for reader->left bytes in reader->buf; then its handler decodes them. */
enum gw_legacy_state {
	/* header: header.c */
	GW_LEGS_START,	/* enough bytes to detect the width of a long */
	GW_LEGS_MARKER, /* ... and the guest type, for 64-bit tools */
	GW_LEGS_FIRST,	/* PV: marker, or first entry of the list of frames */
	GW_LEGS_TOTAL,	/* of the extended info */
	GW_LEGS_BLOCK,
	GW_LEGS_BLOCK_DATA,
	GW_LEGS_BLOCK_SKIP,
	GW_LEGS_FRAMES,
	/* body: body.c */
	GW_LEGS_CHUNK,
	GW_LEGS_ENTRIES,
	GW_LEGS_COMPRESSED,
	GW_LEGS_VCPU_MAX,
	GW_LEGS_VCPU_MAP,
	GW_LEGS_PARAM,
	GW_LEGS_TSC,
	GW_LEGS_TOOLSTACK_LEN,
	GW_LEGS_TOOLSTACK,
	/* tmem: tmem.c */
	GW_LEGS_TMEM_HEAD,
	GW_LEGS_TMEM_POOL,
	GW_LEGS_TMEM_POOL_REST,
	GW_LEGS_TMEM_OID,
	GW_LEGS_TMEM_INDEX,
	GW_LEGS_TMEM_PAGE,
	GW_LEGS_TMEM_FLUSH,
	GW_LEGS_TMEM_FLUSH_REST,
	/* tail: tail.c */
	GW_LEGS_MAGIC_PFNS,
	GW_LEGS_CONTEXT_LEN,
	GW_LEGS_CONTEXT,
	GW_LEGS_MODEL,
	GW_LEGS_MODEL_LEN,
	GW_LEGS_UNMAPPED_COUNT,
	GW_LEGS_UNMAPPED,
	GW_LEGS_VCPU,
	GW_LEGS_VCPU_XSAVE,
	GW_LEGS_SHARED_INFO,
	/* neither */
	GW_LEGS_DATA,	    /* of a batch, or compressed: waits for data_done() */
	GW_LEGS_MODEL_DATA, /* the same for a device model */
	GW_LEGS_ROUND,	    /* the tail is complete, but not reported yet */
	GW_LEGS_ENDED,
	GW_LEGS_COUNT,
};

typedef int gw_legacy_handler(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			      struct gw_error *err);

/* The next item has size bytes. The data of the last event stays valid until the next want(). */
void gw_legacy_expect(struct gw_legacy_reader *r, enum gw_legacy_state state, uint64_t size);
/* The same for more bytes of the current item: the buffer keeps its bytes. */
void gw_legacy_expect_more(struct gw_legacy_reader *r, enum gw_legacy_state state, uint64_t size);
/* The next size bytes are skipped; state's handler is called with each piece and calls
 * gw_legacy_skipped() first: true when all of them are gone. */
void gw_legacy_skip(struct gw_legacy_reader *r, enum gw_legacy_state state, uint64_t size);
bool gw_legacy_skipped(struct gw_legacy_reader *r);
/* A chunk or part of the tail begins; that many of its bytes have been read. */
void gw_legacy_begin_item(struct gw_legacy_reader *r, int32_t id, unsigned read);
/* A long of the saving tools at p. */
uint64_t gw_legacy_long(const struct gw_legacy_reader *r, const void *p);
/* Room for n 64-bit words in reader->words, or NULL. */
uint64_t *gw_legacy_words(struct gw_legacy_reader *r, size_t n, struct gw_error *err);
/* "64-bit tools, HVM guest" */
const char *gw_legacy_kind_text(const struct gw_legacy_kind *kind);
/* Appended to an error's text: "", or that it may be another kind of guest. */
const char *gw_legacy_doubt(const struct gw_legacy_reader *r);
/* True for the id of a chunk that can begin an HVM image. */
bool gw_legacy_id_is_known(int32_t id);

gw_legacy_handler gw_legacy_got_start, gw_legacy_got_marker, gw_legacy_got_first,
	gw_legacy_got_total, gw_legacy_got_block, gw_legacy_got_block_data,
	gw_legacy_got_block_skip, gw_legacy_got_frames;
gw_legacy_handler gw_legacy_got_chunk, gw_legacy_got_entries, gw_legacy_got_compressed,
	gw_legacy_got_vcpu_max, gw_legacy_got_vcpu_map, gw_legacy_got_param, gw_legacy_got_tsc,
	gw_legacy_got_toolstack_len, gw_legacy_got_toolstack;
gw_legacy_handler gw_legacy_got_tmem_head, gw_legacy_got_tmem_pool, gw_legacy_got_tmem_pool_rest,
	gw_legacy_got_tmem_oid, gw_legacy_got_tmem_index, gw_legacy_got_tmem_page,
	gw_legacy_got_tmem_flush, gw_legacy_got_tmem_flush_rest;
gw_legacy_handler gw_legacy_got_magic_pfns, gw_legacy_got_context_len, gw_legacy_got_context,
	gw_legacy_got_model, gw_legacy_got_model_len, gw_legacy_got_unmapped_count,
	gw_legacy_got_unmapped, gw_legacy_got_vcpu, gw_legacy_got_vcpu_xsave,
	gw_legacy_got_shared_info;

/* TMEM and TMEM_EXTRA, after their id. The body is over. */
void gw_legacy_begin_tmem(struct gw_legacy_reader *r);
void gw_legacy_begin_tail(struct gw_legacy_reader *r);

#endif
