/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The map of a Xen domain's memory, and the pages that came since it was made.
 */
#ifndef GW_HYPERVISOR_XEN_RANGES_H
#define GW_HYPERVISOR_XEN_RANGES_H

#include <godwit/hypervisor.h>

/* An entry of gw_domain_ops. */
int gw_xen_ranges(struct gw_domain *d, struct gw_pfn_range **ranges, size_t *n,
		  struct gw_error *err);

/*
 * Sets the bits of the pages that the domain has now and did not have when gw_xen_ranges() or this
 * call looked last; there are none to be found if neither has. Xen's log-dirty mode misses them. A
 * pfn that lost its page and got another one in between is not found.
 */
int gw_xen_find_new_pages(struct gw_domain *d, uint64_t *bitmap, uint64_t nr, struct gw_error *err);

#endif
