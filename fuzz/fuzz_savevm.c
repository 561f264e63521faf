/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fuzz target: reads any bytes as a stream of QEMU, walks the fields of each section, and reads the
 * stream once more with its own description as that of another. Checks that what is handed on lies
 * within the input.
 */
#include <stdlib.h>
#include <string.h>

#include "bound.h"
#include "channel/memory.h"
#include "input.h"
#include "read/savevm.h"

/* Results are stored here, so that no compiler leaves the reads out. */
static volatile uint64_t sink;

static void on_fault(void *opaque, enum gw_savevm_fault fault, uint64_t offset, const char *text)
{
	sink += strlen(text) + offset + fault;
}

static int on_page(void *opaque, const struct gw_savevm_ram_item *item, struct gw_error *err)
{
	uint8_t page[4096] = {0};

	if (item->offset >= item->block->length)
		abort();
	for (size_t i = 0; i < item->len; i++)
		sink += item->data[i];
	if (item->kind == GW_SAVEVM_ITEM_DELTA)
		sink += gw_savevm_delta_apply(item->data, item->len, page, sizeof(page));
	return 0;
}

static bool on_value(void *opaque, const struct gw_savevm_value *value)
{
	char text[3 * GW_SAVEVM_BYTES_SHOWN];

	for (size_t i = 0; i < value->size; i++)
		sink += value->data[i];
	if (value->type)
		sink += strlen(gw_savevm_value_text(value, text, sizeof(text)));
	return true;
}

static void walk(const struct gw_savevm_stream *s, size_t size)
{
	struct gw_savevm_walk walk = {.visit = on_value};

	for (size_t i = 0; i < s->nr_sections; i++) {
		const struct gw_savevm_section *section = &s->sections[i];

		if (section->data + section->length > size)
			abort();
		walk.of_another = section->found == GW_SAVEVM_BY_LIKE;
		if (section->layout)
			gw_savevm_walk(&walk, section->layout, section->bytes,
				       (size_t)section->length);
	}
}

static void read_once(const uint8_t *data, size_t size, const struct gw_savevm_description *like,
		      struct gw_savevm_stream *stream)
{
	const struct gw_savevm_listener listener = {
		.fault = on_fault,
		.page = on_page,
		.like = like,
	};
	struct gw_input in = {.ch = gw_channel_memory("input", NULL)};

	if (!in.ch || gw_channel_write(in.ch, data, size, NULL) < 0 ||
	    gw_savevm_read(&in, &listener, stream, NULL) < 0)
		abort();
	walk(stream, size);
	gw_channel_close(in.ch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gw_savevm_stream stream = {0}, again = {0};

	bound_begin();
	read_once(data, size, NULL, &stream);
	/* Without the description itself. */
	if (stream.has_description)
		read_once(data, (size_t)stream.eof + 1, &stream.description, &again);
	gw_savevm_stream_free(&again);
	gw_savevm_stream_free(&stream);
	/* A window and a table of RAM blocks; a description takes many times its length. */
	bound_check("a stream of QEMU", 200 * size + (1u << 20));
	return 0;
}
