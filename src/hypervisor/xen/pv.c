/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A PV domain of Xen's: its width, the machine's M2P, shared info, pinning. vCPUs are in vcpu.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/util.h"
#include "hypervisor/xen/domain.h"

#define PIN_BATCH 1024u
#define M2P_CHUNK (UINT64_C(2) << 20) /* Xen shows its M2P in pieces of so many bytes */

static int set_width(struct gw_domain *d, unsigned width, struct gw_error *err)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_set_address_size,
		.domain = (domid_t)d->domid,
		.u.address_size.size = width * 8,
	};

	if (width != 4 && width != 8)
		return gw_fail(err, GW_UNSUPPORTED, "a PV guest of width %u: expected 4 or 8",
			       width);
	if (xc_domctl(gw_xen_xch(d), &op) == 0)
		return 0;
	if (errno == EOPNOTSUPP)
		return gw_fail(err, GW_UNSUPPORTED,
			       "domain %u: this Xen runs no PV guests of %u bits", d->domid,
			       width * 8);
	return gw_xen_fail(err, "domain %u: making it a guest of %u bits", d->domid, width * 8);
}

static int map_m2p(struct gw_xen_domain *x, struct gw_error *err)
{
	struct gw_xen_pv *pv = &x->pv;
	unsigned long nr_mfns = 0;

	if (xc_maximum_ram_page(x->host->xch, &nr_mfns) < 0 || nr_mfns < 2)
		return gw_xen_fail(err, "the machine's highest frame");
	pv->m2p = xc_map_m2p(x->host->xch, nr_mfns, PROT_READ, NULL);
	if (!pv->m2p)
		return gw_xen_fail(err, "mapping the machine-to-physical table of %lu frames",
				   nr_mfns);
	/* Xen names one past the last frame, and that many entries are mapped. */
	pv->max_mfn = nr_mfns - 1;
	pv->m2p_pages = GW_ROUND_UP((uint64_t)nr_mfns * sizeof(*pv->m2p), M2P_CHUNK) / GW_PAGE_SIZE;
	return 0;
}

static int m2p(struct gw_domain *d, const uint64_t **table, uint64_t *max_mfn, struct gw_error *err)
{
	struct gw_xen_domain *x = gw_xen_of(d);

	if (!x->pv.m2p && map_m2p(x, err) < 0)
		return -1;
	*table = x->pv.m2p;
	*max_mfn = x->pv.max_mfn;
	return 0;
}

/* A list of one frame, asked with both its parts in memory that the hypercall may use. */
static int compat_m2p_mfn0(struct gw_domain *d, uint64_t *mfn, struct gw_error *err)
{
	struct gw_xen_host *h = gw_xen_of(d)->host;
	struct {
		xen_machphys_mfn_list_t list;
		xen_pfn_t first;
	} *ask = gw_xen_buffer_alloc(h, sizeof(*ask), err);
	int r;

	if (!ask)
		return -1;
	ask->list.max_extents = 1;
	set_xen_guest_handle_raw(ask->list.extent_start, &ask->first);
	r = xencall2(h->xcall, __HYPERVISOR_memory_op, XENMEM_machphys_compat_mfn_list,
		     (uint64_t)(uintptr_t)&ask->list);
	*mfn = ask->first;
	if (r < 0 && errno == EOPNOTSUPP)
		gw_fail(err, GW_UNSUPPORTED, "this Xen has no M2P for 32-bit PV guests");
	else if (r < 0)
		gw_xen_fail(err, "the M2P for 32-bit PV guests");
	gw_xen_buffer_free(h, ask, sizeof(*ask));
	return r < 0 ? -1 : 0;
}

static int map_shared_info(struct gw_xen_domain *x, struct gw_error *err)
{
	xc_domaininfo_t info;
	xen_pfn_t frame;
	int failed = 0;

	if (gw_xen_getinfo(x->host, x->base.domid, &info, err) < 0)
		return -1;
	frame = info.shared_info_frame;
	void *page = xenforeignmemory_map(x->host->fmem, x->base.domid, PROT_READ | PROT_WRITE, 1,
					  &frame, &failed);

	if (page && failed) {
		xenforeignmemory_unmap(x->host->fmem, page, 1);
		errno = -failed;
	}
	if (!page || failed)
		return gw_xen_fail(err, "domain %u: mapping its shared info, mfn 0x%" PRIx64,
				   x->base.domid, (uint64_t)frame);
	x->pv.shared = page;
	x->pv.shared_mfn = frame;
	return 0;
}

static int shared_info(struct gw_domain *d, void **page, uint64_t *mfn, struct gw_error *err)
{
	struct gw_xen_domain *x = gw_xen_of(d);

	if (!x->pv.shared && map_shared_info(x, err) < 0)
		return -1;
	*page = x->pv.shared;
	*mfn = x->pv.shared_mfn;
	return 0;
}

static int vcpu_online(struct gw_domain *d, uint32_t vcpu, bool *online, struct gw_error *err)
{
	xc_vcpuinfo_t info = {0};

	if (xc_vcpu_getinfo(gw_xen_xch(d), d->domid, vcpu, &info) < 0)
		return gw_xen_fail(err, "domain %u: vCPU %u", d->domid, vcpu);
	*online = info.online;
	return 0;
}

static int pin_batch(struct gw_domain *d, size_t n, const uint64_t *mfns, const uint8_t *types,
		     struct gw_error *err)
{
	static const unsigned commands[] = {MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,
					    MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE};
	GW_FREE_ON_EXIT struct mmuext_op *ops = calloc(n, sizeof(*ops));

	if (!ops)
		return gw_fail_errno(err, "pinning %zu page tables", n);
	for (size_t i = 0; i < n; i++) {
		unsigned level = gw_page_table_level(types[i]);

		if (level == 0 || !(types[i] & GW_PAGE_PINNED))
			return gw_fail(err, GW_USAGE, "pinning mfn 0x%" PRIx64 " as type 0x%x",
				       mfns[i], types[i]);
		ops[i].cmd = commands[level - 1];
		ops[i].arg1.mfn = mfns[i];
	}
	if (xc_mmuext_op(gw_xen_xch(d), ops, (unsigned)n, d->domid) < 0)
		return gw_xen_fail(
			err, "domain %u: pinning %zu page tables, the first L%u at mfn 0x%" PRIx64,
			d->domid, n, gw_page_table_level(types[0]), mfns[0]);
	return 0;
}

static int pin(struct gw_domain *d, size_t n, const uint64_t *mfns, const uint8_t *types,
	       struct gw_error *err)
{
	for (size_t i = 0; i < n; i += PIN_BATCH)
		if (pin_batch(d, GW_MIN(n - i, (size_t)PIN_BATCH), mfns + i, types + i, err) < 0)
			return -1;
	return 0;
}

void gw_xen_pv_free(struct gw_xen_domain *x)
{
	if (x->pv.m2p)
		xenforeignmemory_unmap(x->host->fmem, x->pv.m2p, x->pv.m2p_pages);
	if (x->pv.shared)
		xenforeignmemory_unmap(x->host->fmem, x->pv.shared, 1);
}

const struct gw_x86_pv_ops gw_xen_pv_ops = {
	.head = GW_TABLE_HEAD(struct gw_x86_pv_ops),
	.get_width = gw_xen_get_width,
	.set_width = set_width,
	.m2p = m2p,
	.compat_m2p_mfn0 = compat_m2p_mfn0,
	.shared_info = shared_info,
	.vcpu_online = vcpu_online,
	.get_vcpu = gw_xen_get_vcpu,
	.set_vcpu = gw_xen_set_vcpu,
	.pin = pin,
};
