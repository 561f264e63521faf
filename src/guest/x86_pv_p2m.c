/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The P2M that a PV guest keeps in its own memory, in either of its two shapes: a tree of frame
 * lists, or a range of the guest's virtual addresses. All of it is the guest's word: each mfn is
 * checked before it is used.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "guest/x86_pv.h"
#include "hypervisor/domain.h"

/* Frame lists of three levels reach no further, nor do the u32s of X86_PV_P2M_FRAMES. */
#define NR_PFNS_MAX (UINT64_C(1) << 32)

/* The P2M's pages, while they are collected. */
struct finder {
	const struct gw_pv_p2m *p2m;
	uint64_t nr_pfns;
	uint64_t *mfns; /* of its pages */
	size_t nr;
};

static uint64_t arch_word(const struct gw_pv_p2m *p2m, uint32_t field)
{
	const struct gw_pv_layout *l = p2m->layout;

	return gw_pv_get_word(l, p2m->shared_info + l->shared_arch + field);
}

static int check_mfn(const struct gw_pv_p2m *p2m, uint64_t mfn, const char *what, size_t i,
		     struct gw_error *err)
{
	if (mfn != 0 && mfn <= p2m->max_mfn)
		return 0;
	return gw_fail(err, GW_GUEST,
		       "the guest's %s %zu is mfn 0x%" PRIx64 ", expected 1 to 0x%" PRIx64, what, i,
		       mfn, p2m->max_mfn);
}

/* Copies the first n words of a list that is spread over pages, each checked as an mfn. NULL with
 * err. */
static uint64_t *read_list(const struct gw_pv_p2m *p2m, const uint64_t *mfns, size_t nr_pages,
			   size_t n, const char *what, struct gw_error *err)
{
	const struct gw_pv_layout *l = p2m->layout;
	GW_FREE_ON_EXIT void **pages = calloc(nr_pages, sizeof(*pages));
	GW_FREE_ON_EXIT uint64_t *list = calloc(n, sizeof(*list));
	struct gw_mapping mapping;
	int r = 0;

	if (!pages || !list) {
		gw_fail_errno(err, "the guest's P2M");
		return NULL;
	}
	if (gw_domain_map(p2m->domain, nr_pages, mfns, false, pages, &mapping, err) < 0) {
		gw_fail_in(err, "the pages with the guest's %s list", what);
		return NULL;
	}
	for (size_t i = 0; i < n && r == 0; i++) {
		list[i] = gw_pv_get_word(l, gw_pv_word_at(l, pages[i / l->fpp], i % l->fpp));
		r = check_mfn(p2m, list[i], what, i, err);
	}
	gw_domain_unmap(p2m->domain, &mapping);
	return r == 0 ? GW_STEAL(list) : NULL;
}

static size_t pages_for(uint64_t n, unsigned per_page)
{
	return (size_t)((n + per_page - 1) / per_page);
}

/*
 * A guest fills the rest of an upper list with one page of holes; entries from the first of those
 * on do not count. Returns the number of entries that count.
 */
static size_t trim(const uint64_t *list, size_t n)
{
	while (n > 1 && list[n - 1] == list[n - 2])
		n--;
	return n;
}

static int find_tree(struct finder *f, struct gw_error *err)
{
	const struct gw_pv_p2m *p2m = f->p2m;
	uint64_t fpp = p2m->layout->fpp;
	uint64_t top = arch_word(p2m, p2m->layout->arch_fll);
	size_t nr_mid = pages_for(pages_for(f->nr_pfns, (unsigned)fpp), (unsigned)fpp);

	if (top == 0 || top > p2m->max_mfn)
		return gw_fail(err, GW_GUEST,
			       "the guest has not set the frame list of its P2M (mfn 0x%" PRIx64
			       " of 0x%" PRIx64 "): it has not run since it was built or restored",
			       top, p2m->max_mfn);
	if (nr_mid > fpp)
		return gw_fail(err, GW_GUEST,
			       "%" PRIu64 " pfns exceed the capacity of a frame list tree",
			       f->nr_pfns);
	GW_FREE_ON_EXIT uint64_t *mid =
		read_list(p2m, &top, 1, nr_mid, "frame list list entry", err);

	if (!mid)
		return -1;
	size_t trimmed = trim(mid, nr_mid);

	if (trimmed < nr_mid)
		f->nr_pfns = trimmed * fpp * fpp;
	f->nr = pages_for(f->nr_pfns, (unsigned)fpp);
	f->mfns = read_list(p2m, mid, trimmed, f->nr, "frame list entry", err);
	return f->mfns ? 0 : -1;
}

/* Addresses a guest may have its P2M at: canonical, and not Xen's hole. */
static int check_range(const struct gw_pv_layout *l, uint64_t first, uint64_t last,
		       struct gw_error *err)
{
	uint64_t hole = l->width == 8 ? UINT64_C(0xffff800000000000) : UINT64_C(0xf5800000);
	uint64_t hole_end = l->width == 8 ? UINT64_C(0xffff87ffffffffff) : UINT64_C(0xffffffff);
	bool canonical = l->width == 4
				 ? last <= UINT32_MAX
				 : (last < UINT64_C(1) << 47 || first >= hole) && last >= first;

