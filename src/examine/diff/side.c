/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One image of a comparison, read as a restore reads it: up to the first checkpoint all that comes
 * is applied at once; each later round waits in an unlinked file until its checkpoint is complete.
 */
#include "examine/diff/internal.h"

#include <string.h>

#include <godwit/guest.h>

#include "base/util.h"

/* The header of an item in a round that does not count yet; the data of its type follows. */
enum {
	W_PAGE,	   /* its contents, if it has any */
	W_ENTRIES, /* of a PAGE_DATA whose pages stay where they are */
	W_RECORD,  /* its body, or the beginning of it */
	W_BODY,	   /* a piece of device model state */
};
struct waiting {
	uint64_t where;	 /* PAGE: pfn. ENTRIES: place of the first page. RECORD: offset */
	uint32_t type;	 /* PAGE, RECORD */
	uint32_t layer;	 /* RECORD */
	uint32_t length; /* RECORD: of the body */
	bool data;	 /* RECORD: it has all of its body */
	bool verify;	 /* PAGE, ENTRIES: VERIFY was before */
};

static const uint8_t zeros[GW_PAGE_SIZE];

static int put_aside(struct gw_diff_side *side, uint32_t kind, const struct waiting *w,
		     const void *more, size_t more_len, struct gw_error *err)
{
	return gw_rounds_put(&side->rounds, kind, w, sizeof(*w), more, (uint32_t)more_len, err);
}

/* Pages */

/* The last copy of a page takes the place of those before it. */
static int keep_contents(struct gw_diff_side *side, uint64_t pfn, const uint8_t *contents,
			 uint64_t *place, struct gw_error *err)
{
	bool fresh = !gw_memory_map_place(&side->pages, pfn, place);

	if (fresh)
		*place = gw_byte_store_reserve(&side->store, GW_PAGE_SIZE);
	if (fresh && memcmp(contents, zeros, GW_PAGE_SIZE) == 0)
		return 0;
	return gw_byte_store_put(&side->store, *place, contents, GW_PAGE_SIZE, err);
}

static bool is_pv(const struct gw_diff_side *side)
{
	return side->examination.image.type == GW_GUEST_X86_PV;
}

/* An entry that brings no contents: of such a type, or behind VERIFY. */
static int apply_empty(struct gw_diff_side *side, uint64_t pfn, unsigned type, struct gw_error *err)
{
	int before = gw_memory_map_type(&side->pages, pfn);

	if (before < 0)
		return gw_page_is_populated(type)
			       ? gw_memory_map_add(&side->pages, pfn, GW_PAGE_XALLOC, err)
			       : 0;
	if (before == GW_PAGE_XALLOC || !is_pv(side))
		return 0;
	return gw_memory_map_add(&side->pages, pfn, type == GW_PAGE_XALLOC ? GW_PAGE_NOTAB : type,
				 err);
}

/* verify: it was sent before, and has contents only to be compared. */
static int apply_page(struct gw_diff_side *side, bool verify, uint64_t pfn, unsigned type,
		      const uint8_t *contents, struct gw_error *err)
{
	uint64_t place;

	if (verify || !gw_page_has_data(type))
		return apply_empty(side, pfn, type, err);
	if (keep_contents(side, pfn, contents, &place, err) < 0)
		return -1;
	return gw_memory_map_add_at(&side->pages, pfn, is_pv(side) ? type : GW_PAGE_NOTAB, place,
				    err);
}

static int take_page(struct gw_diff_side *side, uint64_t pfn, unsigned type,
		     const uint8_t *contents, struct gw_error *err)
{
	const struct waiting w = {
		.where = pfn,
		.type = type,
		.verify = side->checkpoints.verifying,
	};

	if (!side->rounds.aside)
		return apply_page(side, w.verify, pfn, type, contents, err);
	return put_aside(side, W_PAGE, &w, contents, contents ? GW_PAGE_SIZE : 0, err);
}

/* A record of pages in a file that can be sought in: they stay there, from this place on. */
static int apply_entries(struct gw_diff_side *side, bool verify, const uint64_t *entries, size_t n,
			 uint64_t place, struct gw_error *err)
{
	bool pv = is_pv(side);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		uint64_t pfn = gw_page_entry_pfn(entries[i]);
		unsigned type = gw_page_entry_type(entries[i]);

		if (verify || !gw_page_has_data(type)) {
			rc = apply_empty(side, pfn, type, err);
			continue;
		}
		rc = gw_memory_map_add_at(&side->pages, pfn, pv ? type : GW_PAGE_NOTAB, place, err);
		place += GW_PAGE_SIZE;
	}
	return rc;
}

