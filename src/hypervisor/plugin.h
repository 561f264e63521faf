/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Backends that need libraries of a hypervisor's own: each is a plugin, NAME.so in the library's
 * folder for them, loaded when a host of its scheme is opened. So a godwit runs, and its library
 * links, where those libraries are not installed.
 */
#ifndef GW_HYPERVISOR_PLUGIN_H
#define GW_HYPERVISOR_PLUGIN_H

#include <godwit/hypervisor.h>

/*
 * The symbol of a plugin, which stays loaded until the process ends. The folder is that of the
 * installation unless the environment's GODWIT_PLUGINS names another one. NULL with GW_UNSUPPORTED
 * if the plugin is not there, cannot be loaded or is of another version.
 */
void *gw_plugin_find(const char *name, const char *symbol, struct gw_error *err);

/*
 * Opens the host of plugin name by its gw_NAME_host_open(query, err). NULL with err.
 */
struct gw_host *gw_plugin_host_open(const char *name, const char *query, struct gw_error *err);

#endif
