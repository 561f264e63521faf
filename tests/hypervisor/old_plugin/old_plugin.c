/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A plugin of another version of godwit.
 */
extern const char gw_plugin_version[];
const char gw_plugin_version[] = "0.0.0-before-all";
