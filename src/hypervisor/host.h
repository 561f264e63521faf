/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls of the host table (godwit/hypervisor.h), which gives their meaning.
 */
#ifndef GW_HYPERVISOR_HOST_H
#define GW_HYPERVISOR_HOST_H

#include <godwit/hypervisor.h>

static inline int gw_host_policy(struct gw_host *host, enum gw_guest_type type,
				 struct gw_policy *policy, struct gw_error *err)
{
	return host->ops->policy(host, type, policy, err);
}

static inline unsigned gw_host_guest_types(struct gw_host *host)
{
	return host->ops->guest_types(host);
}

static inline uint64_t gw_host_free_pages(struct gw_host *host)
{
	return host->ops->free_pages(host);
}

static inline struct gw_domain *
gw_host_create(struct gw_host *host, const struct gw_domain_config *config, struct gw_error *err)
{
	return host->ops->create(host, config, err);
}

static inline struct gw_domain *gw_host_attach(struct gw_host *host, uint32_t domid,
					       uint64_t max_pfns, struct gw_error *err)
{
	return host->ops->attach(host, domid, max_pfns, err);
}

#endif
