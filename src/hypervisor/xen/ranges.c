/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where a Xen domain has pages. Xen gives no map of an HVM guest's memory, only the types of single
 * pfns, and its log-dirty mode does not report a page that comes later. So the pfns are looked
 * through in grains, and again when the domain's number of pages has changed.
 *
 * Most of a small guest's pfns are holes up to the devices below 4 GiB. A grain whose first and
 * last pfn have no page is left for later. When as many pages have been found as Xen has given to
 * the domain, that later never comes.
 */
#include "hypervisor/xen/ranges.h"

#include <stdlib.h>
#include <string.h>

#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/xen/domain.h"

#define GRAIN	  64u /* pfns: a word of a bitmap */
#define UNCOUNTED UINT64_MAX

struct scan {
	struct gw_domain *d;
	uint64_t nr;	   /* pfns */
	uint64_t *present; /* by pfn */
	uint64_t found;	   /* bits of it */
	uint64_t *looked;  /* by grain */
	/* Questions that wait until one call has enough of them. */
	uint64_t asked[GW_PAGE_TYPES_MAX];
	size_t n;
	/* What to do with the answers. */
	void (*answer)(struct scan *s, uint64_t pfn);
};

static uint64_t nr_grains(const struct scan *s)
{
	return (s->nr + GRAIN - 1) / GRAIN;
}

