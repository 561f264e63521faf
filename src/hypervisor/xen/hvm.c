/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of an HVM or PVH domain of Xen's: context and params.
 */
#include <stdlib.h>

#include "base/util.h"
#include "hypervisor/xen/domain.h"

#define CONTEXT_MAX (64u << 20) /* no context comes near: 4096 vCPUs have less */

static int get_context(struct gw_domain *d, void **blob, size_t *len, struct gw_error *err)
{
	int size = xc_domain_hvm_getcontext(gw_xen_xch(d), d->domid, NULL, 0);

	*blob = NULL;
	*len = 0;
	if (size < 0)
		return gw_xen_fail(err, "domain %u: the size of its HVM context", d->domid);
	GW_FREE_ON_EXIT uint8_t *buffer = malloc((size_t)size + 1);

	if (!buffer)
		return gw_fail_errno(err, "an HVM context of %d bytes", size);
	/* The first answer was the most that there can be, the second is what there is. */
	size = xc_domain_hvm_getcontext(gw_xen_xch(d), d->domid, buffer, (uint32_t)size);
	if (size <= 0)
		return gw_xen_fail(err, "domain %u: its HVM context", d->domid);
	*blob = GW_STEAL(buffer);
	*len = (size_t)size;
	return 0;
}

static int set_context(struct gw_domain *d, const void *blob, size_t len, struct gw_error *err)
{
	if (len == 0 || len > CONTEXT_MAX)
		return gw_fail(err, GW_INVALID, "an HVM context of %zu bytes", len);
	if (xc_domain_hvm_setcontext(gw_xen_xch(d), d->domid, (uint8_t *)(uintptr_t)blob,
				     (uint32_t)len) < 0)
		return gw_xen_fail(err, "domain %u: an HVM context of %zu bytes", d->domid, len);
	return 0;
}

static int get_param(struct gw_domain *d, uint32_t index, uint64_t *value, struct gw_error *err)
{
	if (xc_hvm_param_get(gw_xen_xch(d), d->domid, index, value) < 0)
		return gw_xen_fail(err, "domain %u: HVM param %u", d->domid, index);
	return 0;
}

static int set_param(struct gw_domain *d, uint32_t index, uint64_t value, struct gw_error *err)
{
	/* Obsolete; Xen refuses it, and old images have it. */
	if (index == HVM_PARAM_PAE_ENABLED)
		return 0;
	if (xc_hvm_param_set(gw_xen_xch(d), d->domid, index, value) < 0)
		return gw_xen_fail(err, "domain %u: HVM param %u = 0x%llx", d->domid, index,
				   (unsigned long long)value);
	return 0;
}

const struct gw_x86_hvm_ops gw_xen_hvm_ops = {
	.head = GW_TABLE_HEAD(struct gw_x86_hvm_ops),
	.get_context = get_context,
	.set_context = set_context,
	.get_param = get_param,
	.set_param = set_param,
};
