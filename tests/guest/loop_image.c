/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads images and manifests for the tests of the guest hooks.
 */
#include "lib/gwtest.h"

#include <inttypes.h>
#include <nettle/sha2.h>

#include "base/bytes.h"
#include "lib/realdata.h"
#include "loop.h"

struct image image_of(struct gw_buffer *buf, enum gw_guest_type type)
{
	struct image image = {.file = *buf, .data = buf->data, .len = buf->len, .type = type};

	*buf = (struct gw_buffer){0};
	return image;
}

struct image load_image(const char *name)
{
	struct image image = {.file = realdata_load(realdata_path(name))};
	size_t at = realdata_image(&image.file);

	image.data = image.file.data + at;
	image.len = image.file.len - at;
	image.type = (enum gw_guest_type)gw_get_le32(image.data + 24);
	return image;
}

void free_image(struct image *image)
{
	gw_buffer_free(&image->file);
}

/* Gets the record at *at and moves *at after it. False at END, and where no complete record is
 * left. */
static bool next_record(const struct image *image, size_t *at, struct gw_record *rec)
{
	if (*at + 8 > image->len)
		return false;
	rec->type = gw_get_le32(image->data + *at);
	rec->length = gw_get_le32(image->data + *at + 4);
	rec->data = image->data + *at + 8;
	*at += 8 + (((size_t)rec->length + 7) & ~(size_t)7);
	return rec->type != GW_REC_END && *at <= image->len;
}

uint8_t *find_record(const struct image *image, uint32_t type, uint32_t *length)
{
	struct gw_record rec;
	size_t at = 40;

	while (next_record(image, &at, &rec))
		if (rec.type == type) {
			*length = rec.length;
			return (uint8_t *)(uintptr_t)rec.data;
		}
	return NULL;
}

void each_copy(const struct image *image, uint64_t pfn, each_copy_fn *fn, uint64_t value)
{
	unsigned found = 0;

	for (size_t at = 40; gw_get_le32(image->data + at) != GW_REC_END;) {
		uint8_t *body = image->data + at + 8;
		uint32_t count = gw_get_le32(body);
		uint8_t *data = body + 8 + (size_t)8 * count;

		at += 8 + (((size_t)gw_get_le32(body - 4) + 7) & ~(size_t)7);
		if (gw_get_le32(body - 8) != GW_REC_PAGE_DATA)
			continue;
		for (uint32_t i = 0; i < count; i++) {
			uint64_t entry = gw_get_le64(body + 8 + 8 * i);

			if ((entry & 0xfffffffffffff) == pfn) {
				fn(body + 8 + 8 * i, data, value);
				found++;
			}
			data += gw_page_has_data((unsigned)(entry >> 60)) ? 4096 : 0;
		}
	}
	assert_true(found > 0);
}

static struct page *page_at(struct pages *pages, uint64_t pfn)
{
	if (pfn >= pages->nr) {
		uint64_t nr = pfn + 1 + pfn / 2;

		pages->page = realloc(pages->page, nr * sizeof(*pages->page));
		assert_non_null(pages->page);
		memset(pages->page + pages->nr, 0, (nr - pages->nr) * sizeof(*pages->page));
		pages->nr = nr;
	}
	return &pages->page[pfn];
}

static void take_page_data(struct pages *pages, const struct gw_record *rec)
{
	uint32_t count = gw_get_le32(rec->data);
	const uint8_t *data = rec->data + 8 + (size_t)8 * count;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t entry = gw_get_le64(rec->data + 8 + (size_t)8 * i);
		struct page *page = page_at(pages, entry & 0xfffffffffffff);

		page->type = (unsigned)(entry >> 60);
		page->exists = page->type < 0xd || page->type == 0xe;
		page->data = page->type < 0xd ? data : NULL;
		if (page->data)
			data += 4096;
	}
	assert_ptr_equal(data, rec->data + rec->length);
}

struct pages pages_of_image(const struct image *image, unsigned checkpoint)
{
	struct pages pages = {0};
	struct gw_record rec;
	size_t at = 40;
	bool verify = false;
	unsigned seen = 0;

	while (next_record(image, &at, &rec)) {
		verify = verify || rec.type == GW_REC_VERIFY;
		if (rec.type == GW_REC_PAGE_DATA && !verify)
			take_page_data(&pages, &rec);
		if (rec.type == GW_REC_CHECKPOINT && seen++ == checkpoint)
			break;
	}
	return pages;
}

struct pages pages_of_manifest(const char *name)
{
	struct gw_buffer text = realdata_load(realdata_path(name));
	struct pages pages = {0};
	struct gw_error err = GW_ERROR_INIT;
	char *line, *rest;

	assert_ok(gw_buffer_append(&text, "", 1, &err), &err);
	for (line = strtok_r((char *)text.data, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		uint64_t pfn;
		uint32_t type;
		char hash[32];

		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%" SCNx64 " %" SCNx32 " %31s", &pfn, &type, hash),
				 3);
		struct page *page = page_at(&pages, pfn);

		page->exists = true;
		page->type = type >> 28;
		page->has_hash = hash[0] != '-';
		page->hash = page->has_hash ? strtoull(hash, NULL, 16) : 0;
	}
	gw_buffer_free(&text);
	return pages;
}

void free_pages(struct pages *pages)
{
	free(pages->page);
	*pages = (struct pages){0};
}

uint64_t hash_page(const void *data)
{
	struct sha256_ctx ctx;
	uint8_t digest[8];

	sha256_init(&ctx);
	sha256_update(&ctx, 4096, data);
	sha256_digest(&ctx, sizeof(digest), digest);
	return gw_get_be64(digest);
}