static int flush(struct scan *s, struct gw_error *err)
{
	uint8_t types[GW_PAGE_TYPES_MAX];

	if (gw_xen_page_types(s->d, s->n, s->asked, types, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		if (types[i] != GW_PAGE_XTAB)
			s->answer(s, s->asked[i]);
	s->n = 0;
	return 0;
}

static int ask(struct scan *s, uint64_t pfn, struct gw_error *err)
{
	if (pfn >= s->nr)
		return 0;
	s->asked[s->n++] = pfn;
	return s->n < GW_ARRAY_SIZE(s->asked) ? 0 : flush(s, err);
}

static void grain_has_page(struct scan *s, uint64_t pfn)
{
	gw_bitmap_set(s->looked, pfn / GRAIN);
}

static void has_page(struct scan *s, uint64_t pfn)
{
	s->found += !gw_bitmap_test(s->present, pfn);
	gw_bitmap_set(s->present, pfn);
}

/* Finds the grains to look at first. */
static int sample(struct scan *s, struct gw_error *err)
{
	s->answer = grain_has_page;
	for (uint64_t g = 0; g < nr_grains(s); g++)
		if (ask(s, g * GRAIN, err) < 0 || ask(s, g * GRAIN + GRAIN - 1, err) < 0)
			return -1;
	return flush(s, err);
}

/* Asks for every pfn of the grains that are marked, or of all others. */
static int look(struct scan *s, bool marked, struct gw_error *err)
{
	s->answer = has_page;
	for (uint64_t g = 0; g < nr_grains(s); g++)
		for (uint64_t i = 0; i < GRAIN && gw_bitmap_test(s->looked, g) == marked; i++)
			if (ask(s, g * GRAIN + i, err) < 0)
				return -1;
	return flush(s, err);
}

/* How many pages the domain has; UNCOUNTED where Xen's number is not that of its pfns with pages.
 */
static int count_pages(struct gw_domain *d, uint64_t *total, struct gw_error *err)
{
	xc_domaininfo_t info;

	if (gw_xen_getinfo(gw_xen_of(d)->host, d->domid, &info, err) < 0)
		return -1;
	*total = info.shr_pages || info.paged_pages ? UNCOUNTED : info.tot_pages;
	return 0;
}

/* Fills s->present; *total is the number of pages before the first look. */
static int find_pages(struct scan *s, uint64_t *total, struct gw_error *err)
{
	uint64_t after;

	if (count_pages(s->d, total, err) < 0 || sample(s, err) < 0 || look(s, true, err) < 0 ||
	    count_pages(s->d, &after, err) < 0)
		return -1;
	/* A page more and another less would look like none, had the number not been the same. */
	if (s->found == *total && after == *total)
		return 0;
	return look(s, false, err);
}

/* s->present becomes what is known of the domain. */
static int scan(struct scan *s, struct gw_error *err)
{
	struct gw_xen_domain *x = gw_xen_of(s->d);
	uint64_t total;
	int r = -1;

	if (gw_xen_nr_gpfns(s->d, &s->nr, err) < 0)
		return -1;
	s->present = gw_bitmap_new(s->nr);
	s->looked = gw_bitmap_new(nr_grains(s));
	if (!s->present || !s->looked)
		gw_fail(err, GW_NO_MEMORY, "no memory for a map of %llu pfns",
			(unsigned long long)s->nr);
	else
		r = find_pages(s, &total, err);
	free(s->looked);
	if (r < 0) {
		free(s->present);
		return -1;
	}
	free(x->known.present);
	x->known = (struct gw_xen_known){.present = s->present, .nr = s->nr, .pages = total};
	return 0;
}

int gw_xen_find_new_pages(struct gw_domain *d, uint64_t *bitmap, uint64_t nr, struct gw_error *err)
{
	struct gw_xen_known *known = &gw_xen_of(d)->known;
	struct scan s = {.d = d};
	uint64_t total;

	if (!known->present)
		return 0;
	if (count_pages(d, &total, err) < 0)
		return -1;
	if (total == known->pages && total != UNCOUNTED)
		return 0;

	uint64_t old_nr = known->nr, *old = GW_STEAL(known->present);
	int r = scan(&s, err);

	for (uint64_t w = 0; r == 0 && w < GW_BITMAP_WORDS(GW_MIN(nr, s.nr)); w++)
		bitmap[w] |= s.present[w] & ~(w < GW_BITMAP_WORDS(old_nr) ? old[w] : 0);
	free(old);
	return r;
}

/* The grains that have a page, adjacent ones together. NULL with err. */
static struct gw_pfn_range *make_ranges(const struct scan *s, size_t *n, struct gw_error *err)
{
	size_t room = 16, count = 0;
	struct gw_pfn_range *ranges = calloc(room, sizeof(*ranges)), *last = NULL;

	for (uint64_t g = 0; ranges && g < nr_grains(s); g++) {
		if (!s->present[g])
			continue;
		if (last && last->first + last->count == g * GRAIN) {
			last->count += GRAIN;
			continue;
		}
		if (count == room) {
			struct gw_pfn_range *more =
				reallocarray(ranges, room *= 2, sizeof(*ranges));

			if (!more)
				free(ranges);
			ranges = more;
		}
		if (ranges)
			ranges[count++] = (struct gw_pfn_range){g * GRAIN, GRAIN};
		last = ranges ? &ranges[count - 1] : NULL;
	}
	if (!ranges)
		gw_fail_errno(err, "a memory map of %zu ranges", room);
	else if (last)
		last->count = GW_MIN(last->count, s->nr - last->first);
	*n = count;
	return ranges;
}

/* A PV guest has its own map, the P2M, which names its pages better than Xen could. */
static int pv_range(struct gw_domain *d, struct gw_pfn_range **ranges, size_t *n,
		    struct gw_error *err)
{
	uint64_t nr;

	if (gw_xen_nr_gpfns(d, &nr, err) < 0)
		return -1;
	*ranges = calloc(1, sizeof(**ranges));
	if (!*ranges)
		return gw_fail_errno(err, "a memory map");
	(*ranges)[0].count = nr;
	*n = nr > 0;
	return 0;
}

int gw_xen_ranges(struct gw_domain *d, struct gw_pfn_range **ranges, size_t *n,
		  struct gw_error *err)
{
	struct scan s = {.d = d};

	if (d->pv)
		return pv_range(d, ranges, n, err);
	if (scan(&s, err) < 0)
		return -1;
	*ranges = make_ranges(&s, n, err);
	return *ranges ? 0 : -1;
}
