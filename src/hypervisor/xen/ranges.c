/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where a Xen domain can have pages. Xen gives no map of an HVM guest's memory, so the types of all
 * its pfns are asked once; the holes found then are never mapped, sent or asked again. A page that
 * comes into a hole later is a page that log-dirty reports.
 */
#include <stdlib.h>

#include "base/util.h"
#include "hypervisor/xen/domain.h"

/* Ranges begin and end at multiples of this: a guest that gave back every other page has few. */
#define GRAIN 64u

struct map {
	struct gw_pfn_range *ranges;
	size_t n, room;
};

static int add(struct map *m, uint64_t first, uint64_t count, struct gw_error *err)
{
	struct gw_pfn_range *last = m->n ? &m->ranges[m->n - 1] : NULL;

	if (last && last->first + last->count == first) {
		last->count += count;
		return 0;
	}
	if (m->n == m->room) {
		size_t room = m->room ? 2 * m->room : 16;
		struct gw_pfn_range *more = reallocarray(m->ranges, room, sizeof(*more));

		if (!more)
			return gw_fail_errno(err, "a memory map of %zu ranges", room);
		m->ranges = more;
		m->room = room;
	}
	m->ranges[m->n++] = (struct gw_pfn_range){.first = first, .count = count};
	return 0;
}

static bool any_page(const uint8_t *types, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (types[i] != GW_PAGE_XTAB)
			return true;
	return false;
}

/* The pfns first .. first + n - 1. */
static int look(struct gw_domain *d, struct map *m, uint64_t first, size_t n, struct gw_error *err)
{
	uint64_t gfns[GW_PAGE_TYPES_MAX];
	uint8_t types[GW_PAGE_TYPES_MAX];

	for (size_t i = 0; i < n; i++)
		gfns[i] = first + i;
	if (gw_xen_page_types(d, n, gfns, types, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i += GRAIN) {
		size_t count = GW_MIN(n - i, (size_t)GRAIN);

		if (any_page(types + i, count) && add(m, first + i, count, err) < 0)
			return -1;
	}
	return 0;
}

/* A PV guest has its own map, the P2M, which names its pages better than Xen could. */
static int pv_range(struct gw_domain *d, struct map *m, struct gw_error *err)
{
	uint64_t nr;

	if (gw_xen_nr_gpfns(d, &nr, err) < 0)
		return -1;
	return nr ? add(m, 0, nr, err) : 0;
}

static int hvm_ranges(struct gw_domain *d, struct map *m, struct gw_error *err)
{
	uint64_t nr;

	if (gw_xen_nr_gpfns(d, &nr, err) < 0)
		return -1;
	for (uint64_t pfn = 0; pfn < nr; pfn += GW_PAGE_TYPES_MAX)
		if (look(d, m, pfn, (size_t)GW_MIN(nr - pfn, (uint64_t)GW_PAGE_TYPES_MAX), err) < 0)
			return -1;
	return 0;
}

int gw_xen_ranges(struct gw_domain *d, struct gw_pfn_range **ranges, size_t *n,
		  struct gw_error *err)
{
	struct map m = {0};
	int r = d->pv ? pv_range(d, &m, err) : hvm_ranges(d, &m, err);

	if (r < 0) {
		free(m.ranges);
		return -1;
	}
	*ranges = m.ranges;
	*n = m.n;
	return 0;
}
