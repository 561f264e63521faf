/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Walks an image in memory into a summary.
 */
#include "lib/gwtest.h"

#include "lib/bytes.h"
#include "examine/summarise.h"

struct gw_summary *summarise(const void *data, size_t len, bool contents, bool tables)
{
	struct gw_summary *s = calloc(1, sizeof(*s));
	const struct gw_examine_sink sink = {
		.opaque = s,
		.xlfile = gw_summary_xlfile,
		.stream = gw_summary_stream,
		.image = gw_summary_image,
		.record = gw_summary_record,
		.page = contents || tables ? gw_summary_page : NULL,
		.wants = gw_summary_wants,
		.body = gw_summary_body,
	};
	struct gw_channel *ch = bytes_source("test", data, len);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_examination examination;

	assert_non_null(s);
	s->want_contents = contents;
	s->want_tables = tables;
	assert_ok(gw_examine(ch, &sink, &examination, &err), &err);
	assert_ok(gw_summary_finish(s, &err), &err);
	gw_channel_close(ch);
	return s;
}

void summary_done(struct gw_summary *s)
{
	gw_summary_free(s);
	free(s);
}

struct search {
	enum gw_layer layer;
	uint32_t type;
	unsigned n;
	size_t at;
	bool found;
};

static void look(void *opaque, const struct gw_examine_record *record)
{
	struct search *s = opaque;

	if (s->found || record->layer != s->layer || record->rec->type != s->type || s->n-- > 0)
		return;
	s->at = record->offset;
	s->found = true;
}

size_t place_of_record(const void *data, size_t len, enum gw_layer layer, uint32_t type, unsigned n)
{
	struct search s = {.layer = layer, .type = type, .n = n};
	const struct gw_examine_sink sink = {.opaque = &s, .record = look};
	struct gw_channel *ch = bytes_source("test", data, len);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_examination examination;

	assert_ok(gw_examine(ch, &sink, &examination, &err), &err);
	gw_channel_close(ch);
	if (!s.found)
		fail_msg("no record of type 0x%x", type);
	return s.at;
}
