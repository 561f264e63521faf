/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs conversions and takes their results apart.
 */
#include "fixture.h"

#include <unistd.h>

#include "lib/realdata.h"
#include "lib/bytes.h"
#include "lib/manifest.h"
#include "base/bytes.h"
#include "base/util.h"
#include "examine/examine.h"

struct gw_channel *source_of(const void *data, size_t len)
{
	return bytes_source("memory", data, len);
}

static void on_remark(void *opaque, enum gw_log_level level, const char *text)
{
	struct outcome *o = opaque;

	if (level == GW_LOG_WARNING)
		assert_int_equal(gw_buffer_printf(&o->warnings, NULL, "%s\n", text), 0);
}

/* The memory of a freed outcome, kept for the next one: fresh memory costs more time than the
 * conversion that fills it. */
static struct gw_buffer spare;

void convert_channels(struct outcome *o, struct gw_channel *in, struct gw_channel *out,
		      const struct gw_convert_args *args)
{
	const struct gw_observer observer = {
		.log = {.fn = on_remark, .opaque = o, .max = GW_LOG_DEBUG},
	};
	struct gw_convert_args all = args ? *args : (struct gw_convert_args){0};

	*o = (struct outcome){.out = spare};
	spare = (struct gw_buffer){0};
	gw_buffer_reset(&o->out);
	all.in = in;
	all.out = out ? out : bytes_sink("memory", &o->out);
	all.observer = &observer;
	o->rc = gw_convert(&all, &o->done, &o->err);
	assert_int_equal(gw_buffer_append(&o->warnings, "", 1, NULL), 0);
	assert_true((o->rc < 0) == (o->err.code != GW_OK));
	if (out)
		return;
	assert_int_equal(o->done.out_bytes, o->out.len);
	gw_channel_close(all.out);
}

void convert(struct outcome *o, const void *data, size_t len, const struct gw_convert_args *args)
{
	struct gw_channel *in = source_of(data, len);

	convert_channels(o, in, NULL, args);
	gw_channel_close(in);
}

void outcome_free(struct outcome *o)
{
	gw_buffer_free(&spare);
	spare = o->out;
	o->out = (struct gw_buffer){0};
	gw_buffer_free(&o->warnings);
}

/* Taking apart. */

static void note(struct seen *s, bool libxl, size_t at)
{
	struct seen_record *r;

	assert_true(at + 8 <= s->len);
	s->records = room_for_one(s->records, s->nr, sizeof(*s->records));
	r = &s->records[s->nr++];
	*r = (struct seen_record){.libxl = libxl, .at = at};
	r->type = gw_get_le32(s->data + at);
	r->length = gw_get_le32(s->data + at + 4);
	assert_true(r->length <= s->len - at - 8);
	r->body = r->length ? s->data + at + 8 : NULL;
	for (size_t i = at + 8 + r->length; i % 8 != (at % 8); i++)
		assert_true(i < s->len && s->data[i] == 0);
}

static size_t behind(const struct seen_record *r)
{
	return r->at + 8 + GW_ROUND_UP(r->length, 8u);
}

/* Makes room for the entry of a pfn. Where pfns are few and high, most of it is never touched. */
static void make_room(struct seen *s, uint64_t pfn)
{
	uint64_t room = GW_MAX(2 * s->room, UINT64_C(1024));
	const uint8_t **pages;
	uint8_t *types;

	s->nr_pfns = GW_MAX(s->nr_pfns, pfn + 1);
	if (pfn < s->room)
		return;
	while (room <= pfn)
		room *= 2;
	types = calloc(room, sizeof(*types));
	pages = calloc(room, sizeof(*pages));
	assert_true(types && pages);
	if (s->room) {
		memcpy(types, s->types, s->room * sizeof(*types));
		memcpy(pages, s->pages, s->room * sizeof(*pages));
	}
	free(s->types);
	free(s->pages);
	s->types = types;
	s->pages = pages;
	s->room = room;
}

