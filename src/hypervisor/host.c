/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Opening a host by its uri. Which backends this build has is known here and nowhere else.
 */
#include <string.h>

#include <godwit/hypervisor.h>

#include "base/util.h"
#include "hypervisor/emu/emu.h"
#include "hypervisor/kvm/kvm.h"
#include "hypervisor/memory/memory.h"
#include "hypervisor/plugin.h"
#include "hypervisor/uri.h"

static struct gw_host *open_xen(const char *query, struct gw_error *err)
{
	return gw_plugin_host_open("xen", query, err);
}

struct backend {
	const char *scheme;
	struct gw_host *(*open)(const char *query, struct gw_error *err);
};

static const struct backend backends[] = {
	{"memory", gw_memory_host_open},
	{"emu", gw_emu_host_open},
	{"kvm", gw_kvm_host_open},
	{"xen", open_xen},
};

struct gw_host *gw_host_open(const char *uri, struct gw_error *err)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(backends); i++) {
		const char *query;
		int found = gw_uri_query(uri, backends[i].scheme, &query, err);

		if (found < 0)
			return NULL;
		if (found)
			return backends[i].open(query, err);
	}
	gw_fail(err, GW_USAGE, "host \"%s\": expected \"emu:\", \"memory:\", \"kvm:\" or \"xen:\"",
		uri);
	return NULL;
}

void gw_host_close(struct gw_host *host)
{
	if (host)
		host->ops->close(host);
}
