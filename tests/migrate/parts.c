/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Takes real images apart and puts them together.
 */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

#include "lib/gwtest.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/libxl/stream.h"

#define KEEP_ENTRIES 6 /* pages of each HVM PAGE_DATA that are left */

void part_add(struct parent *p, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	assert_true(p->n < MAX_PARTS);
	memcpy(copy, data, len);
	p->parts[p->n++] = (struct part){copy, len};
}

void parent_free(struct parent *p)
{
	while (p->n)
		free(p->parts[--p->n].data);
}

/*
 * Decides which pages keep their contents. A PV image needs its tables, start_info, the rings
 * beside it, the P2M, and the GDT among the first pages; all others may be empty.
 */
static bool needed(const struct parent *p, uint64_t entry, size_t kept)
{
	unsigned type = gw_page_entry_type(entry);

	if (p->type == GW_GUEST_X86_HVM)
		return kept < KEEP_ENTRIES;
	for (uint64_t pfn = gw_page_entry_pfn(entry), i = 0; i < 4; i++)
		if (pages_special(p->image, pfn - i) || pages_special(p->image, pfn + i))
			return true;
	return gw_page_table_level(type) > 0 || gw_page_entry_pfn(entry) < 0x40;
}

/* The same record with fewer pages: pages that are not needed become empty ones (XALLOC). */
static void add_pages(struct parent *p, const uint8_t *body)
{
	uint32_t count = gw_get_le32(body);
	const uint8_t *data = body + 8 + 8 * (size_t)count;
	struct gw_buffer out = {0};
	struct gw_error err = GW_ERROR_INIT;
	size_t kept = 0, holes = 0, n = 0;
	uint8_t head[16] = {0};

	assert_ok(gw_buffer_append(&out, head, sizeof(head), &err), &err);
	for (int pass = 0; pass < 2; pass++) {
		const uint8_t *page = data;

		kept = 0;
		for (uint32_t i = 0; i < count; i++) {
			uint64_t entry = gw_get_le64(body + 8 + 8 * (size_t)i);
			bool has = gw_page_has_data(gw_page_entry_type(entry));
			bool need = has && needed(p, entry, kept);
			bool hole = has && !need;
			uint8_t raw[8];

			gw_put_le64(raw, hole ? (gw_page_entry_pfn(entry) | (uint64_t)GW_PAGE_XALLOC
										    << 60)
					      : entry);
			kept += need;
			holes += hole;
			if (pass == 0 && (need || hole || (!has && i < 64))) {
				assert_ok(gw_buffer_append(&out, raw, 8, &err), &err);
				n++;
			}
			if (pass == 1 && need)
				assert_ok(gw_buffer_append(&out, page, GW_PAGE_SIZE, &err), &err);
			page += has ? GW_PAGE_SIZE : 0;
		}
	}
	gw_put_le32(out.data, GW_REC_PAGE_DATA);
	gw_put_le32(out.data + 4, (uint32_t)(out.len - 8));
	gw_put_le32(out.data + 8, (uint32_t)n);
	/* PVH images have many records of holes only: a few of them are enough. */
	if (n && (kept || holes || p->n < 16 || p->type == GW_GUEST_X86_PV))
		part_add(p, out.data, out.len);
	gw_buffer_free(&out);
}

/* Adds the record of the image at data; returns its size. */
static size_t add_record(struct parent *p, const uint8_t *data)
{
	size_t len = 8 + (((size_t)gw_get_le32(data + 4) + 7) & ~(size_t)7);

	if (gw_get_le32(data) == GW_REC_PAGE_DATA)
		add_pages(p, data + 8);
	else
		part_add(p, data, len);
	return len;
}

struct parent parent_load(const char *name)
{
	struct stored s = stored_load(name);
	struct parent p = {.name = name, .libxl = s.libxl, .type = s.type};
	size_t at = s.image + 40;
	bool in_image = true;
	struct gw_buffer image = {.data = s.file.data + s.image, .len = s.file.len - s.image};

	p.image = &image;
	part_add(&p, s.file.data + s.at, s.image + 40 - s.at);
	p.first_record = p.n;
	while (at + 8 <= s.file.len) {
		uint32_t type = gw_get_le32(s.file.data + at);
		size_t len = 8 + (((size_t)gw_get_le32(s.file.data + at + 4) + 7) & ~(size_t)7);

		if (in_image) {
			len = add_record(&p, s.file.data + at);
			if (s.libxl && (type == GW_REC_END || type == GW_REC_CHECKPOINT))
				in_image = false;
			else if (type == GW_REC_END)
				break;
		} else {
			part_add(&p, s.file.data + at, len);
			if (type == GW_STREAM_END)
				break;
			in_image = type == GW_STREAM_CHECKPOINT_END;
		}
		at += len;
	}
	stored_free(&s);
	p.image = NULL;
	return p;
}

void parent_join(const struct parent *p, struct gw_buffer *out)
{
	struct gw_error err = GW_ERROR_INIT;

	gw_buffer_reset(out);
	for (size_t i = 0; i < p->n; i++)
		assert_ok(gw_buffer_append(out, p->parts[i].data, p->parts[i].len, &err), &err);
}

void part_swap(struct part *a, struct part *b)
{
	struct part t = *a;

	*a = *b;
	*b = t;
}

void part_insert(struct parent *p, size_t at, const uint8_t *data, size_t len)
{
	if (p->n == MAX_PARTS)
		return;
	part_add(p, data, len);
	for (size_t i = p->n - 1; i > at; i--)
		part_swap(&p->parts[i], &p->parts[i - 1]);
}

void part_drop(struct parent *p, size_t at)
{
	free(p->parts[at].data);
	p->n--;
	for (size_t i = at; i < p->n; i++)
		p->parts[i] = p->parts[i + 1];
}

void parent_copy(const struct parent *from, struct parent *to)
{
	*to = (struct parent){.name = from->name,
			      .libxl = from->libxl,
			      .type = from->type,
			      .first_record = from->first_record};
	for (size_t i = 0; i < from->n; i++)
		part_add(to, from->parts[i].data, from->parts[i].len);
}
