/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The frames of a domain held in memory: which it has, where they are, which were written.
 * Where mfns come from is in memory_mfn.c, what makes a page table in memory_tables.c.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/memory/domain.h"

void *gw_memory_reserve(uint64_t bytes, struct gw_error *err)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p != MAP_FAILED)
		return p;
	gw_fail_errno(err, "reserving %" PRIu64 " bytes of address space for a domain", bytes);
	return NULL;
}

void gw_memory_release(void *p, uint64_t bytes)
{
	if (p)
		munmap(p, bytes);
}

int gw_memory_frames_init(struct gw_memory_domain *m, struct gw_error *err)
{
	struct gw_memory_frames *f = &m->frames;

	f->nr = gw_memory_is_pv(m) ? gw_memory_mfn_frames(m->max_pfns) : m->max_pfns;
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

uint64_t gw_memory_pfn_to_gfn(struct gw_memory_domain *m, uint64_t pfn)
{
	if (pfn >= m->max_pfns)
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

static int log_mapping(struct gw_memory_domain *m, size_t n, const uint64_t *gfns,
		       struct gw_error *err)
{
	for (size_t i = 0; i < n; i++) {
		/* As in Xen: whoever could write to a table in use could give the guest any page.
		 */
		if (gw_memory_is_pv(m) && m->pv.refs[gfns[i]])
			return gw_fail(err, GW_USAGE,
				       "mfn %#" PRIx64
				       " is a page table in use and cannot be mapped for writing",
				       gfns[i]);
		gw_memory_log_gfn(m, gfns[i]);
	}
	return 0;
}

int gw_memory_map(struct gw_domain *d, size_t n, const uint64_t *gfns, bool writable, void **pages,
		  struct gw_mapping *mapping, struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	struct writable *w = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!(gw_memory_state(m, gfns[i]) & GW_MEMORY_HELD))
			return gw_fail(err, GW_USAGE, "mapping frame %#" PRIx64 ": it has no page",
				       gfns[i]);
		pages[i] = gw_memory_frame(m, gfns[i]);
	}
	if (writable) {
		w = malloc(sizeof(*w) + n * sizeof(w->gfns[0]));
		if (!w)
			return gw_fail_errno(err, "mapping %zu frames", n);
		w->n = n;
		memcpy(w->gfns, gfns, n * sizeof(w->gfns[0]));
		gw_memory_lock(m);
		int r = log_mapping(m, n, gfns, err);
		gw_memory_unlock(m);
		if (r < 0) {
			free(w);
			return -1;
		}
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

static int check_populate(struct gw_memory_domain *m, size_t n, const uint64_t *pfns,
			  struct gw_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (pfns[i] >= m->max_pfns)
			return gw_fail(err, GW_INVALID,
				       "pfn %#" PRIx64 " is beyond the domain's last, %#" PRIx64,
				       pfns[i], m->max_pfns - 1);
		if (gw_memory_pfn_to_gfn(m, pfns[i]) != GW_INVALID_PFN)
			return gw_fail(err, GW_USAGE, "pfn %#" PRIx64 " has a page already",
				       pfns[i]);
	}
	if (n > m->max_pages - m->frames.populated)
		return gw_fail(err, GW_INVALID,
			       "%zu pages more than the domain's %" PRIu64 " (it has %" PRIu64 ")",
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

		m->pv.m2p[gfn] = GW_INVALID_PFN;
		if (pfn < m->max_pfns)
			m->pv.p2m[pfn] = 0;
	}
	m->frames.populated--;
	atomic_fetch_sub(&m->host->used, 1);
}

int gw_memory_populate(struct gw_domain *d, size_t n, const uint64_t *pfns, uint64_t *gfns,
		       struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);
	int r = 0;

	gw_memory_lock(m);
	if (check_populate(m, n, pfns, err) < 0) {
		gw_memory_unlock(m);
		return -1;
	}
	size_t done = 0;

	for (; done < n; done++) {
		/* The second of two equal pfns; the check above saw neither. */
		if (gw_memory_pfn_to_gfn(m, pfns[done]) != GW_INVALID_PFN) {
			r = gw_fail(err, GW_USAGE, "pfn %#" PRIx64 " is to be populated twice",
				    pfns[done]);
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
	gw_memory_unlock(m);
	return r;
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
		else if (gw_memory_is_pv(m) && m->pv.refs[gfns[i]])
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
	uint64_t *map = gw_bitmap_new(m->max_pfns);

	if (!map)
		return gw_fail(err, GW_NO_MEMORY, "a log-dirty bitmap of %" PRIu64 " pages",
			       m->max_pfns);
	gw_memory_lock(m);
	free(m->dirty);
	m->dirty = map;
	gw_memory_unlock(m);
	return 0;
}

int gw_memory_logdirty_clean(struct gw_domain *d, uint64_t *bitmap, uint64_t nbits, uint64_t *dirty,
			     struct gw_error *err)
{
	struct gw_memory_domain *m = gw_memory_of(d);

	gw_memory_lock(m);
	if (!m->dirty) {
		gw_memory_unlock(m);
		return gw_fail(err, GW_USAGE, "log-dirty is not on");
	}
	uint64_t n = GW_MIN(nbits, m->max_pfns);

	gw_bitmap_or(bitmap, m->dirty, n);
	*dirty = gw_bitmap_count(m->dirty, n);
	memset(m->dirty, 0, GW_BITMAP_WORDS(m->max_pfns) * sizeof(*m->dirty));
	gw_memory_unlock(m);
	return 0;
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
