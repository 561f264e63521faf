/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The simulated Xen (fake_xen.h): handles, domains, memory, log-dirty.
 */
#include "lib/gwtest.h"

#include <errno.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xenguest.h>

#include "base/bitmap.h"
#include "base/util.h"
#include "fake_xen.h"
#include "format/x86/pv_layout.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/memory/memory.h"

struct fake_xen fake;

/* Memory that xencall_alloc_buffer_pages gave. */
#define BUFFERS_MAX 64
static struct {
	uint8_t *at;
	size_t bytes;
} buffers[BUFFERS_MAX];

static int failed_with(int errnum)
{
	errno = errnum;
	return -1;
}

void fake_start(void)
{
	fake = (struct fake_xen){.host = gw_host_open("memory:?seed=7", NULL)};
	assert_non_null(fake.host);
}

void fake_stop(void)
{
	for (unsigned i = 0; i < FAKE_DOMAINS; i++) {
		struct fake_domain *f = &fake.domains[i];

		if (f->memory)
			gw_control_destroy(f->memory->control);
		free(f->hidden);
	}
	gw_host_close(fake.host);
	assert_int_equal(fake.buffers, 0);
	assert_int_equal(fake.mappings, 0);
	assert_int_equal(fake.handles, 0);
}

struct fake_domain *fake_add(uint32_t domid, enum gw_guest_type type, uint64_t max_pages,
			     unsigned pv_width)
{
	struct gw_domain_config config = {
		.type = type, .max_pages = max_pages, .vcpus = 2, .pv_width = pv_width};

	for (unsigned i = 0; i < FAKE_DOMAINS; i++) {
		struct fake_domain *f = &fake.domains[i];

		if (f->memory)
			continue;
		*f = (struct fake_domain){.domid = domid};
		f->memory = gw_host_create(fake.host, &config, NULL);
		f->hidden = gw_bitmap_new(max_pages + 0x100000);
		assert_non_null(f->memory);
		return f;
	}
	fail_msg("more domains than the simulated Xen holds");
	return NULL;
}

struct fake_domain *fake_find(uint32_t domid)
{
	for (unsigned i = 0; i < FAKE_DOMAINS; i++)
		if (fake.domains[i].memory && fake.domains[i].domid == domid)
			return &fake.domains[i];
	return NULL;
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

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger,
				unsigned open_flags)
{
	if (fake.open_errno) {
		errno = fake.open_errno;
		return NULL;
	}
	fake.handles++;
	return (xc_interface *)&fake;
}

int xc_interface_close(xc_interface *xch)
{
	fake.handles--;
	return 0;
}

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger,
					       unsigned open_flags)
{
	fake.handles++;
	return (xenforeignmemory_handle *)&fake;
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
	fake.handles--;
	return 0;
}

xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned open_flags)
{
	fake.handles++;
	return (xencall_handle *)&fake;
}

int xencall_close(xencall_handle *xcall)
{
	fake.handles--;
	return 0;
}

void *xencall_alloc_buffer_pages(xencall_handle *xcall, size_t nr_pages)
{
	for (unsigned i = 0; i < BUFFERS_MAX; i++) {
		if (buffers[i].at)
			continue;
		buffers[i].bytes = nr_pages * GW_PAGE_SIZE;
		buffers[i].at = aligned_alloc(GW_PAGE_SIZE, buffers[i].bytes);
		assert_non_null(buffers[i].at);
		memset(buffers[i].at, 0xee, buffers[i].bytes);
		fake.buffers++;
		return buffers[i].at;
	}
	errno = ENOMEM;
	return NULL;
}

void xencall_free_buffer_pages(xencall_handle *xcall, void *p, size_t nr_pages)
{
	for (unsigned i = 0; i < BUFFERS_MAX; i++) {
		if (buffers[i].at != p)
			continue;
		assert_int_equal(buffers[i].bytes, nr_pages * GW_PAGE_SIZE);
		free(p);
		buffers[i].at = NULL;
		fake.buffers--;
		return;
	}
	fail_msg("a hypercall buffer is freed that was not allocated");
}

bool fake_is_buffer(const void *p, size_t bytes)
{
	const uint8_t *at = p;

	for (unsigned i = 0; i < BUFFERS_MAX; i++)
		if (buffers[i].at && at >= buffers[i].at &&
		    at + bytes <= buffers[i].at + buffers[i].bytes)
			return true;
	return false;
}

/* The M2P for 32-bit guests, in a list of one frame. */
int xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1, uint64_t arg2)
{
	xen_machphys_mfn_list_t *list = (xen_machphys_mfn_list_t *)(uintptr_t)arg2;

	assert_int_equal(op, __HYPERVISOR_memory_op);
	assert_int_equal(arg1, XENMEM_machphys_compat_mfn_list);
	if (!fake_is_buffer(list, sizeof(*list)) ||
	    !fake_is_buffer(list->extent_start.p, sizeof(xen_pfn_t)))
		return failed_with(EFAULT);
	if (fake.no_pv32)
		return failed_with(EOPNOTSUPP);
	for (unsigned i = 0; i < FAKE_DOMAINS; i++)
		if (fake.domains[i].memory && fake.domains[i].memory->pv)
			return gw_domain_compat_m2p_mfn0(fake.domains[i].memory,
							 list->extent_start.p, NULL);
	return failed_with(EINVAL);
}

