/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Calls the site's command for the output of a protected guest.
 */
#include "vmm/output_hook.h"

#include <inttypes.h>
#include <stdio.h>

#include "vmm/command.h"

#define HOOK_MS 5000

int gw_output_hook(const struct gw_process *p, const char *command, const char *event,
		   uint64_t number, struct gw_error *err)
{
	char name[GW_NAME_MAX + 16], what[32], which[48];
	char *const variables[] = {name, what, which, NULL};

	if (!command)
		return 0;
	snprintf(name, sizeof(name), "GODWIT_DOMAIN=%s", p->claim.name ? p->claim.name : "");
	snprintf(what, sizeof(what), "GODWIT_EVENT=%s", event);
	snprintf(which, sizeof(which), "GODWIT_CHECKPOINT=%" PRIu64, number);
	return gw_command_run(command, variables, HOOK_MS, NULL, err);
}
