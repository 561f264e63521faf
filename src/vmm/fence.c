/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs the site's fence command, and says how long a failover may take with it.
 */
#include "vmm/fence.h"

#include <stdio.h>

#include "migrate/protect.h"
#include "vmm/command.h"

#define LIMIT_MS  10000 /* for the command */
#define MARGIN_MS 1000

static int limit_ms(const struct gw_process_args *args)
{
	if (!args->fence)
		return 0;
	return args->fence_limit_ms ? args->fence_limit_ms : LIMIT_MS;
}

int gw_fence(struct gw_process *p, const struct gw_cancel *cancel, struct gw_error *err)
{
	char name[GW_NAME_MAX + 16], uuid[37 + 16] = "GODWIT_UUID=", peer[160], id[33 + 32];
	char *const variables[] = {name, uuid, peer, id, NULL};
	size_t len = sizeof("GODWIT_MIGRATION=") - 1;

	snprintf(name, sizeof(name), "GODWIT_DOMAIN=%s", p->config.name ? p->config.name : "");
	gw_uuid_format(p->config.uuid, uuid + sizeof("GODWIT_UUID=") - 1);
	snprintf(peer, sizeof(peer), "GODWIT_PEER=%s", p->protection.peer);
	snprintf(id, sizeof(id), "GODWIT_MIGRATION=");
	gw_migration_id_format(&p->migration, id + len);
	gw_logf(&p->args.log, GW_LOG_WARNING, "the primary %s is lost: fencing it",
		p->protection.peer);
	return gw_command_run(p->args.fence, variables, limit_ms(&p->args), cancel, err);
}

/* From an acknowledgement on: the interval and the next checkpoint, the silence, the command. */
uint64_t gw_fence_window_ns(const struct gw_process_args *args)
{
	int silence_ms = args->silence_ms ? args->silence_ms : GW_PROTECT_SILENCE_MS;

	return (uint64_t)(2 * silence_ms + limit_ms(args) + MARGIN_MS) * 1000000;
}
