/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The simulated Xen (fake_xen.h): pages, mappings, log-dirty, the M2P.
 */
#include "lib/gwtest.h"

#include <errno.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xenguest.h>

#include "base/bitmap.h"
#include "base/util.h"
#include "fake_xen.h"
#include "hypervisor/domain.h"
#include "hypervisor/memory/memory.h"

static int failed_with(int errnum)
{
	errno = errnum;
	return -1;
}

/* A new page has what its last owner left in it, and is not logged as written. */
static bool give_page(struct fake_domain *f, uint64_t pfn, uint64_t *gfn)
{
	if (gw_domain_populate(f->memory, 1, &pfn, gfn, NULL) < 0)
		return false;
	memset(gw_memory_page(f->memory, pfn), 0xa5, GW_PAGE_SIZE);
	if (f->logging)
		gw_bitmap_set(f->hidden, pfn);
	return true;
}

void fake_populate(struct fake_domain *f, uint64_t first, size_t n)
{
	uint64_t gfn;

	for (size_t i = 0; i < n; i++)
		assert_true(give_page(f, first + i, &gfn));
}

int fake_get_types(struct fake_domain *f, struct xen_domctl_getpageframeinfo3 *op)
{
	uint64_t *array = op->array.p;
	uint8_t type;

	fake.type_calls++;
	fake.types_asked += op->num;
	if (op->num > 1024)
		return failed_with(E2BIG);
	if (!fake_is_buffer(array, op->num * sizeof(*array)))
		return failed_with(EFAULT);
	for (uint64_t i = 0; i < op->num; i++) {
		assert_int_equal(gw_domain_page_types(f->memory, 1, &array[i], &type, NULL), 0);
		array[i] = (uint64_t)type << XEN_DOMCTL_PFINFO_LTAB_SHIFT;
	}
	return 0;
}

/* Takes what was written out of memory's log: all of it, whatever is asked for. */
static uint64_t *take_log(struct fake_domain *f, uint64_t *words)
{
	uint64_t all, dirty;

	assert_int_equal(gw_domain_nr_pfns(f->memory, &all, NULL), 0);
	uint64_t *log = gw_bitmap_new(all);

	assert_int_equal(gw_domain_logdirty_fetch_and_clear(f->memory, log, all, &dirty, NULL), 0);
	*words = GW_BITMAP_WORDS(all);
	for (uint64_t w = 0; w < *words; w++) {
		log[w] &= ~f->hidden[w];
		f->hidden[w] = 0;
	}
	return log;
}

static int clean(struct fake_domain *f, struct xen_domctl_shadow_op *op)
{
	uint64_t words, most = fake.clean_most ? fake.clean_most : op->pages;

	if (fake.before_clean)
		fake.before_clean();
	if (!fake_is_buffer(op->dirty_bitmap.p, op->pages / 8))
		return failed_with(EFAULT);
	uint64_t *log = take_log(f, &words), *to = (uint64_t *)(void *)op->dirty_bitmap.p;

	op->pages = GW_MIN(op->pages, most);
	for (uint64_t w = 0; w < op->pages / 64; w++)
		to[w] = w < words ? log[w] : 0;
	op->stats.dirty_count = (uint32_t)gw_bitmap_count(log, words * 64);
	free(log);
	return 0;
}

int fake_shadow_op(struct fake_domain *f, struct xen_domctl_shadow_op *op)
{
	uint64_t dirty;

	switch (op->op) {
	case XEN_DOMCTL_SHADOW_OP_OFF:
		gw_domain_logdirty_stop(f->memory);
		f->logging = false;
		return 0;
	case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
		if (f->memory->pv && fake.no_shadow)
			return failed_with(EOPNOTSUPP);
		if (f->logging)
			return failed_with(EINVAL);
		f->logging = true;
		return gw_domain_logdirty_start(f->memory, NULL);
	case XEN_DOMCTL_SHADOW_OP_CLEAN:
		return f->logging ? clean(f, op) : failed_with(EINVAL);
	case XEN_DOMCTL_SHADOW_OP_PEEK:
		if (!f->logging)
			return failed_with(EINVAL);
		assert_int_equal(gw_domain_logdirty_peek(f->memory, &dirty, NULL), 0);
		op->stats.dirty_count = (uint32_t)dirty;
		return 0;
	default:
		return failed_with(ENOSYS);
	}
}

/* All 512 pages, or none of them. */
static bool give_superpage(struct fake_domain *f, uint64_t first)
{
	struct gw_domain_info info;
	uint64_t gfn;

	gw_domain_info(f->memory, &info, NULL);
	assert_int_equal(first % 512, 0);
	if (fake.no_superpages)
		return false;
	for (unsigned i = 0; i < 512; i++)
		if (!give_page(f, first + i, &gfn)) {
			uint64_t gfns[512];

			for (unsigned j = 0; j < i; j++)
				gfns[j] = first + j;
			assert_int_equal(gw_memory_depopulate(f->memory, i, gfns, NULL), 0);
			return false;
		}
	fake.superpages++;
	return true;
}

