/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sink of items.h.
 */
#include "lib/gwtest.h"

#include "items.h"
#include "walked.h"

static void on_xend(void *opaque, uint64_t offset, const struct gw_xend *xend)
{
	struct items *items = opaque;

	gw_summary_xend(&items->summary, offset, xend);
}

static void on_item(void *opaque, const struct gw_examine_item *item)
{
	struct items *items = opaque;

	assert_true(items->nr < ITEMS_MAX);
	assert_int_equal(item->number, items->nr);
	assert_non_null(item->name);
	items->at[items->nr] = item->offset;
	items->end[items->nr] = item->offset + item->length;
	items->id[items->nr++] = item->id;
	gw_summary_item(&items->summary, item);
}

static void mix(uint64_t *sum, const void *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		*sum = (*sum ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
}

static void on_record(void *opaque, const struct gw_examine_record *record)
{
	const struct gw_record *rec = record->rec;
	struct items *items = opaque;

	mix(&items->records_sum, &rec->type, sizeof(rec->type));
	mix(&items->records_sum, &rec->length, sizeof(rec->length));
	if (record->pages)
		mix(&items->records_sum, record->pages->entries, record->pages->nr_entries * 8);
	else if (rec->data)
		mix(&items->records_sum, rec->data, rec->length);
	gw_summary_record(&items->summary, record);
}

struct gw_examination items_walk(const uint8_t *data, size_t len, struct items *items)
{
	const struct gw_examine_sink sink = {
		.opaque = items,
		.xend = on_xend,
		.item = on_item,
		.record = on_record,
	};
	struct counting c = {.data = data, .len = len};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_examination sum;

	items->nr = 0;
	items->records_sum = 0;
	counting_init(&c);
	assert_ok(gw_examine(&c.ch, &sink, &sum, &err), &err);
	free(c.ch.name);
	assert_int_equal(sum.legacy_items, items->nr);
	return sum;
}

void items_free(struct items *items)
{
	gw_summary_free(&items->summary);
	free(items);
}

struct items *items_new(void)
{
	struct items *items = calloc(1, sizeof(*items));

	assert_non_null(items);
	return items;
}
