/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The frames of a domain held in memory: which it has, where they are, which were written.
 * Where mfns come from is in mfn.c, what makes a page table in tables.c.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/memory/domain.h"
#include "hypervisor/memory/memory.h"

int gw_memory_frames_init(struct gw_memory_domain *m, struct gw_error *err)
{
	struct gw_memory_frames *f = &m->frames;

	f->nr = gw_memory_is_pv(m) ? gw_memory_mfn_frames(gw_memory_most_pages(m)) : m->max_pfns;
	f->base = gw_memory_reserve(f->nr * GW_PAGE_SIZE, err);
	f->state = f->base ? gw_memory_reserve(f->nr, err) : NULL;
	return f->state ? 0 : -1;
}

void gw_memory_frames_free(struct gw_memory_domain *m)
{
	struct gw_memory_frames *f = &m->frames;

	gw_memory_release(f->base, f->nr * GW_PAGE_SIZE);
	gw_memory_release(f->state, f->nr);
	free(m->dirty);
	atomic_fetch_sub(&m->host->used, f->populated);
}

uint64_t gw_memory_nr_pfns(const struct gw_memory_domain *m)
{
	if (m->built)
		return m->top;
	return GW_MAX(m->max_pfns, gw_memory_is_pv(m) ? gw_memory_kernel_pfns(m) : 0);
}

uint64_t gw_memory_pfn_to_gfn(struct gw_memory_domain *m, uint64_t pfn)
{
	if (pfn >= (gw_memory_is_pv(m) ? GW_MEMORY_PV_PFNS : m->max_pfns))
		return GW_INVALID_PFN;
	if (!gw_memory_is_pv(m))
		return gw_memory_state(m, pfn) & GW_MEMORY_HELD ? pfn : GW_INVALID_PFN;
	return m->pv.p2m[pfn] ? m->pv.p2m[pfn] : GW_INVALID_PFN;
}

void gw_memory_log(struct gw_memory_domain *m, uint64_t pfn)
{
	if (m->dirty && pfn < m->max_pfns)
		gw_bitmap_set(m->dirty, pfn);
}

void gw_memory_log_gfn(struct gw_memory_domain *m, uint64_t gfn)
{
	gw_memory_log(m, gw_memory_is_pv(m) ? m->pv.m2p[gfn] : gfn);
}

int gw_memory_page_types(struct gw_domain *d, size_t n, const uint64_t *gfns, uint8_t *types,
			 struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);

	for (size_t i = 0; i < n; i++) {
		unsigned state = gw_memory_state(m, gfns[i]);

		types[i] = state & GW_MEMORY_HELD ? state & 0xf : GW_PAGE_XTAB;
	}
	return 0;
}

/* What a writable mapping has to remember, so that its end is logged like its start. */
struct writable {
	size_t n;
	uint64_t gfns[];
};

/*
 * As in Xen: a caller that could write to a table in use could give the guest any page, and one
 * that could write descriptors any privilege.
 */
static bool is_protected(const struct gw_memory_domain *m, uint64_t gfn)
{
	return gw_memory_is_pv(m) && m->pv.tables.uses[gfn].count > 0 &&
	       m->pv.tables.uses[gfn].type != GW_PV_USE_WRITABLE;
}

/* What of n gfns can be mapped for writing is logged and remembered in w. */
static void open_for_writing(struct gw_memory_domain *m, size_t n, const uint64_t *gfns,
			     void **pages, uint8_t *results, struct writable *w)
{
	gw_memory_lock(m);
	for (size_t i = 0; i < n; i++) {
		if (results[i] != GW_MAP_OK)
			continue;
		if (is_protected(m, gfns[i])) {
			results[i] = GW_MAP_REFUSED;
			pages[i] = NULL;
			continue;
		}
		gw_memory_log_gfn(m, gfns[i]);
		w->gfns[w->n++] = gfns[i];
	}
	gw_memory_unlock(m);
}

int gw_memory_map(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
		  uint8_t *results, struct gw_mapping *mapping, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	struct writable *w = writable ? malloc(sizeof(*w) + n * sizeof(w->gfns[0])) : NULL;

	if (writable && !w)
		return gw_fail_errno(err, "mapping %zu frames", n);
	for (size_t i = 0; i < n; i++) {
		bool held = gw_memory_state(m, gfns[i]) & GW_MEMORY_HELD;

		results[i] = held ? GW_MAP_OK : GW_MAP_GONE;
		pages[i] = held ? gw_memory_frame(m, gfns[i]) : NULL;
	}
	if (w) {
		w->n = 0;
		open_for_writing(m, n, gfns, pages, results, w);
	}
	*mapping = (struct gw_mapping){.private_data = w};
	return 0;
}

