/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The legacy reader: the chunks of the body, except for tmem.
 */
#include "format/legacy/internal.h"

#include "base/bytes.h"
#include "base/util.h"
#include "format/libxc/image.h"

/* The largest size that all pages of the largest guest can have when compressed. */
#define COMPRESSED_MAX (((uint64_t)GW_LEGACY_P2M_MAX + 1) * (GW_PAGE_SIZE + 9))

static void next_chunk(struct gw_legacy_reader *r, enum gw_legacy_event *event)
{
	gw_legacy_expect(r, GW_LEGS_CHUNK, 4);
	*event = GW_LEGACY_CHUNK;
}

static int unknown_chunk(const struct gw_legacy_reader *r, struct gw_error *err)
{
	if (r->id > 0)
		return gw_fail(err, GW_INVALID, "a batch of %d pages, expected at most %u%s", r->id,
			       GW_LEGACY_BATCH_MAX, gw_legacy_doubt(r));
	return gw_fail(
		err, GW_INVALID,
		"chunk id %d was never written by Xen, expected %d to -1, 0, or the pages of a batch%s",
		r->id, GW_LEG_FIRST_ID, gw_legacy_doubt(r));
}

static void begin_batch(struct gw_legacy_reader *r)
{
	gw_legacy_expect(r, GW_LEGS_ENTRIES, (uint64_t)r->id * r->header.kind.width);
}

int gw_legacy_got_chunk(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			struct gw_error *err)
{
	gw_legacy_begin_item(r, (int32_t)gw_get_le32(r->buf.data), 4);
	if (!gw_legacy_id_is_known(r->id))
		return unknown_chunk(r, err);
	if (r->id > 0) {
		begin_batch(r);
		return 0;
	}
	switch (r->id) {
	case GW_LEG_END:
		gw_legacy_begin_tail(r);
		*event = GW_LEGACY_BODY_END;
		return 0;
	case GW_LEG_VERIFY:
		r->verify_mode = true;
		next_chunk(r, event);
		return 0;
	case GW_LEG_LAST_CHECKPOINT:
		r->last_checkpoint = r->ends = true;
		next_chunk(r, event);
		return 0;
	case GW_LEG_ENABLE_COMPRESSION:
		r->compressed = true;
		next_chunk(r, event);
		return 0;
	case GW_LEG_VCPU_INFO:
		gw_legacy_expect(r, GW_LEGS_VCPU_MAX, 4);
		return 0;
	case GW_LEG_TMEM:
	case GW_LEG_TMEM_EXTRA:
		gw_legacy_begin_tmem(r);
		return 0;
	case GW_LEG_TSC_INFO:
		gw_legacy_expect(r, GW_LEGS_TSC, 20);
		return 0;
	case GW_LEG_COMPRESSED_DATA:
		gw_legacy_expect(r, GW_LEGS_COMPRESSED, r->header.kind.width);
		return 0;
	case GW_LEG_TOOLSTACK:
		gw_legacy_expect(r, GW_LEGS_TOOLSTACK_LEN, 4);
		return 0;
	default: /* HVM params: 4 bytes of padding, then the value */
		gw_legacy_expect(r, GW_LEGS_PARAM, 12);
		return 0;
	}
}

/* libxc's list of types without contents; a page of an unknown type has contents. */
static bool has_contents(unsigned type)
{
	return type != GW_PAGE_XTAB && type != GW_PAGE_BROKEN && type != GW_PAGE_XALLOC;
}