/* How many were given; it stops at the first that cannot be, and that is no error. */
int xc_domain_populate_physmap(xc_interface *xch, uint32_t domid, unsigned long nr_extents,
			       unsigned int extent_order, unsigned int mem_flags,
			       xen_pfn_t *extent_start)
{
	struct fake_domain *f = fake_find(domid);
	unsigned long done = 0;

	if (!f)
		return failed_with(ESRCH);
	for (; done < nr_extents; done++) {
		uint64_t gfn;
		bool given = extent_order == 9 ? give_superpage(f, extent_start[done])
					       : give_page(f, extent_start[done], &gfn);

		if (!given)
			break;
		if (f->memory->pv)
			extent_start[done] = gfn;
	}
	return (int)done;
}

/* A mapping of several pages that are not neighbours is a copy, written back when it ends. */
struct view {
	struct view *next;
	void *base;
	size_t pages;
	uint8_t **from; /* NULL: a hole */
	bool writable;
};
static struct view *views;

static uint8_t *page_at(struct fake_domain *f, uint64_t gfn, bool writable)
{
	struct gw_mapping mapping;
	void *page, *shared;
	uint8_t result;
	uint64_t mfn;

	if (f->memory->pv && gw_domain_shared_info(f->memory, &shared, &mfn, NULL) == 0 &&
	    mfn == gfn)
		return shared;
	assert_int_equal(
		gw_domain_map_each(f->memory, 1, &gfn, writable, &page, &result, &mapping, NULL),
		0);
	gw_domain_unmap(f->memory, &mapping);
	return page;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom, int prot, size_t pages,
			   const xen_pfn_t arr[], int err[])
{
	struct fake_domain *f = fake_find(dom);
	struct view *v = calloc(1, sizeof(*v));
	bool neighbours = true;

	assert_non_null(err);
	assert_non_null(f);
	fake.mappings++;
	v->pages = pages;
	v->writable = prot & 2;
	v->from = calloc(pages, sizeof(*v->from));
	for (size_t i = 0; i < pages; i++) {
		v->from[i] = page_at(f, arr[i], v->writable);
		err[i] = v->from[i] ? 0 : -EINVAL;
		neighbours &= v->from[i] && v->from[i] == v->from[0] + i * GW_PAGE_SIZE;
	}
	if (neighbours) {
		v->base = v->from[0];
		v->writable = false;
		free(v->from);
		v->from = NULL;
	} else {
		v->base = aligned_alloc(GW_PAGE_SIZE, pages * GW_PAGE_SIZE);
		for (size_t i = 0; i < pages; i++) {
			uint8_t *to = (uint8_t *)v->base + i * GW_PAGE_SIZE;

			if (v->from[i])
				memcpy(to, v->from[i], GW_PAGE_SIZE);
			else
				memset(to, 0xdd, GW_PAGE_SIZE);
		}
	}
	v->next = views;
	views = v;
	return v->base;
}

static void end_view(struct view *v)
{
	for (size_t i = 0; v->from && v->writable && i < v->pages; i++)
		if (v->from[i])
			memcpy(v->from[i], (uint8_t *)v->base + i * GW_PAGE_SIZE, GW_PAGE_SIZE);
	if (v->from)
		free(v->base);
	free(v->from);
	free(v);
	fake.mappings--;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr, size_t pages)
{
	for (struct view **v = &views; *v; v = &(*v)->next) {
		struct view *found = *v;

		if (found->base != addr || found->pages != pages)
			continue;
		*v = found->next;
		end_view(found);
		return 0;
	}
	fail_msg("a mapping of %zu pages is ended that does not exist", pages);
	return -1;
}

/* The memory backend has an M2P for each domain; there is one PV domain at a time. */
static struct fake_domain *pv_domain(void)
{
	for (unsigned i = 0; i < FAKE_DOMAINS; i++)
		if (fake.domains[i].memory && fake.domains[i].memory->pv)
			return &fake.domains[i];
	fail_msg("there is no PV domain");
	return NULL;
}

int xc_maximum_ram_page(xc_interface *xch, unsigned long *max_mfn)
{
	const uint64_t *m2p;
	uint64_t max;

	assert_int_equal(gw_domain_m2p(pv_domain()->memory, &m2p, &max, NULL), 0);
	*max_mfn = max + 1;
	return 0;
}

xen_pfn_t *xc_map_m2p(xc_interface *xch, unsigned long max_mfn, int prot, unsigned long *mfn0)
{
	const uint64_t *m2p;
	uint64_t max;
	struct view *v = calloc(1, sizeof(*v));

	assert_int_equal(gw_domain_m2p(pv_domain()->memory, &m2p, &max, NULL), 0);
	v->base = (void *)(uintptr_t)m2p;
	v->pages = GW_ROUND_UP(max_mfn * sizeof(*m2p), (size_t)2 << 20) / GW_PAGE_SIZE;
	v->next = views;
	views = v;
	fake.mappings++;
	return v->base;
}
