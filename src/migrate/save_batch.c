/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The stages of a batch in a save, up to a record that is ready to be written: types, map,
 * normalise.
 */
#include "migrate/save_internal.h"

#include <string.h>

#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/domain.h"

static int find_types(struct gw_batch *b, struct gw_save_guest *g, struct gw_error *err)
{
	if (g->ops->pfn_to_gfn(g, b->nr, b->pfns, b->gfns, err) < 0 ||
	    gw_domain_page_types(g->domain, b->nr, b->gfns, b->types, err) < 0)
		return -1;
	b->nr_pages = 0;
	for (size_t i = 0; i < b->nr; i++) {
		unsigned type = b->types[i];

		if (type > GW_PAGE_XTAB || (type > GW_PAGE_L4TAB && type < 0x9))
			return gw_fail(err, GW_INVALID,
				       "pfn 0x%llx of the domain has the reserved page type 0x%x",
				       (unsigned long long)b->pfns[i], type);
		if (gw_page_has_data(type))
			b->data_gfns[b->nr_pages++] = b->gfns[i];
	}
	return 0;
}

static void defer(struct gw_batch *b, size_t i)
{
	b->deferred[i] = true;
	b->nr_deferred++;
}

/*
 * A running guest can give a page back after its type was read and before it is mapped: such a page
 * leaves the batch and is tried again later. In a suspended guest every page must be mapped.
 */
static int drop_unmapped(struct gw_batch *b, const uint8_t *results, bool final,
			 struct gw_error *err)
{
	size_t from = 0, to = 0;

	for (size_t i = 0; i < b->nr; i++) {
		if (!gw_page_has_data(b->types[i]))
			continue;
		if (results[from] == GW_MAP_OK) {
			b->data[to++] = b->data[from++];
			continue;
		}
		if (final || results[from] != GW_MAP_GONE)
			return gw_fail(err, GW_GUEST, "pfn 0x%llx cannot be mapped: %s",
				       (unsigned long long)b->pfns[i],
				       results[from] == GW_MAP_GONE ? "it has no page any more"
								    : "the mapping is refused");
		b->types[i] = GW_PAGE_XTAB;
		defer(b, i);
		from++;
	}
	b->nr_pages = to;
	return 0;
}

static int map(struct gw_batch *b, struct gw_save_guest *g, bool final, struct gw_error *err)
{
	uint8_t results[GW_BATCH_MAX];

	if (b->nr_pages == 0)
		return 0;
	if (gw_domain_map_each(g->domain, b->nr_pages, b->data_gfns, false, b->data, results,
			       &b->mapping, err) < 0)
		return gw_fail_in(err, "mapping pages at pfn 0x%llx",
				  (unsigned long long)b->pfns[0]);
	b->mapped = true;
	return drop_unmapped(b, results, final, err);
}

/* Page tables are sent in a form of their own; a page that has none at the moment leaves the
 * batch. */
static int normalise(struct gw_batch *b, struct gw_save_guest *g, bool final, struct gw_error *err)
{
	size_t from = 0, to = 0;

	for (size_t i = 0; i < b->nr; i++) {
		void *page;
		int rc;

		if (!gw_page_has_data(b->types[i]))
			continue;
		if (!g->ops->needs_normalise(b->types[i])) {
			b->data[to++] = b->data[from++];
			continue;
		}
		page = gw_batch_bounce(b, to, err);
		if (!page)
			return -1;
		rc = g->ops->normalise(g, b->pfns[i], b->types[i], b->data[from++], page, final,
				       err);
		if (rc < 0)
			return gw_fail_in(err, "pfn 0x%llx", (unsigned long long)b->pfns[i]);
		if (rc == GW_DEFER && final)
			return gw_fail(
				err, GW_GUEST,
				"pfn 0x%llx cannot be normalised although the guest is suspended",
				(unsigned long long)b->pfns[i]);
		if (rc == GW_DEFER) {
			defer(b, i);
			continue;
		}
		b->data[to++] = page;
	}
	b->nr_pages = to;
	return 0;
}

/* Adjacent pages become one iovec. */
static void merge_pages(struct gw_batch *b)
{
	struct iovec *v = b->iov;

	for (size_t i = 0; i < b->nr_pages; i++) {
		if (v != b->iov && (char *)v->iov_base + v->iov_len == (char *)b->data[i])
			v->iov_len += GW_PAGE_SIZE;
		else
			*++v = (struct iovec){.iov_base = b->data[i], .iov_len = GW_PAGE_SIZE};
	}
	b->nr_iov = (int)(v - b->iov) + 1;
}

/*
 * Does entry i belong in the record? A pfn without a page has an entry only if its page was sent
 * before: no restore, stock Xen's included, does anything with other ones. In a file whose records
 * have to have the right number of entries, each pfn of the batch has one.
 */
static bool has_entry(const struct gw_save *s, const struct gw_batch *b, size_t i)
{
	if (b->nr_deferred > 0 && b->deferred[i])
		return false;
	if (gw_page_align_by_count(&s->align))
		return true;
	return b->types[i] != GW_PAGE_XTAB || gw_bitmap_test(s->sent, b->pfns[i]);
}

static void build_record(struct gw_save *s, struct gw_batch *b)
{
	uint64_t entries[GW_BATCH_MAX + GW_PAGE_ALIGN_MAX];
	size_t n = 0, fillers, head;
	bool any = false;

	for (size_t i = 0; i < b->nr; i++) {
		if (!has_entry(s, b, i))
			continue;
		entries[n++] = gw_page_entry(b->pfns[i], b->types[i]);
		any |= b->types[i] != GW_PAGE_XTAB || gw_bitmap_test(s->sent, b->pfns[i]);
		gw_bitmap_set(s->sent, b->pfns[i]);
	}
	b->bytes = 0;
	b->nr_iov = 0;
	if (!any)
		return;
	fillers = gw_page_align_fillers(&s->align, n);
	gw_page_align_fill(&s->align, fillers, entries + n);
	n += fillers;
	head = gw_page_data_head_encode(b->head, n, entries, b->nr_pages);
	b->iov[0] = (struct iovec){.iov_base = b->head, .iov_len = head};
	merge_pages(b);
	b->bytes = head + (uint64_t)b->nr_pages * GW_PAGE_SIZE;
	s->align.offset += b->bytes;
}

int gw_save_batch_prepare(struct gw_save *s, struct gw_batch *b, bool final, struct gw_error *err)
{
	struct gw_save_guest *g = &s->guest;

	if (b->nr_deferred > 0)
		memset(b->deferred, 0, sizeof(b->deferred));
	b->nr_deferred = 0;
	if (find_types(b, g, err) < 0 || map(b, g, final, err) < 0 ||
	    normalise(b, g, final, err) < 0) {
		gw_batch_release(b, g->domain);
		return -1;
	}
	build_record(s, b);
	return 0;
}