/* After VERIFY types count, and contents are only compared. */
static void see_pages(struct seen *s, const struct seen_record *r, bool verifying)
{
	const uint8_t *page;
	uint32_t count;

	assert_true(r->length >= 16);
	count = gw_get_le32(r->body);
	assert_int_equal(gw_get_le32(r->body + 4), 0);
	assert_true(count > 0 && 8 + 8 * (uint64_t)count <= r->length);
	page = r->body + 8 + 8 * (size_t)count;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t entry = gw_get_le64(r->body + 8 + 8 * (size_t)i);
		unsigned type = (unsigned)(entry >> 60);
		uint64_t pfn = entry & UINT64_C(0x0fffffffffffffff);

		assert_true(pfn < SEEN_PFNS && (type < 5 || type > 8));
		make_room(s, pfn);
		s->types[pfn] = (uint8_t)(type + 1);
		if (type >= 0xd)
			continue;
		if (!verifying)
			s->pages[pfn] = page;
		page += 4096;
	}
	assert_ptr_equal(page, r->body + r->length);
}

/* Reads the image's records from offset at to its END, or to a CHECKPOINT after which libxl's
 * records follow. Returns the offset where it stops. */
static size_t see_image(struct seen *s, size_t at, bool verifying)
{
	while (at < s->len) {
		const struct seen_record *r;

		note(s, false, at);
		r = &s->records[s->nr - 1];
		at = behind(r);
		if (r->type == GW_REC_VERIFY)
			verifying = true;
		if (r->type == GW_REC_PAGE_DATA)
			see_pages(s, r, verifying);
		if (r->type == GW_REC_END) {
			s->ended = true;
			break;
		}
		if (r->type == GW_REC_CHECKPOINT && s->stream_at != SIZE_MAX)
			break;
	}
	return at;
}

static size_t see_headers(struct seen *s, size_t at)
{
	assert_true(at + 40 <= s->len);
	s->image_at = at;
	assert_int_equal(gw_image_header_decode(s->data + at, &s->header, NULL), 0);
	assert_int_equal(s->header.options, 0);
	assert_int_equal(s->header.page_shift, 12);
	assert_int_equal(s->header.reserved1 | s->header.reserved2 | s->header.reserved3, 0);
	return see_image(s, at + 40, false);
}

static size_t see_stream(struct seen *s, size_t at)
{
	bool began = false;

	s->stream_at = at;
	assert_int_equal(gw_get_be32(s->data + at + 8), 2);
	s->stream_options = gw_get_be32(s->data + at + 12);
	at += 16;
	while (at < s->len) {
		const struct seen_record *r;

		note(s, true, at);
		r = &s->records[s->nr - 1];
		at = behind(r);
		if (r->type == GW_STREAM_END)
			break;
		if (r->type == GW_STREAM_LIBXC_CONTEXT) {
			assert_false(began);
			began = true;
			at = see_headers(s, at);
		} else if (r->type == GW_STREAM_CHECKPOINT_END && at < s->len) {
			if (gw_get_le32(s->data + at) == GW_STREAM_CHECKPOINT_STATE &&
			    s->header.type == GW_GUEST_X86_HVM) {
				note(s, true, at);
				at = behind(&s->records[s->nr - 1]);
			}
			at = see_image(s, at, false);
		}
	}
	return at;
}

void see(struct seen *s, const void *data, size_t len)
{
	size_t at = 0;

	*s = (struct seen){.data = data, .len = len, .stream_at = SIZE_MAX};
	assert_true(len >= 48);
	if (memcmp(s->data, "Xen saved domain", 16) == 0)
		at = s->xl_len = 48 + gw_get_le32(s->data + 44);
	assert_true(at + 16 <= len);
	if (memcmp(s->data + at, "LibxlFmt", 8) == 0)
		at = see_stream(s, at);
	else
		at = see_headers(s, at);
	/* The message that xl migrate appends is not part of the stream. */
	if (at + 44 != len)
		assert_int_equal(at, len);
}