int gw_legacy_got_entries(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			  struct gw_error *err)
{
	size_t n = (size_t)r->id, pages = 0;
	uint64_t *entries = gw_legacy_words(r, n, err);

	if (!entries)
		return -1;
	for (size_t i = 0; i < n; i++) {
		uint64_t entry = gw_legacy_long(r, r->buf.data + i * r->header.kind.width);
		unsigned type = (unsigned)(entry >> 28);

		if (entry > UINT32_MAX)
			return gw_fail(
				err, GW_INVALID,
				"entry %zu of %zu is 0x%llx, expected a type and a pfn in 32 bits%s",
				i, n, (unsigned long long)entry, gw_legacy_doubt(r));
		entries[i] = gw_page_entry(entry & GW_LEGACY_P2M_MAX, type);
		pages += has_contents(type);
	}
	r->entries = entries;
	r->nr_entries = n;
	r->nr_pages = pages;
	r->data_len = r->compressing ? 0 : (uint64_t)pages * GW_PAGE_SIZE;
	gw_legacy_expect(r, GW_LEGS_DATA, 0);
	*event = GW_LEGACY_PAGES;
	return 0;
}

int gw_legacy_got_compressed(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			     struct gw_error *err)
{
	r->data_len = gw_legacy_long(r, r->buf.data);
	if (r->data_len > COMPRESSED_MAX)
		return gw_fail(err, GW_INVALID,
			       "length of the compressed data is 0x%llx, more than any guest has",
			       (unsigned long long)r->data_len);
	gw_legacy_expect(r, GW_LEGS_DATA, 0);
	*event = GW_LEGACY_COMPRESSED;
	return 0;
}

int gw_legacy_got_vcpu_max(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			   struct gw_error *err)
{
	uint32_t max = gw_get_le32(r->buf.data);

	if (max >= GW_LEGACY_VCPUS_MAX)
		return gw_fail(err, GW_INVALID, "the highest vCPU is %u, expected less than %u",
			       max, GW_LEGACY_VCPUS_MAX);
	gw_legacy_expect_more(r, GW_LEGS_VCPU_MAP, (max / 64 + 1) * sizeof(uint64_t));
	return 0;
}

int gw_legacy_got_vcpu_map(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			   struct gw_error *err)
{
	uint32_t max = gw_get_le32(r->buf.data);
	size_t words = max / 64 + 1;
	uint64_t *map;

	gw_buffer_reset(&r->map);
	map = gw_buffer_reserve(&r->map, words * sizeof(uint64_t), err);
	if (!map)
		return -1;
	for (size_t i = 0; i < words; i++)
		map[i] = gw_get_le64(r->buf.data + 4 + 8 * i);
	r->max_vcpu_id = max;
	r->vcpu_map = map;
	r->has_vcpu_info = true;
	next_chunk(r, event);
	return 0;
}

int gw_legacy_got_param(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			struct gw_error *err)
{
	r->value = gw_get_le64(r->buf.data + 4);
	next_chunk(r, event);
	return 0;
}

int gw_legacy_got_tsc(struct gw_legacy_reader *r, enum gw_legacy_event *event, struct gw_error *err)
{
	const uint8_t *p = r->buf.data;

	r->tsc = (struct gw_tsc_info){
		.mode = gw_get_le32(p),
		.nsec = gw_get_le64(p + 4),
		.khz = gw_get_le32(p + 12),
		.incarnation = gw_get_le32(p + 16),
	};
	next_chunk(r, event);
	return 0;
}

static void tell_toolstack(struct gw_legacy_reader *r, const uint8_t *data, uint32_t len,
			   enum gw_legacy_event *event)
{
	r->data = data;
	r->len = len;
	next_chunk(r, event);
}

int gw_legacy_got_toolstack_len(struct gw_legacy_reader *r, enum gw_legacy_event *event,
				struct gw_error *err)
{
	uint32_t len = gw_get_le32(r->buf.data);

	if (len > GW_LEGACY_CONTEXT_MAX)
		return gw_fail(err, GW_INVALID, "length is %u, expected at most %u", len,
			       GW_LEGACY_CONTEXT_MAX);
	if (len == 0)
		tell_toolstack(r, (const uint8_t *)"", 0, event);
	else
		gw_legacy_expect(r, GW_LEGS_TOOLSTACK, len);
	return 0;
}

int gw_legacy_got_toolstack(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			    struct gw_error *err)
{
	tell_toolstack(r, r->buf.data, (uint32_t)r->buf.len, event);
	return 0;
}
