/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A stored domain in parts: reading, copying and writing it.
 */
#include "fidelity/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define LIBXC_CONTEXT 1u
#define PAGE_DATA     1u
#define PAGE_SIZE     4096u
#define XTAB	      15u

static void *have(void *memory)
{
	if (!memory) {
		fputs("no memory\n", stderr);
		abort();
	}
	return memory;
}

void bytes_resize(struct bytes *b, size_t new_len)
{
	b->data = have(realloc(b->data, new_len ? new_len : 1));
	if (new_len > b->len)
		memset(b->data + b->len, 0, new_len - b->len);
	b->len = new_len;
}

void bytes_splice(struct bytes *b, size_t at, size_t remove, const void *data, size_t len)
{
	size_t old = b->len, tail = old - at - remove;

	if (len > remove)
		bytes_resize(b, old + len - remove);
	memmove(b->data + at + len, b->data + at + remove, tail);
	if (data && len)
		memcpy(b->data + at, data, len);
	else
		memset(b->data + at, 0, len);
	bytes_resize(b, at + len + tail);
}

void bytes_append(struct bytes *b, const void *data, size_t len)
{
	size_t old = b->len;

	bytes_resize(b, old + len);
	if (data && len)
		memcpy(b->data + old, data, len);
}

struct part *parts_insert(struct parts *p, size_t at, uint32_t type, const void *body, size_t len)
{
	struct part *part;

	p->list = have(reallocarray(p->list, p->nr + 1, sizeof(*p->list)));
	memmove(p->list + at + 1, p->list + at, (p->nr - at) * sizeof(*p->list));
	p->nr++;
	part = p->list + at;
	*part = (struct part){.type = type};
	bytes_append(&part->body, body, len);
	return part;
}

void parts_remove(struct parts *p, size_t at)
{
	free(p->list[at].body.data);
	memmove(p->list + at, p->list + at + 1, (p->nr - at - 1) * sizeof(*p->list));
	p->nr--;
}

size_t parts_find(const struct parts *p, uint32_t type)
{
	size_t i = 0;

	while (i < p->nr && p->list[i].type != type)
		i++;
	return i;
}

/* The records from this offset to an END; the offset after it, 0 if they are cut. */
static size_t load_records(struct parts *to, const uint8_t *file, size_t len, size_t at,
			   bool stop_at_image)
{
	while (at + 8 <= len) {
		uint32_t type = gw_get_le32(file + at), length = gw_get_le32(file + at + 4);
		uint64_t end = at + 8 + (((uint64_t)length + 7) & ~UINT64_C(7));

		if (end > len)
			return 0;
		parts_insert(to, to->nr, type, file + at + 8, length);
		at = (size_t)end;
		if (type == 0 || (stop_at_image && type == LIBXC_CONTEXT))
			return at;
	}
	return 0;
}

static enum guest guest_of(const struct image *img)
{
	if (gw_get_le32(img->headers + 24) == 1)
		return GUEST_PV;
	return memmem(img->config.data, img->config.len, "\"pvh\"", 5) ? GUEST_PVH : GUEST_HVM;
}

bool image_load(struct image *img, const uint8_t *file, size_t len)
{
	size_t at;
	uint32_t optional;

	memset(img, 0, sizeof(*img));
	if (len < 52 || memcmp(file, "Xen saved domain", 16) != 0)
		return false;
	memcpy(img->xl_header, file, 48);
	optional = gw_get_le32(file + 44);
	if (optional < 5 || len < 48 + (size_t)optional + 16)
		return false;
	bytes_append(&img->config, file + 52, optional - 5);
	at = 48 + optional;
	memcpy(img->stream_header, file + at, 16);
	at = load_records(&img->outer, file, len, at + 16, true);
	if (!at || at + 40 > len || img->outer.list[img->outer.nr - 1].type != LIBXC_CONTEXT)
		return false;
	memcpy(img->headers, file + at, 40);
	at = load_records(&img->inner, file, len, at + 40, false);
	if (!at || load_records(&img->outer, file, len, at, false) != len)
		return false;
	img->guest = guest_of(img);
	return true;
}

