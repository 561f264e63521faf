/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The legacy reader as a state machine: which bytes come next, and which handler decodes them. The
 * handlers are in header.c, body.c, tmem.c and tail.c.
 */
#include "format/legacy/internal.h"

#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/record.h"

static const struct {
	const char *name;
	int param; /* param that an HVM chunk sets, or -1 */
} ids[] = {
	[0] = {"END", -1},
	[-GW_LEG_VERIFY] = {"ENABLE_VERIFY_MODE", -1},
	[-GW_LEG_VCPU_INFO] = {"VCPU_INFO", -1},
	[-GW_LEG_HVM_IDENT_PT] = {"HVM_IDENT_PT", 12},
	[-GW_LEG_HVM_VM86_TSS] = {"HVM_VM86_TSS", 15},
	[-GW_LEG_TMEM] = {"TMEM", -1},
	[-GW_LEG_TMEM_EXTRA] = {"TMEM_EXTRA", -1},
	[-GW_LEG_TSC_INFO] = {"TSC_INFO", -1},
	[-GW_LEG_HVM_CONSOLE_PFN] = {"HVM_CONSOLE_PFN", 17},
	[-GW_LEG_LAST_CHECKPOINT] = {"LAST_CHECKPOINT", -1},
	[-GW_LEG_HVM_ACPI_IOPORTS_LOCATION] = {"HVM_ACPI_IOPORTS_LOCATION", 19},
	[-GW_LEG_HVM_VIRIDIAN] = {"HVM_VIRIDIAN", 9},
	[-GW_LEG_COMPRESSED_DATA] = {"COMPRESSED_DATA", -1},
	[-GW_LEG_ENABLE_COMPRESSION] = {"ENABLE_COMPRESSION", -1},
	[-GW_LEG_HVM_GENERATION_ID_ADDR] = {"HVM_GENERATION_ID_ADDR", 34},
	[-GW_LEG_HVM_PAGING_RING_PFN] = {"HVM_PAGING_RING_PFN", 27},
	[-GW_LEG_HVM_MONITOR_RING_PFN] = {"HVM_MONITOR_RING_PFN", 28},
	[-GW_LEG_HVM_SHARING_RING_PFN] = {"HVM_SHARING_RING_PFN", 29},
	[-GW_LEG_TOOLSTACK] = {"TOOLSTACK", -1},
	[-GW_LEG_HVM_IOREQ_SERVER_PFN] = {"HVM_IOREQ_SERVER_PFN", 32},
	[-GW_LEG_HVM_NR_IOREQ_SERVER_PAGES] = {"HVM_NR_IOREQ_SERVER_PAGES", 33},
	[-GW_LEG_HVM_X87_FIP_WIDTH] = {"HVM_X87_FIP_WIDTH", 36},
};

static const char *const parts[] = {
	[GW_LEG_HEADER - GW_LEG_HEADER] = "header",
	[GW_LEG_HEADER - GW_LEG_TAIL_MAGIC_PFNS] = "MAGIC_PFNS",
	[GW_LEG_HEADER - GW_LEG_TAIL_HVM_CONTEXT] = "HVM_CONTEXT",
	[GW_LEG_HEADER - GW_LEG_TAIL_DEVICE_MODEL] = "DEVICE_MODEL",
	[GW_LEG_HEADER - GW_LEG_TAIL_UNMAPPED] = "UNMAPPED_PFNS",
	[GW_LEG_HEADER - GW_LEG_TAIL_VCPU] = "VCPU",
	[GW_LEG_HEADER - GW_LEG_TAIL_SHARED_INFO] = "SHARED_INFO",
};

const char *gw_legacy_id_name(int32_t id)
{
	if (id > 0)
		return id <= (int32_t)GW_LEGACY_BATCH_MAX ? "pages" : NULL;
	if (id >= GW_LEG_FIRST_ID)
		return ids[-id].name;
	if (id <= GW_LEG_HEADER && id > GW_LEG_HEADER - (int32_t)GW_ARRAY_SIZE(parts))
		return parts[GW_LEG_HEADER - id];
	return NULL;
}

int gw_legacy_id_param(int32_t id)
{
	return id <= 0 && id >= GW_LEG_FIRST_ID ? ids[-id].param : -1;
}

bool gw_legacy_id_is_known(int32_t id)
{
	return id >= GW_LEG_FIRST_ID && id <= (int32_t)GW_LEGACY_BATCH_MAX;
}

