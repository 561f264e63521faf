/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Stands in for the built-in machine in a build without Unicorn.
 */
#include "hypervisor/emu/emu.h"

struct gw_host *gw_emu_host_open(const char *query, struct gw_error *err)
{
	gw_fail(err, GW_UNSUPPORTED,
		"this godwit was built without the built-in machine (Unicorn's headers were not installed)");
	return NULL;
}

int gw_emu_depopulate(struct gw_domain *d, size_t n, const uint64_t *gfns, struct gw_error *err)
{
	return gw_fail(err, GW_UNSUPPORTED, "this godwit was built without the built-in machine");
}

unsigned gw_emu_suspend_port(struct gw_domain *d)
{
	return 0;
}
