/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The parts of the summary that arrive in pieces (pages, device model state), and those that wait
 * for their checkpoint.
 */
#include "examine/summary/internal.h"

#include <string.h>

#include "base/util.h"

/* Items of a round. */
enum {
	ITEM_ENTRIES, /* of a PAGE_DATA */
	ITEM_RECORD,  /* struct record_item, then its data, or the head of its body */
	ITEM_PAGE,    /* struct page_item, then its contents if it is a table */
};

struct record_item {
	uint32_t layer, type;
	uint32_t length; /* as the record's header has it */
	uint32_t has_data;
};

struct page_item {
	uint64_t pfn, digest;
	uint64_t record, offset;
	uint32_t type;
	uint32_t is_table;
};

static void take_entries(struct gw_summary *s, const uint64_t *entries, size_t n)
{
	for (size_t i = 0; i < n && !s->err.code; i++)
		gw_memory_map_add(&s->memory, gw_page_entry_pfn(entries[i]),
				  gw_page_entry_type(entries[i]), &s->err);
}

void gw_summary_take_pages(struct gw_summary *s, const struct gw_image_reader *pages)
{
	if (pages->well_formed)
		take_entries(s, pages->entries, pages->nr_entries);
}

bool gw_summary_wants(void *summary, uint64_t pfn, unsigned type)
{
	const struct gw_summary *s = summary;

	/* Behind VERIFY come pages that were sent before. */
	return !s->checkpoints.verifying &&
	       (s->want_contents || (s->want_tables && gw_page_table_level(type)));
}

/* Contents that came last count, and are gone when the page is. */
static int take_page(struct gw_summary *s, const struct page_item *page, const uint8_t *contents,
		     struct gw_error *err)
{
	bool has_data = gw_page_has_data(page->type);

	if (s->want_contents && (has_data || !gw_page_is_populated(page->type)) &&
	    gw_page_contents_put(&s->contents, page->pfn, page->digest, err) < 0)
		return -1;
	if (page->is_table)
		return gw_tables_put(&s->tables.tables, page->pfn, gw_page_table_level(page->type),
				     contents, page->record, page->offset, err);
	if (s->want_tables && has_data)
		gw_tables_drop(&s->tables.tables, page->pfn);
	return 0;
}

int gw_summary_page(void *summary, uint64_t pfn, unsigned type, const uint8_t *contents,
		    struct gw_error *err)
{
	struct gw_summary *s = summary;
	struct page_item page = {
		.pfn = pfn,
		.type = type,
		.record = s->record,
		.offset = s->record_offset,
		.is_table = contents && s->want_tables && gw_page_table_level(type),
	};

	if (s->checkpoints.verifying || s->err.code)
		return 0;
	if (contents && s->want_contents &&
	    gw_page_digest(&s->contents, contents, &page.digest, err) < 0)
		return -1;
	if (!s->rounds.aside)
		return take_page(s, &page, contents, err);
	return gw_rounds_put(&s->rounds, ITEM_PAGE, &page, sizeof(page), contents,
			     page.is_table ? GW_PAGE_SIZE : 0, err);
}

void gw_summary_put_aside(struct gw_summary *s, const struct gw_examine_record *record)
{
	const struct gw_record *rec = record->rec;
	struct record_item item = {
		.layer = record->layer,
		.type = rec->type,
		.length = rec->length,
		.has_data = rec->data != NULL,
	};
	const uint8_t *body = rec->data ? rec->data : record->body_head;

	if (record->pages) {
		if (!record->pages->well_formed)
			return;
		s->unfinished += record->pages->nr_entries;
		gw_rounds_put(&s->rounds, ITEM_ENTRIES, record->pages->entries,
			      (uint32_t)(record->pages->nr_entries * sizeof(uint64_t)), NULL, 0,
			      &s->err);
	} else if (body) {
		gw_rounds_put(&s->rounds, ITEM_RECORD, &item, sizeof(item), body,
			      rec->data ? rec->length : GW_MIN(rec->length, 8u), &s->err);
	}
}

static int take_item(void *opaque, uint32_t kind, const void *data, uint32_t len,
		     struct gw_error *err)
{
	struct gw_summary *s = opaque;
	struct record_item item;
	struct page_item page;
	struct gw_record rec;
	const uint8_t *body;

	switch (kind) {
	case ITEM_ENTRIES:
		take_entries(s, data, len / sizeof(uint64_t));
		break;
	case ITEM_PAGE:
		memcpy(&page, data, sizeof(page));
		return take_page(s, &page, (const uint8_t *)data + sizeof(page), err);
	default:
		memcpy(&item, data, sizeof(item));
		body = (const uint8_t *)data + sizeof(item);
		rec = (struct gw_record){
			.type = item.type,
			.length = item.length,
			.data = item.has_data ? body : NULL,
		};
		gw_summary_take_record(s, (enum gw_layer)item.layer, &rec,
				       item.has_data ? NULL : body);
		break;
	}
	if (!s->err.code)
		return 0;
	*err = s->err;
	return -1;
}

void gw_summary_begin_body(struct gw_summary *s, const struct gw_examine_record *record)
{
	const struct gw_record *rec = record->rec;

	if (record->layer != GW_LAYER_LIBXL || rec->type != GW_STREAM_EMULATOR_CONTEXT ||
	    !record->body_head || rec->length < 8)
		return;
	gw_qemu_sections_begin(s->rounds.aside ? &s->qemu_aside : &s->qemu, rec->length - 8);
	gw_buffer_reset(s->rounds.aside ? &s->emulator_aside : &s->emulator_state);
	/* After the record's header and the two ids. */
	*(s->rounds.aside ? &s->emulator_aside_offset : &s->emulator_offset) = record->offset + 16;
}

const struct gw_buffer *gw_summary_emulator(const struct gw_summary *s, uint64_t *offset)
{
	*offset = s->rounds.aside ? s->emulator_aside_offset : s->emulator_offset;
	return s->rounds.aside ? &s->emulator_aside : &s->emulator_state;
}

int gw_summary_body(void *summary, const struct gw_examine_record *record, const uint8_t *data,
		    size_t len, struct gw_error *err)
{
	struct gw_summary *s = summary;

	if (record->rec->type != GW_STREAM_EMULATOR_CONTEXT)
		return 0;
	if (s->want_emulator &&
	    gw_buffer_append(s->rounds.aside ? &s->emulator_aside : &s->emulator_state, data, len,
			     err) < 0)
		return -1;
	return gw_qemu_sections_add(s->rounds.aside ? &s->qemu_aside : &s->qemu, data, len, err);
}

int gw_summary_finish(struct gw_summary *s, struct gw_error *err)
{
	if (!s->err.code)
		return gw_qemu_sections_end(&s->qemu, err);
	*err = s->err;
	return -1;
}

void gw_summary_checkpoint(struct gw_summary *s)
{
	struct gw_error err = GW_ERROR_INIT;

	/* What came in the round that is now complete. */
	if (s->qemu_aside.begun) {
		gw_qemu_sections_free(&s->qemu);
		s->qemu = s->qemu_aside;
		s->qemu_aside = (struct gw_qemu_sections){0};
		gw_buffer_free(&s->emulator_state);
		s->emulator_state = s->emulator_aside;
		s->emulator_offset = s->emulator_aside_offset;
		s->emulator_aside = (struct gw_buffer){0};
	}
	if (gw_rounds_complete(&s->rounds, take_item, s, &err) < 0 && !s->err.code)
		s->err = err;
	s->unfinished = 0;
}