static int owed(struct gw_legacy_reader *r, enum gw_legacy_event *event, struct gw_error *err)
{
	return 0;
}

static int got_round(struct gw_legacy_reader *r, enum gw_legacy_event *event, struct gw_error *err)
{
	r->rounds++;
	/* Xen's reader looks at the announcement once, after the first tail. */
	if (r->rounds == 1)
		r->compressing = r->compressed;
	r->fresh = true;
	gw_legacy_expect(r, r->ends ? GW_LEGS_ENDED : GW_LEGS_CHUNK, r->ends ? 0 : 4);
	*event = GW_LEGACY_CHECKPOINT;
	return 0;
}

static int got_ended(struct gw_legacy_reader *r, enum gw_legacy_event *event, struct gw_error *err)
{
	*event = GW_LEGACY_DONE;
	return 0;
}

static gw_legacy_handler *const handlers[GW_LEGS_COUNT] = {
	[GW_LEGS_START] = gw_legacy_got_start,
	[GW_LEGS_MARKER] = gw_legacy_got_marker,
	[GW_LEGS_FIRST] = gw_legacy_got_first,
	[GW_LEGS_TOTAL] = gw_legacy_got_total,
	[GW_LEGS_BLOCK] = gw_legacy_got_block,
	[GW_LEGS_BLOCK_DATA] = gw_legacy_got_block_data,
	[GW_LEGS_BLOCK_SKIP] = gw_legacy_got_block_skip,
	[GW_LEGS_FRAMES] = gw_legacy_got_frames,
	[GW_LEGS_CHUNK] = gw_legacy_got_chunk,
	[GW_LEGS_ENTRIES] = gw_legacy_got_entries,
	[GW_LEGS_COMPRESSED] = gw_legacy_got_compressed,
	[GW_LEGS_VCPU_MAX] = gw_legacy_got_vcpu_max,
	[GW_LEGS_VCPU_MAP] = gw_legacy_got_vcpu_map,
	[GW_LEGS_PARAM] = gw_legacy_got_param,
	[GW_LEGS_TSC] = gw_legacy_got_tsc,
	[GW_LEGS_TOOLSTACK_LEN] = gw_legacy_got_toolstack_len,
	[GW_LEGS_TOOLSTACK] = gw_legacy_got_toolstack,
	[GW_LEGS_TMEM_HEAD] = gw_legacy_got_tmem_head,
	[GW_LEGS_TMEM_POOL] = gw_legacy_got_tmem_pool,
	[GW_LEGS_TMEM_POOL_REST] = gw_legacy_got_tmem_pool_rest,
	[GW_LEGS_TMEM_OID] = gw_legacy_got_tmem_oid,
	[GW_LEGS_TMEM_INDEX] = gw_legacy_got_tmem_index,
	[GW_LEGS_TMEM_PAGE] = gw_legacy_got_tmem_page,
	[GW_LEGS_TMEM_FLUSH] = gw_legacy_got_tmem_flush,
	[GW_LEGS_TMEM_FLUSH_REST] = gw_legacy_got_tmem_flush_rest,
	[GW_LEGS_MAGIC_PFNS] = gw_legacy_got_magic_pfns,
	[GW_LEGS_CONTEXT_LEN] = gw_legacy_got_context_len,
	[GW_LEGS_CONTEXT] = gw_legacy_got_context,
	[GW_LEGS_MODEL] = gw_legacy_got_model,
	[GW_LEGS_MODEL_LEN] = gw_legacy_got_model_len,
	[GW_LEGS_UNMAPPED_COUNT] = gw_legacy_got_unmapped_count,
	[GW_LEGS_UNMAPPED] = gw_legacy_got_unmapped,
	[GW_LEGS_VCPU] = gw_legacy_got_vcpu,
	[GW_LEGS_VCPU_XSAVE] = gw_legacy_got_vcpu_xsave,
	[GW_LEGS_SHARED_INFO] = gw_legacy_got_shared_info,
	[GW_LEGS_DATA] = owed,
	[GW_LEGS_MODEL_DATA] = owed,
	[GW_LEGS_ROUND] = got_round,
	[GW_LEGS_ENDED] = got_ended,
};

void gw_legacy_reader_init(struct gw_legacy_reader *r, const struct gw_legacy_kind *forced)
{
	*r = (struct gw_legacy_reader){.id = GW_LEG_HEADER};
	if (forced)
		r->forced = *forced;
	/* Eight bytes are surely not part of a page; for 32-bit tools they are enough to detect
	 * everything. */
	gw_legacy_expect(r, GW_LEGS_START, 8);
}

