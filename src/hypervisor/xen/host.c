/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The Xen host: what it offers a guest.
 */
#include "hypervisor/xen/xen.h"

#include <stdlib.h>

#include "base/util.h"
#include "hypervisor/uri.h"
#include "hypervisor/xen/domain.h"

static struct gw_xen_host *host_of(struct gw_host *host)
{
	return (struct gw_xen_host *)host;
}

/*
 * Of the max policies, not of the default ones: a guest may come from a Xen that had a feature on
 * which is off by default here.
 */
static int policy(struct gw_host *host, enum gw_guest_type type, struct gw_policy *to,
		  struct gw_error *err)
{
	struct gw_xen_host *h = host_of(host);
	unsigned index = type == GW_GUEST_X86_PV ? XEN_SYSCTL_cpu_policy_pv_max
						 : XEN_SYSCTL_cpu_policy_hvm_max;
	xc_cpu_policy_t *from = xc_cpu_policy_init();
	int r;

	*to = (struct gw_policy){0};
	if (!from)
		return gw_fail(err, GW_NO_MEMORY, "no memory for a CPU policy");
	if (xc_cpu_policy_get_system(h->xch, index, from) < 0)
		r = gw_xen_fail(err, "the CPU policy that Xen can give a guest");
	else
		r = gw_xen_policy_copy(h, from, to, err);
	xc_cpu_policy_destroy(from);
	return r;
}

static unsigned guest_types(struct gw_host *host)
{
	xc_physinfo_t info = {0};
	unsigned types = 0;

	if (xc_physinfo(host_of(host)->xch, &info) < 0)
		return 0;
	if (info.capabilities & XEN_SYSCTL_PHYSCAP_pv)
		types |= 1u << GW_GUEST_X86_PV;
	if (info.capabilities & XEN_SYSCTL_PHYSCAP_hvm)
		types |= 1u << GW_GUEST_X86_HVM;
	return types;
}

static uint64_t free_pages(struct gw_host *host)
{
	xc_physinfo_t info = {0};

	if (xc_physinfo(host_of(host)->xch, &info) < 0)
		return UINT64_MAX;
	return info.free_pages;
}

static void close_host(struct gw_host *host)
{
	gw_xen_host_put(host_of(host));
}

static const struct gw_host_ops host_ops = {
	.head = GW_TABLE_HEAD(struct gw_host_ops),
	.name = "xen",
	.policy = policy,
	.guest_types = guest_types,
	.close = close_host,
	.free_pages = free_pages,
	.attach = gw_xen_attach,
};

struct gw_host *gw_xen_host_open(const char *query, struct gw_error *err)
{
	struct gw_uri_pair pair;
	int more = gw_uri_next(&query, &pair, err);

	if (more > 0)
		gw_fail(err, GW_USAGE, "host option \"%s\": xen: has no options", pair.key);
	if (more != 0)
		return NULL;
	struct gw_xen_host *h = calloc(1, sizeof(*h));

	if (!h) {
		gw_fail_errno(err, "the host xen:");
		return NULL;
	}
	h->users = 1;
	if (gw_host_init(&h->base, &host_ops, err) < 0 || gw_xen_open_handles(h, err) < 0) {
		gw_xen_host_put(h);
		return NULL;
	}
	return &h->base;
}