void gw_memory_unmap(struct gw_domain *d, struct gw_mapping *mapping)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	struct writable *w = mapping->private_data;

	if (w) {
		gw_memory_lock(m);
		/* A clean since the mapping began has forgotten what was written before it ends. */
		for (size_t i = 0; i < w->n; i++)
			gw_memory_log_gfn(m, w->gfns[i]);
		gw_memory_unlock(m);
		free(w);
	}
	*mapping = (struct gw_mapping){0};
}

/*
 * A PV guest may have a page at any pfn (Xen only notes it in the M2P); all that counts pfns here
 * grows with it.
 */
static int extend(struct gw_memory_domain *m, uint64_t pfn, struct gw_error *err)
{
	uint64_t most = gw_memory_is_pv(m) ? GW_MEMORY_PV_PFNS : m->max_pfns;

	if (pfn >= most)
		return gw_fail(err, GW_INVALID,
			       "pfn %#" PRIx64 " is beyond the domain's last, %#" PRIx64, pfn,
			       most - 1);
	if (pfn < m->max_pfns)
		return 0;
	if (m->dirty) {
		uint64_t *bigger = gw_bitmap_new(pfn + 1);

		if (!bigger)
			return gw_fail(err, GW_NO_MEMORY, "a log-dirty bitmap of %" PRIu64 " pages",
				       pfn + 1);
		gw_bitmap_or(bigger, m->dirty, m->max_pfns);
		free(m->dirty);
		m->dirty = bigger;
	}
	m->max_pfns = pfn + 1;
	return 0;
}

static int check_populate(struct gw_memory_domain *m, size_t n, const uint64_t *pfns,
			  struct gw_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (extend(m, pfns[i], err) < 0)
			return -1;
		if (gw_memory_pfn_to_gfn(m, pfns[i]) != GW_INVALID_PFN)
			return gw_fail(err, GW_USAGE, "pfn %#" PRIx64 " has a page already",
				       pfns[i]);
	}
	if (n > m->max_pages - m->frames.populated)
		return gw_fail(err, GW_INVALID,
			       "%zu more pages are needed, but the domain may have %" PRIu64
			       " and has %" PRIu64,
			       n, m->max_pages, m->frames.populated);
	uint64_t used = atomic_fetch_add(&m->host->used, n);

	if (used + n > m->host->limit) {
		atomic_fetch_sub(&m->host->used, n);
		return gw_fail(err, GW_NO_MEMORY,
			       "%zu pages more than the host's %" PRIu64 " (in use: %" PRIu64 ")",
			       n, m->host->limit, used);
	}
	return 0;
}

static void give_back(struct gw_memory_domain *m, uint64_t gfn)
{
	/* Forgets the contents, so that the next one to get this frame gets zeros. */
	madvise(gw_memory_frame(m, gfn), GW_PAGE_SIZE, MADV_DONTNEED);
	gw_memory_set_state(m, gfn, 0);
	if (gw_memory_is_pv(m)) {
		uint64_t pfn = m->pv.m2p[gfn];

		m->pv.tables.uses[gfn] = (struct gw_pv_use){0};
		m->pv.m2p[gfn] = GW_INVALID_PFN;
		if (pfn < GW_MEMORY_PV_PFNS)
			m->pv.p2m[pfn] = 0;
	}
	m->frames.populated--;
	atomic_fetch_sub(&m->host->used, 1);
}

/* Where a page is taken from the host for n pfns that check_populate() has seen. */
static int take_pages(struct gw_memory_domain *m, size_t n, const uint64_t *pfns, uint64_t *gfns,
		      size_t *given, struct gw_error *err)
{
	int r = 0;

	size_t done = 0;

	for (; done < n; done++) {
		/* The second of two equal pfns; the check above saw neither. */
		if (gw_memory_pfn_to_gfn(m, pfns[done]) != GW_INVALID_PFN) {
			r = gw_fail(err, GW_USAGE, "pfn %#" PRIx64 " is listed twice", pfns[done]);
			break;
		}
		uint64_t gfn = pfns[done];

		if (gw_memory_is_pv(m)) {
			gfn = gw_memory_mfn_take(m);
			m->pv.m2p[gfn] = pfns[done];
			m->pv.p2m[pfns[done]] = gfn;
		}
		gw_memory_set_state(m, gfn, GW_MEMORY_HELD | GW_PAGE_NOTAB);
		m->frames.populated++;
		m->top = GW_MAX(m->top, pfns[done] + 1);
		gw_memory_log(m, pfns[done]);
		gfns[done] = gfn;
	}
	if (r < 0) {
		atomic_fetch_sub(&m->host->used, n - done);
		while (done > 0)
			give_back(m, gfns[--done]);
	}
	*given = done;
	return r;
}