	if (canonical && first % GW_PAGE_SIZE == 0 && (last < hole || first > hole_end))
		return 0;
	return gw_fail(err, GW_GUEST,
		       "the guest has its P2M at 0x%" PRIx64 " to 0x%" PRIx64
		       ", not an address range of a guest",
		       first, last);
}

/* One step of the walk: the entries first..last of a level, from the tables that hold them. */
static uint64_t *walk_level(const struct gw_pv_p2m *p2m, const uint64_t *tables, uint64_t first,
			    uint64_t last, struct gw_error *err)
{
	size_t n = (size_t)(last - first + 1);
	size_t skip = (size_t)(first % GW_PV_PTES);
	size_t nr_tables = (skip + n + GW_PV_PTES - 1) / GW_PV_PTES;
	GW_FREE_ON_EXIT void **pages = calloc(nr_tables, sizeof(*pages));
	GW_FREE_ON_EXIT uint64_t *mfns = calloc(n, sizeof(*mfns));
	struct gw_mapping mapping;
	int r = 0;

	if (!pages || !mfns) {
		gw_fail_errno(err, "the guest's P2M");
		return NULL;
	}
	if (gw_domain_map(p2m->domain, nr_tables, tables, false, pages, &mapping, err) < 0) {
		gw_fail_in(err, "the page tables of the guest's P2M");
		return NULL;
	}
	for (size_t i = 0; i < n && r == 0; i++) {
		uint64_t pte = gw_get_le64(
			gw_pv_pte_at(pages[(skip + i) / GW_PV_PTES], (skip + i) % GW_PV_PTES));

		mfns[i] = (pte & GW_PV_PTE_FRAME) >> GW_PAGE_SHIFT;
		if (!(pte & GW_PV_PTE_PRESENT))
			r = gw_fail(err, GW_GUEST,
				    "the guest's P2M has a hole: page table entry 0x%" PRIx64, pte);
		else
			r = check_mfn(p2m, mfns[i], "P2M page table entry", i, err);
	}
	gw_domain_unmap(p2m->domain, &mapping);
	return r == 0 ? GW_STEAL(mfns) : NULL;
}

static int find_linear(struct finder *f, uint64_t cr3, struct gw_error *err)
{
	const struct gw_pv_p2m *p2m = f->p2m;
	const struct gw_pv_layout *l = p2m->layout;
	uint64_t vaddr = arch_word(p2m, l->arch_p2m_vaddr);
	uint64_t space = (UINT64_C(1) << (12 + 9 * l->levels)) - 1;
	size_t nr = pages_for(f->nr_pfns, l->fpp);
	uint64_t last = vaddr + (uint64_t)nr * GW_PAGE_SIZE - 1;
	GW_FREE_ON_EXIT uint64_t *tables = malloc(sizeof(*tables));

	if (!tables)
		return gw_fail_errno(err, "the guest's P2M");
	tables[0] = gw_pv_cr3_to_frame(l, cr3);
	if (check_mfn(p2m, tables[0], "P2M page table root", 0, err) < 0 ||
	    check_range(l, vaddr, last, err) < 0)
		return -1;
	for (unsigned level = l->levels; level >= 1; level--) {
		unsigned shift = 12 + 9 * (level - 1);
		uint64_t from = (vaddr & space) >> shift, to = (last & space) >> shift;
		uint64_t *next = walk_level(p2m, tables, from, to, err);

		if (!next)
			return -1;
		free(tables);
		tables = next;
		size_t n = (size_t)(to - from + 1), kept = level == 2 ? trim(tables, n) : n;

		if (kept < n) {
			/* The last table that counts describes 512 leaves, from where the range
			 * begins. */
			nr = kept * GW_PV_PTES - (size_t)((vaddr >> 12) % GW_PV_PTES);
			f->nr_pfns = GW_MIN(f->nr_pfns, (uint64_t)nr * l->fpp);
			last = vaddr + (uint64_t)nr * GW_PAGE_SIZE - 1;
		}
	}
	f->mfns = GW_STEAL(tables);
	f->nr = nr;
	return 0;
}

/* Of a linear P2M; 0 of a tree. */
static uint64_t generation(const struct gw_pv_p2m *p2m)
{
	const struct gw_pv_layout *l = p2m->layout;

	return arch_word(p2m, l->arch_p2m_cr3) ? arch_word(p2m, l->arch_p2m_generation) : 0;
}

