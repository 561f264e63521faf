/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The simulated Xen (fake_xen.h): handles, hypercall buffers, domains.
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

int xc_domctl(xc_interface *xch, struct xen_domctl *op)
{
	struct fake_domain *f = fake_find(op->domain);
	int r;

	if (op->cmd == XEN_DOMCTL_getdomaininfo)
		return get_info(op->domain, &op->u.getdomaininfo);
	if (!f)
		return failed_with(ESRCH);
	if (op->cmd == XEN_DOMCTL_getpageframeinfo3)
		return fake_get_types(f, &op->u.getpageframeinfo3);
	if (op->cmd == XEN_DOMCTL_shadow_op)
		return fake_shadow_op(f, &op->u.shadow_op);
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
