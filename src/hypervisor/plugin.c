/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Loads the plugin of a backend (plugin.h).
 */
#include "hypervisor/plugin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

typedef struct gw_host *open_fn(const char *query, struct gw_error *err);

static struct gw_host *unsupported(const char *name, const char *why, struct gw_error *err)
{
	gw_fail(err, GW_UNSUPPORTED, "host \"%s:\": its plugin cannot be used: %s", name, why);
	return NULL;
}

/* Never unloaded: domains of the backend may be open until the process ends. */
static void *load(const char *name)
{
	const char *dir = getenv("GODWIT_PLUGINS");
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.so", dir && *dir ? dir : GW_PLUGIN_DIR, name);
	return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

struct gw_host *gw_plugin_host_open(const char *name, const char *query, struct gw_error *err)
{
	char symbol[64];
	void *plugin = load(name);
	const char *version;
	open_fn *open;

	if (!plugin)
		return unsupported(name, dlerror(), err);
	version = dlsym(plugin, "gw_plugin_version");
	if (!version || strcmp(version, GW_VERSION) != 0)
		return unsupported(name, "it is of another version of godwit", err);
	snprintf(symbol, sizeof(symbol), "gw_%s_host_open", name);
	open = (open_fn *)dlsym(plugin, symbol);
	return open ? open(query, err) : unsupported(name, dlerror(), err);
}
