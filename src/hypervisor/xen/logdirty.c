/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Xen's log-dirty mode of a domain. It reports what the guest and the device model write, not what
 * this process writes through its own mappings.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/xen/domain.h"
#include "hypervisor/xen/ranges.h"

/*
 * A fetch asks for so many pfns more than the domain has. Xen forgets all that it knows, not only
 * what it returns, and a guest can grow between two calls.
 */
#define SLACK UINT64_C(0x8000)

/* As one shadow_op; *pages: in how many pfns the bitmap has room for, out how many it covers. */
static int shadow_op(struct gw_domain *d, unsigned what, uint8_t *bitmap, uint64_t *pages,
		     uint64_t *dirty)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_shadow_op,
		.domain = (domid_t)d->domid,
		.u.shadow_op = {.op = what, .pages = *pages},
	};

	set_xen_guest_handle_raw(op.u.shadow_op.dirty_bitmap, bitmap);
	int r = xc_domctl(gw_xen_xch(d), &op);

	*pages = op.u.shadow_op.pages;
	*dirty = op.u.shadow_op.stats.dirty_count;
	return r;
}

static int simple_op(struct gw_domain *d, unsigned what)
{
	uint64_t pages = 0, dirty;

	return shadow_op(d, what, NULL, &pages, &dirty);
}

/* Something else may have it on, such as the tracking of video memory: then enabling it fails. */
int gw_xen_logdirty_start(struct gw_domain *d, struct gw_error *err)
{
	simple_op(d, XEN_DOMCTL_SHADOW_OP_OFF);
	if (simple_op(d, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY) == 0)
		return 0;
	if (errno == EOPNOTSUPP && d->pv)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"domain %u: this Xen logs no dirty pages of PV guests (it was built without shadow paging)",
			d->domid);
	return gw_xen_fail(err, "domain %u: logging dirty pages", d->domid);
}

void gw_xen_logdirty_stop(struct gw_domain *d)
{
	simple_op(d, XEN_DOMCTL_SHADOW_OP_OFF);
}

int gw_xen_logdirty_peek(struct gw_domain *d, uint64_t *dirty, struct gw_error *err)
{
	uint64_t pages = 0;

	if (shadow_op(d, XEN_DOMCTL_SHADOW_OP_PEEK, NULL, &pages, dirty) < 0)
		return gw_xen_fail(err, "domain %u: the number of dirty pages", d->domid);
	return 0;
}

static int need_bitmap(struct gw_xen_domain *x, uint64_t pages, struct gw_error *err)
{
	if (x->dirty && x->dirty_pages >= pages)
		return 0;
	gw_xen_buffer_free(x->host, x->dirty, x->dirty_pages / 8);
	x->dirty_pages = pages;
	x->dirty = gw_xen_buffer_alloc(x->host, pages / 8, err);
	return x->dirty ? 0 : -1;
}

/* Fetches into x->dirty, x->dirty_pages bits, and makes sure that they were all. */
static int fetch(struct gw_xen_domain *x, struct gw_error *err)
{
	struct gw_domain *d = &x->base;
	uint64_t covered = x->dirty_pages, dirty, nr;

	if (shadow_op(d, XEN_DOMCTL_SHADOW_OP_CLEAN, x->dirty, &covered, &dirty) < 0)
		return gw_xen_fail(err, "domain %u: its dirty pages", d->domid);
	if (gw_xen_nr_gpfns(d, &nr, err) < 0)
		return -1;
	if (covered < nr)
		return gw_fail(err, GW_SYSTEM,
			       "domain %u: Xen reported the dirty pages of %" PRIu64
			       " pfns, the domain has %" PRIu64 "; the others are lost",
			       d->domid, covered, nr);
	return 0;
}

int gw_xen_logdirty_fetch_and_clear(struct gw_domain *d, uint64_t *bitmap, uint64_t nr,
				    uint64_t *dirty, struct gw_error *err)
{
	struct gw_xen_domain *x = gw_xen_of(d);
	uint64_t all;

	if (gw_xen_nr_gpfns(d, &all, err) < 0)
		return -1;
	if (nr < all)
		return gw_fail(err, GW_USAGE,
			       "domain %u: a bitmap of %" PRIu64 " pages, the domain has %" PRIu64,
			       d->domid, nr, all);
	if (need_bitmap(x, GW_ROUND_UP(all, SLACK) + SLACK, err) < 0 || fetch(x, err) < 0)
		return -1;

	uint64_t *found = (uint64_t *)(void *)x->dirty, counted = GW_MIN(nr, x->dirty_pages);

	if (gw_xen_find_new_pages(d, found, counted, err) < 0)
		return -1;
	if (counted % 64)
		found[counted / 64] &= (UINT64_C(1) << (counted % 64)) - 1;
	gw_bitmap_or(bitmap, found, counted);
	*dirty = gw_bitmap_count(found, counted);
	return 0;
}