static int take_entries(struct gw_diff_side *side, const struct gw_examine_record *record,
			struct gw_error *err)
{
	const struct gw_image_reader *r = record->pages;
	const struct waiting w = {
		.where = record->offset + GW_RECORD_HEADER_SIZE + 8 + UINT64_C(8) * r->nr_entries,
		.verify = side->checkpoints.verifying,
	};

	if (!r->well_formed)
		return 0;
	if (!side->rounds.aside)
		return apply_entries(side, w.verify, r->entries, r->nr_entries, w.where, err);
	return put_aside(side, W_ENTRIES, &w, r->entries, r->nr_entries * sizeof(*r->entries), err);
}

/* Other records */

/* Device model state begins. A later one may have the room of the one before. */
static void begin_emulator(struct gw_diff_side *side, const struct gw_examine_record *record)
{
	if (record->layer != GW_LAYER_LIBXL || record->rec->type != GW_STREAM_EMULATOR_CONTEXT ||
	    record->rec->length < 8)
		return;
	side->emulator_len = record->rec->length - 8;
	side->emulator_received = 0;
	if (side->store.in_input) {
		side->emulator_place = record->offset + GW_RECORD_HEADER_SIZE + 8;
	} else if (side->emulator_len > side->emulator_room) {
		side->emulator_place = gw_byte_store_reserve(&side->store, side->emulator_len);
		side->emulator_room = side->emulator_len;
	}
}

static void apply_record(struct gw_diff_side *side, const struct gw_examine_record *record)
{
	begin_emulator(side, record);
	gw_summary_apply(&side->summary, record);
}

static int apply_body(struct gw_diff_side *side, const uint8_t *data, size_t len,
		      struct gw_error *err)
{
	uint64_t place = side->emulator_place + side->emulator_received;

	side->emulator_received += len;
	return gw_byte_store_put(&side->store, place, data, len, err);
}

static int take_record(struct gw_diff_side *side, const struct gw_examine_record *record,
		       struct gw_error *err)
{
	const struct gw_record *rec = record->rec;
	const struct waiting w = {
		.where = record->offset,
		.type = rec->type,
		.layer = record->layer,
		.length = rec->length,
		.data = rec->data != NULL,
	};

	if (!side->rounds.aside) {
		apply_record(side, record);
		return 0;
	}
	if (rec->data)
		return put_aside(side, W_RECORD, &w, rec->data, rec->length, err);
	return put_aside(side, W_RECORD, &w, record->body_head,
			 record->body_head ? GW_MIN(rec->length, 8u) : 0, err);
}

static int take_body(struct gw_diff_side *side, const uint8_t *data, size_t len,
		     struct gw_error *err)
{
	const struct waiting w = {0};

	if (!side->rounds.aside)
		return apply_body(side, data, len, err);
	return put_aside(side, W_BODY, &w, data, len, err);
}

/* A round counts. */
static int apply_waiting(void *opaque, uint32_t kind, const void *data, uint32_t len,
			 struct gw_error *err)
{
	struct gw_diff_side *side = opaque;
	const struct waiting *w = data;
	const uint8_t *more = (const uint8_t *)(w + 1);
	size_t more_len = len - sizeof(*w);
	const struct gw_record rec = {
		.type = w->type,
		.length = w->length,
		.data = w->data ? more : NULL,
	};
	const struct gw_examine_record record = {
		.layer = (enum gw_layer)w->layer,
		.offset = w->where,
		.rec = &rec,
		.body_head = w->data || !more_len ? NULL : more,
	};

	switch (kind) {
	case W_PAGE:
		return apply_page(side, w->verify, w->where, w->type, more, err);
	case W_ENTRIES:
		return apply_entries(side, w->verify, (const uint64_t *)(const void *)more,
				     more_len / sizeof(uint64_t), w->where, err);
	case W_BODY:
		return apply_body(side, more, more_len, err);
	default:
		apply_record(side, &record);
		return 0;
	}
}

/* The walk */

static void on_xlfile(void *opaque, uint64_t offset, const struct gw_xlfile *xl)
{
	gw_summary_xlfile(&((struct gw_diff_side *)opaque)->summary, offset, xl);
}

