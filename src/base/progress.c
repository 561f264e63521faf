/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The names of the stages of an operation.
 */
#include <string.h>

#include <godwit/progress.h>

static const char *const stage_names[GW_NR_STAGES] = {
	[GW_STAGE_NONE] = "",
	[GW_STAGE_STATIC_DATA] = "static data",
	[GW_STAGE_MEMORY] = "memory",
	[GW_STAGE_SUSPEND] = "suspend",
	[GW_STAGE_FINAL_ROUND] = "final round",
	[GW_STAGE_VERIFY] = "verify",
	[GW_STAGE_DEVICE_STATE] = "device state",
	[GW_STAGE_READING] = "reading",
	[GW_STAGE_CONVERTING] = "converting",
	[GW_STAGE_COMPARING] = "comparing",
	[GW_STAGE_WAITING] = "waiting",
	[GW_STAGE_WRITING] = "writing",
	[GW_STAGE_DONE] = "done",
};

const char *gw_stage_name(enum gw_stage stage)
{
	return (unsigned)stage < GW_NR_STAGES ? stage_names[stage] : "";
}

enum gw_stage gw_stage_from_name(const char *name)
{
	for (unsigned i = 0; i < GW_NR_STAGES; i++)
		if (strcmp(name, stage_names[i]) == 0)
			return (enum gw_stage)i;
	return GW_STAGE_NONE;
}
