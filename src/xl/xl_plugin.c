/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the plugin xl shows (plugin.h), and its version, which its loader compares.
 */
#include "config.h"
#include "xl/xl.h"

extern const char gw_plugin_version[];
extern const struct gw_xl_plugin gw_xl_plugin;

const char gw_plugin_version[] = GW_VERSION;

const struct gw_xl_plugin gw_xl_plugin = {
	.list = gw_xl_list,
	.save = gw_xl_save,
	.restore = gw_xl_restore,
	.migrate = gw_xl_migrate,
	.receive = gw_xl_receive,
	.pause = gw_xl_pause,
	.resume = gw_xl_unpause,
	.destroy = gw_xl_destroy,
};
