/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The choice of an emulated domain's method of log-dirty.
 */
#include "hypervisor/emu/logdirty.h"

#include <string.h>

#include "hypervisor/emu/domain.h"

int gw_emu_dirty_kind_parse(const char *word, enum gw_emu_dirty_kind *kind, struct gw_error *err)
{
	if (!strcmp(word, "uffd"))
		*kind = GW_EMU_DIRTY_UFFD;
	else if (!strcmp(word, "hook"))
		*kind = GW_EMU_DIRTY_HOOK;
	else
		return gw_fail(err, GW_USAGE, "logdirty is \"uffd\" or \"hook\", not \"%s\"", word);
	return 0;
}

const struct gw_machine_dirty_ops *gw_emu_dirty_method(struct gw_machine *m)
{
	struct gw_emu *e = gw_emu_of_machine(m);

	if (e->faults.mode == GW_EMU_FAULTS_PROTECT)
		return &gw_emu_dirty_faults;
	if (e->faults.mode == GW_EMU_FAULTS_ABSENT || e->dirty.kind == GW_EMU_DIRTY_HOOK)
		return &gw_emu_dirty_hook;
	if (e->dirty.kind == GW_EMU_DIRTY_UFFD || gw_emu_dirty_uffd_probe(NULL) == 0)
		return &gw_emu_dirty_uffd;
	return &gw_emu_dirty_hook;
}