/* Pages in which a guest has its program, its data and what Xen looks at. */
static bool is_kept(enum guest guest, uint64_t pfn)
{
	return guest == GUEST_PV || pfn < 0x20 || (pfn >= 0x100 && pfn < 0x114) ||
	       (pfn >= 0x200 && pfn < 0x208) || (pfn >= 0xf0 && pfn < 0x100) || pfn >= 0x1000;
}

static void slim_record(enum guest guest, struct bytes *body)
{
	uint32_t count = gw_get_le32(body->data), kept = 0;
	struct bytes entries = {0}, pages = {0};
	const uint8_t *page = body->data + 8 + 8 * (size_t)count;

	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *entry = body->data + 8 + 8 * (size_t)i;
		uint64_t pfn = gw_get_le64(entry) & 0xfffffffffffff;
		bool empty = gw_get_le64(entry) >> 60 == XTAB;

		if (!empty && is_kept(guest, pfn)) {
			bytes_append(&entries, entry, 8);
			bytes_append(&pages, page, PAGE_SIZE);
			kept++;
		}
		page += empty ? 0 : PAGE_SIZE;
	}
	bytes_resize(body, 8);
	gw_put_le32(body->data, kept);
	bytes_append(body, entries.data, entries.len);
	bytes_append(body, pages.data, pages.len);
	free(entries.data);
	free(pages.data);
}

void image_slim(struct image *img)
{
	for (size_t i = img->inner.nr; i-- > 0;) {
		struct part *part = img->inner.list + i;

		if (part->type != PAGE_DATA || img->guest == GUEST_PV)
			continue;
		slim_record(img->guest, &part->body);
		if (part->body.len == 8)
			parts_remove(&img->inner, i);
	}
}

static void copy_parts(struct parts *to, const struct parts *from)
{
	*to = (struct parts){0};
	for (size_t i = 0; i < from->nr; i++)
		parts_insert(to, i, from->list[i].type, from->list[i].body.data,
			     from->list[i].body.len);
}

void image_copy(struct image *to, const struct image *from)
{
	*to = *from;
	to->config = to->tail = (struct bytes){0};
	bytes_append(&to->config, from->config.data, from->config.len);
	copy_parts(&to->outer, &from->outer);
	copy_parts(&to->inner, &from->inner);
}

static void write_part(struct bytes *file, const struct part *part)
{
	uint32_t length = (uint32_t)part->body.len + part->claim_more;
	uint8_t header[8], pad[8];

	gw_put_le32(header, part->type);
	gw_put_le32(header + 4, length);
	memset(pad, part->pad, sizeof(pad));
	bytes_append(file, header, 8);
	bytes_append(file, part->body.data, part->body.len);
	bytes_append(file, pad, -part->body.len & 7);
}

void image_write(const struct image *img, struct bytes *file)
{
	bool inside = false;

	file->len = 0;
	bytes_append(file, img->xl_header, 48);
	gw_put_le32(file->data + 44, (uint32_t)img->config.len + 5 + img->optional_more);
	bytes_append(file, NULL, 4);
	gw_put_le32(file->data + 48, (uint32_t)img->config.len + 1);
	bytes_append(file, img->config.data, img->config.len);
	bytes_append(file, NULL, 1);
	bytes_append(file, img->stream_header, 16);
	for (size_t i = 0; i < img->outer.nr; i++) {
		write_part(file, img->outer.list + i);
		if (inside || img->outer.list[i].type != LIBXC_CONTEXT)
			continue;
		inside = true;
		bytes_append(file, img->headers, 40);
		for (size_t j = 0; j < img->inner.nr; j++)
			write_part(file, img->inner.list + j);
	}
	bytes_append(file, img->tail.data, img->tail.len);
	file->len -= img->cut < file->len ? img->cut : file->len;
}

static void free_parts(struct parts *p)
{
	while (p->nr)
		parts_remove(p, p->nr - 1);
	free(p->list);
	p->list = NULL;
}

void image_free(struct image *img)
{
	free(img->config.data);
	free(img->tail.data);
	free_parts(&img->outer);
	free_parts(&img->inner);
	memset(img, 0, sizeof(*img));
}