static void on_record(void *opaque, const struct gw_examine_record *record)
{
	struct gw_diff_side *side = opaque;

	if (side->bad.code || side->failure.code)
		return;
	side->checkpoints = *record->checkpoints;
	switch (record->counts) {
	case GW_COUNTS_CHECKPOINT:
		gw_rounds_complete(&side->rounds, apply_waiting, side, &side->failure);
		break;
	case GW_COUNTS_LATER:
		if (!record->pages)
			take_record(side, record, &side->failure);
		else if (side->store.in_input)
			take_entries(side, record, &side->failure);
		break;
	default:
		break;
	}
}

static int on_page(void *opaque, uint64_t pfn, unsigned type, const uint8_t *contents,
		   struct gw_error *err)
{
	struct gw_diff_side *side = opaque;

	if (side->bad.code || side->failure.code)
		return 0;
	return take_page(side, pfn, type, contents, err);
}

static int on_savevm_page(void *opaque, const struct gw_savevm_ram_item *item, struct gw_error *err)
{
	struct gw_diff_side *side = opaque;

	return side->bad.code ? 0 : gw_diff_savevm_page(side, item, err);
}

static int on_body(void *opaque, const struct gw_examine_record *record, const uint8_t *data,
		   size_t len, struct gw_error *err)
{
	struct gw_diff_side *side = opaque;

	if (side->bad.code || side->failure.code || record->rec->type != GW_STREAM_EMULATOR_CONTEXT)
		return 0;
	return take_body(side, data, len, err);
}

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	struct gw_diff_side *side = opaque;

	gw_examine_obey(finding, &side->observer->log, &side->bad);
}

static void on_progress(void *opaque, const struct gw_progress *progress)
{
	struct gw_diff_side *side = opaque;

	/* It is read, but not compared yet. */
	if (side->observer->progress && progress->stage != GW_STAGE_DONE)
		side->observer->progress(side->observer->owner, progress);
}

/* What was found on the way, the gravest first. */
static int judge(struct gw_diff_side *side, struct gw_error *err)
{
	if (side->bad.code)
		return gw_fail(err, side->bad.code, "%s", side->bad.text);
	if (side->failure.code)
		return gw_fail(err, side->failure.code, "%s", side->failure.text);
	/* Its pages are not where those of the image it becomes would be. */
	if (side->examination.has_legacy)
		return gw_fail(err, GW_UNSUPPORTED,
			       "a legacy image can only be compared after conversion");
	if (side->summary.err.code)
		return gw_fail(err, side->summary.err.code, "%s", side->summary.err.text);
	if (side->summary.left_out)
		return gw_fail(err, GW_UNSUPPORTED, "its vCPU state has more than %llu bytes",
			       (unsigned long long)GW_SUMMARY_STATE_MAX);
	if (side->pages.left_out)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the pfns of this image are too scattered: %llu entries do not fit into the memory map",
			(unsigned long long)side->pages.left_out);
	return side->examination.has_savevm ? 0 : gw_checkpoints_over(&side->checkpoints, err);
}

int gw_diff_side_read(struct gw_diff_side *side, struct gw_error *err)
{
	struct gw_examine_sink sink = {
		.opaque = side,
		.xlfile = on_xlfile,
		.record = on_record,
		.finding = on_finding,
		.progress = on_progress,
		.savevm = &side->savevm,
		.savevm_page = on_savevm_page,
		.like = side->like,
	};

	if (gw_byte_store_begin(&side->store, side->in, err) < 0)
		return -1;
	if (!side->store.in_input) {
		sink.page = on_page;
		sink.body = on_body;
	}
	if (gw_examine(side->in, &sink, &side->examination, err) < 0)
		return -1;
	if (judge(side, err) < 0 ||
	    (side->examination.has_savevm && gw_diff_savevm_finish(side, err) < 0))
		return gw_fail_in(err, "%s", side->in->name);
	return gw_byte_store_finish(&side->store, err);
}

void gw_diff_side_free(struct gw_diff_side *side)
{
	gw_summary_free(&side->summary);
	gw_memory_map_free(&side->pages);
	gw_memory_map_free(&side->written);
	gw_savevm_stream_free(&side->savevm);
	free(side->block_places);
	gw_byte_store_free(&side->store);
	gw_rounds_free(&side->rounds);
}