void gw_legacy_reader_free(struct gw_legacy_reader *r)
{
	gw_buffer_free(&r->buf);
	gw_buffer_free(&r->words);
	gw_buffer_free(&r->map);
	*r = (struct gw_legacy_reader){0};
}

void gw_legacy_expect(struct gw_legacy_reader *r, enum gw_legacy_state state, uint64_t size)
{
	r->state = state;
	r->left = size;
	r->stale = true;
}

void gw_legacy_expect_more(struct gw_legacy_reader *r, enum gw_legacy_state state, uint64_t size)
{
	r->state = state;
	r->left = r->buf.len + size;
}

void gw_legacy_skip(struct gw_legacy_reader *r, enum gw_legacy_state state, uint64_t size)
{
	r->skip = size;
	gw_legacy_expect(r, state, GW_MIN(size, (uint64_t)GW_FRAMING_PIECE));
}

bool gw_legacy_skipped(struct gw_legacy_reader *r)
{
	r->skip -= r->left;
	if (r->skip == 0)
		return true;
	gw_legacy_skip(r, r->state, r->skip);
	return false;
}

void gw_legacy_begin_item(struct gw_legacy_reader *r, int32_t id, unsigned read)
{
	r->id = id;
	r->item = r->items++;
	r->item_offset = r->offset - read;
	r->fresh = false;
}

uint64_t gw_legacy_long(const struct gw_legacy_reader *r, const void *p)
{
	return r->header.kind.width == 8 ? gw_get_le64(p) : gw_get_le32(p);
}

uint64_t *gw_legacy_words(struct gw_legacy_reader *r, size_t n, struct gw_error *err)
{
	gw_buffer_reset(&r->words);
	return gw_buffer_reserve(&r->words, n * sizeof(uint64_t), err);
}

/* Uses bytes that were read with the header and come after it. */
static int use_carried(struct gw_legacy_reader *r, struct gw_error *err)
{
	size_t n = GW_MIN((size_t)r->carried, (size_t)r->left);

	if (n == 0)
		return 0;
	if (gw_buffer_append(&r->buf, r->carry, n, err) < 0)
		return -1;
	r->carried -= (unsigned)n;
	r->offset += n;
	memmove(r->carry, r->carry + n, r->carried);
	return 0;
}

int gw_legacy_reader_want(struct gw_legacy_reader *r, void **to, size_t *len, struct gw_error *err)
{
	if (r->stale) {
		gw_framing_recycle(&r->buf);
		r->stale = false;
		if (use_carried(r, err) < 0)
			return -1;
		if (r->next_id)
			gw_legacy_begin_item(r, r->next_id, 0);
		r->next_id = 0;
	}
	if (gw_framing_want(&r->buf, r->left, to, len, err) < 0)
		return -1;
	r->need = *len;
	return 0;
}

int gw_legacy_reader_got(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			 struct gw_error *err)
{
	*event = GW_LEGACY_MORE;
	r->buf.len += r->need;
	r->offset += r->need;
	r->need = 0;
	if (r->buf.len < r->left)
		return 0;
	return handlers[r->state](r, event, err);
}

void gw_legacy_reader_data_done(struct gw_legacy_reader *r)
{
	if (r->data_len != UINT64_MAX)
		r->offset += r->data_len;
	r->entries = NULL;
	r->nr_entries = 0;
	if (r->state == GW_LEGS_DATA)
		gw_legacy_expect(r, GW_LEGS_CHUNK, 4);
	else if (r->state == GW_LEGS_MODEL_DATA)
		gw_legacy_expect(r, GW_LEGS_ROUND, 0);
}

bool gw_legacy_reader_at_boundary(const struct gw_legacy_reader *r)
{
	if (r->state == GW_LEGS_CHUNK)
		return r->fresh;
	return r->state == GW_LEGS_ROUND || r->state == GW_LEGS_ENDED;
}

bool gw_legacy_reader_without_model(struct gw_legacy_reader *r)
{
	if (r->state != GW_LEGS_MODEL || r->buf.len || r->rounds || !r->last_checkpoint)
		return false;
	r->bare = true;
	r->need = 0;
	gw_legacy_expect(r, GW_LEGS_ROUND, 0);
	return true;
}

bool gw_legacy_reader_in_item(const struct gw_legacy_reader *r)
{
	return r->state != GW_LEGS_CHUNK && r->state != GW_LEGS_ROUND && r->state != GW_LEGS_ENDED;
}