/* One past the highest pfn with a page; a PV guest says it itself. */
static uint64_t nr_gpfns(struct fake_domain *f)
{
	struct gw_pfn_range *ranges;
	uint64_t nr = 1, mfn;
	size_t n;

	if (f->memory->pv) {
		unsigned width;
		void *page;

		assert_int_equal(gw_domain_get_width(f->memory, &width, NULL), 0);
		assert_int_equal(gw_domain_shared_info(f->memory, &page, &mfn, NULL), 0);
		const struct gw_pv_layout *l = gw_pv_layout(width);

		nr = gw_pv_get_word(l, (uint8_t *)page + l->shared_arch + l->arch_max_pfn);
		return GW_MAX(nr, UINT64_C(1));
	}
	assert_int_equal(gw_domain_ranges(f->memory, &ranges, &n, NULL), 0);
	if (n)
		nr = ranges[n - 1].first + ranges[n - 1].count;
	free(ranges);
	return nr;
}

static int get_info(uint32_t domid, struct xen_domctl_getdomaininfo *out)
{
	struct gw_domain_info info;
	struct fake_domain *f = NULL;

	/* The first one at or after this number. */
	for (unsigned i = 0; i < FAKE_DOMAINS; i++) {
		struct fake_domain *other = &fake.domains[i];

		if (other->memory && other->domid >= domid && (!f || other->domid < f->domid))
			f = other;
	}
	if (!f)
		return failed_with(ESRCH);
	assert_int_equal(gw_domain_info(f->memory, &info, NULL), 0);
	*out = (struct xen_domctl_getdomaininfo){
		.domain = (domid_t)f->domid,
		.tot_pages = info.nr_pages - f->shared,
		.shr_pages = f->shared,
		.max_pages = 1u << 20,
		.max_vcpu_id = info.max_vcpu_id,
		.shared_info_frame = ~UINT64_C(0),
		.flags = (info.paused ? XEN_DOMINF_paused : 0) | (f->dying ? XEN_DOMINF_dying : 0),
	};
	if (info.shutdown != GW_SHUTDOWN_NONE || f->reason)
		out->flags |= XEN_DOMINF_shutdown | (f->reason ?: (unsigned)info.shutdown)
							    << XEN_DOMINF_shutdownshift;
	if (f->memory->hvm)
		out->flags |= XEN_DOMINF_hvm_guest;
	else
		gw_domain_shared_info(f->memory, &(void *){NULL}, &out->shared_info_frame, NULL);
	return 0;
}

static int get_types(struct fake_domain *f, struct xen_domctl_getpageframeinfo3 *op)
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

static int shadow_op(struct fake_domain *f, struct xen_domctl_shadow_op *op)
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

int xc_domctl(xc_interface *xch, struct xen_domctl *op)
{
	struct fake_domain *f = fake_find(op->domain);
	int r;

	if (op->cmd == XEN_DOMCTL_getdomaininfo)
		return get_info(op->domain, &op->u.getdomaininfo);
	if (!f)
		return failed_with(ESRCH);
	if (op->cmd == XEN_DOMCTL_getpageframeinfo3)
		return get_types(f, &op->u.getpageframeinfo3);
	if (op->cmd == XEN_DOMCTL_shadow_op)
		return shadow_op(f, &op->u.shadow_op);
	r = fake_state_domctl(f, op);
	return r > 0 ? failed_with(ENOSYS) : r;
}

int xc_domain_nr_gpfns(xc_interface *xch, uint32_t domid, xen_pfn_t *gpfns)
{
	struct fake_domain *f = fake_find(domid);

	if (!f)
		return failed_with(ESRCH);
	*gpfns = nr_gpfns(f);
	return 0;
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

int xc_dom_gnttab_seed(xc_interface *xch, uint32_t guest_domid, bool is_hvm, xen_pfn_t console_gfn,
		       xen_pfn_t xenstore_gfn, uint32_t console_domid, uint32_t xenstore_domid)
{
	struct fake_domain *f = fake_find(guest_domid);

	if (!f)
		return failed_with(ESRCH);
	f->seeded_hvm = is_hvm;
	f->seeded_console = console_gfn;
	f->seeded_store = xenstore_gfn;
	f->seeded_console_domid = console_domid;
	f->seeded_store_domid = xenstore_domid;
	return 0;
}

int xc_physinfo(xc_interface *xch, xc_physinfo_t *info)
{
	*info = (xc_physinfo_t){
		.total_pages = 0x40000,
		.free_pages = 0x30000,
		.capabilities = XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_pv,
	};
	return 0;
}