static int find(struct finder *f, struct gw_error *err)
{
	const struct gw_pv_p2m *p2m = f->p2m;
	uint64_t cr3 = arch_word(p2m, p2m->layout->arch_p2m_cr3), nr_pfns;

	f->nr_pfns = arch_word(p2m, p2m->layout->arch_max_pfn);
	if (gw_domain_nr_pfns(p2m->domain, &nr_pfns, err) < 0)
		return -1;
	/* Memory is allocated in proportion to it. */
	nr_pfns = GW_MIN(nr_pfns, NR_PFNS_MAX);
	if (f->nr_pfns == 0 || f->nr_pfns > nr_pfns)
		return gw_fail(err, GW_GUEST,
			       "the guest gives its size as %" PRIu64
			       " pfns, expected 1 to %" PRIu64,
			       f->nr_pfns, nr_pfns);
	return cr3 ? find_linear(f, cr3, err) : find_tree(f, err);
}

/* Reading the guest's P2M while the guest may write it. */
uint64_t gw_pv_p2m_get(const struct gw_pv_p2m *p2m, uint64_t pfn)
{
	unsigned slot = (unsigned)(pfn % p2m->layout->fpp);
	const void *leaf = p2m->leaves[pfn / p2m->layout->fpp];
	uint64_t mfn;

	if (p2m->layout->width == 8)
		mfn = le64toh(__atomic_load_n((const uint64_t *)leaf + slot, __ATOMIC_RELAXED));
	else
		mfn = le32toh(__atomic_load_n((const uint32_t *)leaf + slot, __ATOMIC_RELAXED));
	return mfn <= p2m->max_mfn ? mfn : GW_INVALID_PFN;
}

uint64_t gw_pv_mfn_to_pfn(const struct gw_pv_p2m *p2m, uint64_t mfn)
{
	if (mfn > p2m->max_mfn)
		return GW_INVALID_PFN;
	uint64_t pfn = __atomic_load_n(&p2m->m2p[mfn], __ATOMIC_RELAXED);

	return pfn < p2m->nr_pfns && gw_pv_p2m_get(p2m, pfn) == mfn ? pfn : GW_INVALID_PFN;
}

int gw_pv_p2m_open(struct gw_pv_p2m *p2m, struct gw_domain *d, struct gw_error *err)
{
	void *shared;
	uint64_t mfn;
	unsigned width;

	*p2m = (struct gw_pv_p2m){.domain = d};
	if (gw_domain_get_width(d, &width, err) < 0 ||
	    gw_domain_m2p(d, &p2m->m2p, &p2m->max_mfn, err) < 0 ||
	    gw_domain_shared_info(d, &shared, &mfn, err) < 0)
		return -1;
	p2m->layout = gw_pv_layout(width);
	if (!p2m->layout)
		return gw_fail(err, GW_UNSUPPORTED, "a PV guest of width %u: expected 4 or 8",
			       width);
	p2m->shared_info = shared;
	p2m->compat_mfn0 = GW_INVALID_PFN;
	if (width == 4 && gw_domain_compat_m2p_mfn0(d, &p2m->compat_mfn0, err) < 0)
		return gw_fail_in(err, "a 32-bit PV guest cannot be saved here");

	struct finder f = {.p2m = p2m};

	p2m->generation = generation(p2m);
	if (find(&f, err) < 0)
		return -1;
	p2m->nr_pfns = f.nr_pfns;
	p2m->leaf_mfns = f.mfns;
	p2m->nr_leaves = f.nr;
	p2m->leaves = calloc(f.nr, sizeof(*p2m->leaves));
	if (!p2m->leaves)
		return gw_fail_errno(err, "the guest's P2M");
	if (gw_domain_map(d, f.nr, f.mfns, false, p2m->leaves, &p2m->mapping, err) < 0)
		return gw_fail_in(err, "the guest's P2M");
	p2m->mapped = true;
	return 0;
}

void gw_pv_p2m_close(struct gw_pv_p2m *p2m)
{
	if (p2m->mapped)
		gw_domain_unmap(p2m->domain, &p2m->mapping);
	free(p2m->leaves);
	free(p2m->leaf_mfns);
	*p2m = (struct gw_pv_p2m){0};
}

/*
 * Xen's toolstack asks only for the generation count, which guests with a tree of frame lists do
 * not keep. Finding the pages again costs little and holds for both shapes; the count shows a
 * change that was taken back.
 */
int gw_pv_p2m_check(struct gw_pv_p2m *p2m, struct gw_error *err)
{
	struct finder f = {.p2m = p2m};
	uint64_t now = generation(p2m);

	if (now != p2m->generation)
		return gw_fail(err, GW_GUEST,
			       "the guest changed its P2M during the save (generation %" PRIu64
			       ", %" PRIu64
			       " at the start): the pages already sent do not match it",
			       now, p2m->generation);
	if (find(&f, err) < 0)
		return gw_fail_in(err, "reading the guest's P2M again");
	bool same = f.nr == p2m->nr_leaves && f.nr_pfns == p2m->nr_pfns &&
		    memcmp(f.mfns, p2m->leaf_mfns, f.nr * sizeof(*f.mfns)) == 0;

	free(f.mfns);
	if (same)
		return 0;
	return gw_fail(
		err, GW_GUEST,
		"the guest changed the layout of its P2M during the save: the pages already sent do not match it");
}