void seen_free(struct seen *s)
{
	free(s->records);
	free(s->types);
	free(s->pages);
}

unsigned seen_type(const struct seen *s, uint64_t pfn)
{
	return pfn < s->nr_pfns && s->types[pfn] ? s->types[pfn] - 1u : NEVER;
}

const uint8_t *seen_page(const struct seen *s, uint64_t pfn)
{
	return pfn < s->nr_pfns ? s->pages[pfn] : NULL;
}

const struct seen_record *seen_find(const struct seen *s, bool libxl, uint32_t type, size_t n)
{
	for (size_t i = 0; i < s->nr; i++)
		if (s->records[i].libxl == libxl && s->records[i].type == type && n-- == 0)
			return &s->records[i];
	return NULL;
}

static const char *name_of(const struct seen_record *r)
{
	const char *name = r->libxl ? gw_stream_record_name(r->type) : gw_record_name(r->type);

	return name ? name : "UNKNOWN";
}

const char *seen_order(const struct seen *s)
{
	static struct gw_buffer text;
	bool pages = false;

	gw_buffer_reset(&text);
	for (size_t i = 0; i < s->nr; i++) {
		const struct seen_record *r = &s->records[i];
		bool was_pages = pages;

		pages = !r->libxl && r->type == GW_REC_PAGE_DATA;
		if (!pages || !was_pages)
			assert_int_equal(gw_buffer_printf(&text, NULL, "%s%s%s", i ? " " : "",
							  r->libxl ? "." : "", name_of(r)),
					 0);
	}
	assert_int_equal(gw_buffer_append(&text, "", 1, NULL), 0);
	return (const char *)text.data;
}

void check_manifest(const struct seen *s, const char *name)
{
	struct manifest m = manifest_load(name);
	uint8_t hash[MANIFEST_HASH];

	for (size_t i = 0; i < m.nr; i++) {
		const struct manifest_page *p = &m.pages[i];

		if (seen_type(s, p->pfn) != p->type)
			fail_msg("%s: pfn 0x%llx has type %u, expected %u", name,
				 (unsigned long long)p->pfn, seen_type(s, p->pfn), p->type);
		if (!p->has_data)
			continue;
		assert_non_null(seen_page(s, p->pfn));
		manifest_hash(seen_page(s, p->pfn), hash);
		if (memcmp(hash, p->hash, sizeof(hash)) != 0)
			fail_msg("%s: pfn 0x%llx has other contents", name,
				 (unsigned long long)p->pfn);
	}
	for (uint64_t pfn = 0; pfn < s->nr_pfns; pfn++)
		if (seen_type(s, pfn) < 0xd && !manifest_find(&m, pfn))
			fail_msg("%s: pfn 0x%llx should not be there", name,
				 (unsigned long long)pfn);
	manifest_free(&m);
}

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	char text[600];

	if (finding->level == GW_LEVEL_ERROR)
		fail_msg("verify: %s", gw_finding_format(finding, text, sizeof(text)));
}

void check_verified(const void *data, size_t len)
{
	const struct gw_examine_sink sink = {.finding = on_finding};
	struct gw_channel *in = source_of(data, len);
	struct gw_error err = GW_ERROR_INIT;
	struct gw_examination sum;

	assert_ok(gw_examine(in, &sink, &sum, &err), &err);
	assert_int_equal(sum.errors, 0);
	gw_channel_close(in);
}

const char *manifest_of(const char *stream)
{
	static char name[200];
	size_t stem = strcspn(stream, ".");

	for (int checkpoint = 9; checkpoint >= 0; checkpoint--) {
		snprintf(name, sizeof(name), "%.*s.cp%d.manifest.xz", (int)stem, stream,
			 checkpoint);
		if (access(realdata_path(name), R_OK) == 0)
			return name;
	}
	snprintf(name, sizeof(name), "%.*s.manifest.xz", (int)stem, stream);
	return name;
}
