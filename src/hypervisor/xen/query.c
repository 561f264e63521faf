/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What Xen says of a domain.
 */
#include <errno.h>

#include "hypervisor/xen/domain.h"

int gw_xen_getinfo(struct gw_xen_host *h, uint32_t domid, xc_domaininfo_t *info,
		   struct gw_error *err)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_getdomaininfo,
		.domain = (domid_t)domid,
	};

	if (domid >= DOMID_FIRST_RESERVED)
		return gw_fail(err, GW_USAGE, "domain %u: the last possible number is %u", domid,
			       DOMID_FIRST_RESERVED - 1);
	int r = xc_domctl(h->xch, &op);

	*info = op.u.getdomaininfo;
	/* Xen before 4.18 answers with the next domain if there is none of this number. */
	if (r == 0 && info->domain != domid) {
		errno = ESRCH;
		r = -1;
	}
	if (r < 0 && errno == ESRCH)
		return gw_fail(err, GW_SYSTEM, "domain %u does not exist", domid);
	return r < 0 ? gw_xen_fail(err, "domain %u", domid) : 0;
}

int gw_xen_nr_gpfns(struct gw_domain *d, uint64_t *nr, struct gw_error *err)
{
	xen_pfn_t gpfns;

	if (xc_domain_nr_gpfns(gw_xen_xch(d), d->domid, &gpfns) < 0)
		return gw_xen_fail(err, "domain %u: its highest pfn", d->domid);
	*nr = gpfns;
	return 0;
}

int gw_xen_get_width(struct gw_domain *d, unsigned *width, struct gw_error *err)
{
	if (xc_domain_get_guest_width(gw_xen_xch(d), d->domid, width) < 0)
		return gw_xen_fail(err, "domain %u: its guest width", d->domid);
	return 0;
}
