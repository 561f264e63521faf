/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory of a Xen domain: page types, mappings, new pages.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "hypervisor/xen/domain.h"

#define TYPES_BYTES (GW_PAGE_TYPES_MAX * sizeof(uint64_t))
#define SUPERPAGE   512u /* pages of 2 MiB */
#define ORDER_2M    9u

/* The domain's spare buffer if no other thread has it, else a new one. */
static uint64_t *take_buffer(struct gw_xen_domain *x, struct gw_error *err)
{
	uint64_t *buffer = atomic_exchange(&x->spare, NULL);

	return buffer ?: gw_xen_buffer_alloc(x->host, TYPES_BYTES, err);
}

static void put_buffer(struct gw_xen_domain *x, uint64_t *buffer)
{
	uint64_t *none = NULL;

	if (!atomic_compare_exchange_strong(&x->spare, &none, buffer))
		gw_xen_buffer_free(x->host, buffer, TYPES_BYTES);
}

/* A type takes the place of each gfn, in the bits of XEN_DOMCTL_PFINFO_LTAB_MASK. */
static int ask_types(struct gw_domain *d, size_t n, uint64_t *gfns)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_getpageframeinfo3,
		.domain = (domid_t)d->domid,
		.u.getpageframeinfo3.num = n,
	};

	set_xen_guest_handle_raw(op.u.getpageframeinfo3.array, gfns);
	return xc_domctl(gw_xen_xch(d), &op);
}

int gw_xen_page_types(struct gw_domain *d, size_t n, const uint64_t *gfns, uint8_t *types,
		      struct gw_error *err)
{
	struct gw_xen_domain *x = gw_xen_of(d);

	if (n > GW_PAGE_TYPES_MAX)
		return gw_fail(err, GW_USAGE, "domain %u: types of %zu pages asked, at most %u go",
			       d->domid, n, GW_PAGE_TYPES_MAX);
	uint64_t *buffer = n ? take_buffer(x, err) : NULL;

	if (!buffer)
		return n ? -1 : 0;
	memcpy(buffer, gfns, n * sizeof(*gfns));
	int r = ask_types(d, n, buffer);

	if (r < 0)
		gw_xen_fail(err, "domain %u: types of %zu pages from gfn 0x%" PRIx64, d->domid, n,
			    gfns[0]);
	for (size_t i = 0; r == 0 && i < n; i++)
		types[i] =
			(buffer[i] & XEN_DOMCTL_PFINFO_LTAB_MASK) >> XEN_DOMCTL_PFINFO_LTAB_SHIFT;
	put_buffer(x, buffer);
	return r < 0 ? -1 : 0;
}

struct mapping {
	void *base;
	size_t n;
};

/* What a page is that Xen did not map: one that is there is a page table, not to be written. */
static uint8_t why_not(struct gw_domain *d, uint64_t gfn)
{
	uint8_t type;

	if (gw_xen_page_types(d, 1, &gfn, &type, NULL) == 0 && gw_page_table_level(type) > 0)
		return GW_MAP_REFUSED;
	return GW_MAP_GONE;
}

/*
 * failed[i] is 0 or a negative errno. One of -EAGAIN or -ENOENT would be a page that a pager has
 * taken away; Xen has had none for HVM guests that are migrated.
 */
static void judge(struct gw_domain *d, const struct mapping *m, const uint64_t *gfns,
		  const int *failed, bool writable, void **pages, uint8_t *results)
{
	for (size_t i = 0; i < m->n; i++) {
		pages[i] = failed[i] ? NULL : (uint8_t *)m->base + i * GW_PAGE_SIZE;
		results[i] = GW_MAP_OK;
		if (failed[i])
			results[i] = writable && d->pv ? why_not(d, gfns[i]) : GW_MAP_GONE;
	}
}

int gw_xen_map(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
	       uint8_t *results, struct gw_mapping *mapping, struct gw_error *err)
{
	int few[GW_PAGE_TYPES_MAX],
		*failed = n > GW_ARRAY_SIZE(few) ? malloc(n * sizeof(int)) : few;
	struct mapping *m = malloc(sizeof(*m));
	int r = -1;

	if (!m || !failed) {
		gw_fail_errno(err, "a mapping of %zu pages", n);
		goto out;
	}
	m->n = n;
	m->base = xenforeignmemory_map(gw_xen_of(d)->host->fmem, d->domid,
				       writable ? PROT_READ | PROT_WRITE : PROT_READ, n, gfns,
				       failed);
	if (!m->base) {
		gw_xen_fail(err, "domain %u: mapping %zu pages from gfn 0x%" PRIx64, d->domid, n,
			    gfns[0]);
		goto out;
	}
	judge(d, m, gfns, failed, writable, pages, results);
	mapping->private_data = GW_STEAL(m);
	r = 0;
out:
	free(m);
	if (failed != few)
		free(failed);
	return r;
}

void gw_xen_unmap(struct gw_domain *d, struct gw_mapping *mapping)
{
	struct mapping *m = mapping->private_data;

	xenforeignmemory_unmap(gw_xen_of(d)->host->fmem, m->base, m->n);
	free(m);
	mapping->private_data = NULL;
}

/* True if the pfns from here on are one whole 2 MiB. */
static bool is_superpage(const uint64_t *pfns, size_t n)
{
	if (n < SUPERPAGE || pfns[0] % SUPERPAGE)
		return false;
	for (size_t i = 1; i < SUPERPAGE; i++)
		if (pfns[i] != pfns[0] + i)
			return false;
	return true;
}

/* How many of n pfns come before the next whole 2 MiB. */
static size_t before_superpage(const uint64_t *pfns, size_t n)
{
	size_t i = 1;

	while (i < n && !is_superpage(pfns + i, n - i))
		i++;
	return i;
}

/*
 * Pages one by one. Xen stops at the first that it cannot give and returns how many it gave; for a
 * PV domain it has written the mfns of those.
 */
static int populate_each(struct gw_domain *d, size_t n, uint64_t *gfns, size_t *done)
{
	int given = xc_domain_populate_physmap(gw_xen_xch(d), d->domid, n, 0, 0, gfns);

	if (given < 0)
		return -1;
	*done += GW_MIN((size_t)given, n);
	if ((size_t)given >= n)
		return 0;
	errno = ENOMEM;
	return -1;
}

/* One page of 2 MiB for an HVM guest. Failing costs nothing: 4 KiB pages are tried next. */
static bool populate_2m(struct gw_domain *d, uint64_t pfn)
{
	xen_pfn_t extent = pfn;

	return xc_domain_populate_physmap(gw_xen_xch(d), d->domid, 1, ORDER_2M, 0, &extent) == 1;
}

int gw_xen_populate(struct gw_domain *d, size_t n, const uint64_t *pfns, uint64_t *gfns,
		    size_t *done, struct gw_error *err)
{
	bool hvm = d->type == GW_GUEST_X86_HVM;

	memcpy(gfns, pfns, n * sizeof(*gfns));
	*done = 0;
	while (*done < n) {
		size_t at = *done, rest = n - at;

		if (hvm && is_superpage(pfns + at, rest) && populate_2m(d, pfns[at])) {
			*done += SUPERPAGE;
			continue;
		}
		size_t count = hvm ? before_superpage(pfns + at, rest) : rest;

		if (populate_each(d, count, gfns + at, done) < 0)
			return gw_xen_fail(err,
					   "domain %u: pages for %zu pfns from 0x%" PRIx64
					   ", of which it got %zu",
					   d->domid, n, pfns[0], *done);
	}
	return 0;
}