/* All or none. */
int gw_memory_populate(struct gw_domain *d, size_t n, const uint64_t *pfns, uint64_t *gfns,
		       size_t *done, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	int r = -1;

	gw_memory_lock(m);
	if (check_populate(m, n, pfns, err) == 0)
		r = take_pages(m, n, pfns, gfns, done, err);
	gw_memory_unlock(m);
	return r;
}

/* Holes shorter than this are not worth an entry. */
#define SHORT_HOLE 1024

static int add_range(struct gw_buffer *list, const struct gw_pfn_range *range, struct gw_error *err)
{
	return range->count ? gw_buffer_append(list, range, sizeof(*range), err) : 0;
}

int gw_memory_ranges(struct gw_domain *d, struct gw_pfn_range **ranges, size_t *n,
		     struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	struct gw_pfn_range range = {0};
	struct gw_buffer list = {0};
	int r = 0;

	gw_memory_lock(m);
	for (uint64_t pfn = 0; pfn < m->top && r == 0; pfn++) {
		if (gw_memory_pfn_to_gfn(m, pfn) == GW_INVALID_PFN)
			continue;
		if (range.count && pfn - (range.first + range.count) >= SHORT_HOLE) {
			r = add_range(&list, &range, err);
			range.count = 0;
		}
		if (!range.count)
			range.first = pfn;
		range.count = pfn + 1 - range.first;
	}
	gw_memory_unlock(m);
	if (r < 0 || add_range(&list, &range, err) < 0) {
		gw_buffer_free(&list);
		return -1;
	}
	*ranges = (struct gw_pfn_range *)list.data;
	*n = list.len / sizeof(range);
	return 0;
}

int gw_memory_depopulate(struct gw_domain *d, size_t n, const uint64_t *gfns, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	int r = 0;

	gw_memory_lock(m);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (!(gw_memory_state(m, gfns[i]) & GW_MEMORY_HELD))
			r = gw_fail(err, GW_USAGE, "frame %#" PRIx64 " has no page to take",
				    gfns[i]);
		else if (is_protected(m, gfns[i]))
			r = gw_fail(err, GW_USAGE, "mfn %#" PRIx64 " is a page table in use",
				    gfns[i]);
		else
			give_back(m, gfns[i]);
	}
	gw_memory_unlock(m);
	return r;
}

int gw_memory_logdirty_start(struct gw_domain *d, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	uint64_t *map;

	if (m->host->no_logdirty)
		return gw_fail(err, GW_UNSUPPORTED, "domain %u has no log-dirty mode", d->domid);
	map = gw_bitmap_new(m->max_pfns);
	if (!map)
		return gw_fail(err, GW_NO_MEMORY, "a log-dirty bitmap of %" PRIu64 " pages",
			       m->max_pfns);
	gw_memory_lock(m);
	free(m->dirty);
	m->dirty = map;
	gw_memory_unlock(m);
	return 0;
}

int gw_memory_logdirty_fetch_and_clear(struct gw_domain *d, uint64_t *bitmap, uint64_t nr,
				       uint64_t *dirty, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);

	int r = 0;

	gw_memory_lock(m);
	if (!m->dirty) {
		r = gw_fail(err, GW_USAGE, "log-dirty is not on");
	} else if (nr < gw_memory_nr_pfns(m)) {
		r = gw_fail(err, GW_USAGE,
			    "a log-dirty bitmap of %" PRIu64 " pfns for a domain of %" PRIu64, nr,
			    gw_memory_nr_pfns(m));
	} else {
		nr = GW_MIN(nr, m->max_pfns);
		gw_bitmap_or(bitmap, m->dirty, nr);
		*dirty = gw_bitmap_count(m->dirty, nr);
		memset(m->dirty, 0, GW_BITMAP_WORDS(m->max_pfns) * sizeof(*m->dirty));
	}
	gw_memory_unlock(m);
	return r;
}

int gw_memory_logdirty_peek(struct gw_domain *d, uint64_t *dirty, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	int r = 0;

	gw_memory_lock(m);
	if (m->dirty)
		*dirty = gw_bitmap_count(m->dirty, m->max_pfns);
	else
		r = gw_fail(err, GW_USAGE, "log-dirty is not on");
	gw_memory_unlock(m);
	return r;
}

void gw_memory_logdirty_stop(struct gw_domain *d)
{
	struct gw_memory_domain *m = gw_memory_of(d);

	gw_memory_lock(m);
	free(m->dirty);
	m->dirty = NULL;
	gw_memory_unlock(m);
}
