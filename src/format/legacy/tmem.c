/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The legacy reader's part for transcendent memory (xc_tmem.c of Xen 4.0 to 4.5). It skips and
 * counts the pages. Current Xen has no tmem.
 */
#include "format/legacy/internal.h"

#include "base/bytes.h"

#define NONE		UINT32_MAX /* ends a list of pools */
#define HEAD		28u	   /* version, pools at most, -1, flags, weight, cap, -1 */
#define POOL_REST	24u	   /* flags, pages, uuid[2] */
#define OID		24u
#define FLUSH_REST	28u /* oid, index */
#define PAGE_SIZE_SHIFT 4   /* in the flags of a pool: log2 of its pages, less 12 */
#define PAGE_SIZE_MASK	0xfu

void gw_legacy_begin_tmem(struct gw_legacy_reader *r)
{
	r->tmem_pools = r->tmem_pages = 0;
	if (r->id == GW_LEG_TMEM)
		gw_legacy_expect(r, GW_LEGS_TMEM_HEAD, HEAD);
	else
		gw_legacy_expect(r, GW_LEGS_TMEM_FLUSH, 4);
}

static int end_tmem(struct gw_legacy_reader *r, enum gw_legacy_event *event)
{
	gw_legacy_expect(r, GW_LEGS_CHUNK, 4);
	*event = GW_LEGACY_CHUNK;
	return 0;
}

int gw_legacy_got_tmem_head(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			    struct gw_error *err)
{
	static const unsigned ones[] = {8, 24};

	for (unsigned i = 0; i < 2; i++) {
		uint32_t v = gw_get_le32(r->buf.data + ones[i]);

		if (v != NONE)
			return gw_fail(err, GW_INVALID,
				       "tmem: 0x%x at byte %u of the head, expected 0xffffffff", v,
				       ones[i]);
	}
	gw_legacy_expect(r, GW_LEGS_TMEM_POOL, 4);
	return 0;
}

int gw_legacy_got_tmem_pool(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			    struct gw_error *err)
{
	if (gw_get_le32(r->buf.data) == NONE)
		return end_tmem(r, event);
	r->tmem_pools++;
	gw_legacy_expect(r, GW_LEGS_TMEM_POOL_REST, POOL_REST);
	return 0;
}

static int next_page(struct gw_legacy_reader *r)
{
	if (r->pool_pages)
		gw_legacy_expect(r, GW_LEGS_TMEM_OID, OID);
	else
		gw_legacy_expect(r, GW_LEGS_TMEM_POOL, 4);
	return 0;
}

int gw_legacy_got_tmem_pool_rest(struct gw_legacy_reader *r, enum gw_legacy_event *event,
				 struct gw_error *err)
{
	uint32_t flags = gw_get_le32(r->buf.data);

	r->page_shift = GW_PAGE_SHIFT + (flags >> PAGE_SIZE_SHIFT & PAGE_SIZE_MASK);
	r->pool_pages = gw_get_le32(r->buf.data + 4);
	return next_page(r);
}

int gw_legacy_got_tmem_oid(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			   struct gw_error *err)
{
	const uint8_t *p = r->buf.data;

	/* An object id of all ones: the pool has fewer pages than it claimed. */
	if ((gw_get_le64(p) & gw_get_le64(p + 8) & gw_get_le64(p + 16)) == UINT64_MAX) {
		r->pool_pages = 0;
		return next_page(r);
	}
	gw_legacy_expect(r, GW_LEGS_TMEM_INDEX, 4);
	return 0;
}

int gw_legacy_got_tmem_index(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			     struct gw_error *err)
{
	gw_legacy_skip(r, GW_LEGS_TMEM_PAGE, UINT64_C(1) << r->page_shift);
	return 0;
}

int gw_legacy_got_tmem_page(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			    struct gw_error *err)
{
	if (!gw_legacy_skipped(r))
		return 0;
	r->tmem_pages++;
	r->pool_pages--;
	return next_page(r);
}

int gw_legacy_got_tmem_flush(struct gw_legacy_reader *r, enum gw_legacy_event *event,
			     struct gw_error *err)
{
	if (gw_get_le32(r->buf.data) == NONE)
		return end_tmem(r, event);
	gw_legacy_expect(r, GW_LEGS_TMEM_FLUSH_REST, FLUSH_REST);
	return 0;
}

int gw_legacy_got_tmem_flush_rest(struct gw_legacy_reader *r, enum gw_legacy_event *event,
				  struct gw_error *err)
{
	r->tmem_pages++;
	gw_legacy_expect(r, GW_LEGS_TMEM_FLUSH, 4);
	return 0;
}
