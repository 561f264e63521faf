/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The version of the plugin xen.so, which its loader compares (hypervisor/plugin.h).
 */
#include "config.h"

extern const char gw_plugin_version[];
const char gw_plugin_version[] = GW_VERSION;
