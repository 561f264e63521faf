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

static void *unsupported(const char *name, const char *why, struct gw_error *err)
{
	gw_fail(err, GW_UNSUPPORTED, "the plugin %s cannot be used: %s", name, why);
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

void *gw_plugin_find(const char *name, const char *symbol, struct gw_error *err)
{
	void *plugin = load(name), *found;
	const char *version;

	if (!plugin)
		return unsupported(name, dlerror(), err);
	version = dlsym(plugin, "gw_plugin_version");
	if (!version || strcmp(version, GW_VERSION) != 0)
		return unsupported(name, "it is of another version of godwit", err);
	found = dlsym(plugin, symbol);
	return found ? found : unsupported(name, dlerror(), err);
}

struct gw_host *gw_plugin_host_open(const char *name, const char *query, struct gw_error *err)
{
	char symbol[64];
	open_fn *open;

	snprintf(symbol, sizeof(symbol), "gw_%s_host_open", name);
	open = (open_fn *)gw_plugin_find(name, symbol, err);
	if (open)
		return open(query, err);
	gw_fail_in(err, "host \"%s:\"", name);
	return NULL;
}
