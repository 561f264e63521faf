/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a domain's process says about itself: the reply to "info", which list shows.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "hypervisor/domain.h"
#include "vmm/process_private.h"

void gw_process_look(struct gw_process *p)
{
	struct gw_domain_info info;

	/* The operation's thread is the one that calls into the domain. */
	if (p->job || !p->domain)
		return;
	if (gw_domain_info(p->domain, &info, NULL) == 0)
		p->info = info;
}

static const char *state_of(const struct gw_process *p)
{
	if (p->job)
		return p->job->kind->state;
	switch (atomic_load(&p->phase)) {
	case GW_PHASE_EMPTY:
		return "starting";
	case GW_PHASE_SAVED:
		return "saved";
	case GW_PHASE_UNDECIDED:
		return "undecided";
	}
	if (p->info.shutdown == GW_SHUTDOWN_CRASH)
		return "crashed";
	if (p->info.shutdown == GW_SHUTDOWN_SUSPEND)
		return "suspended";
	if (p->info.shutdown != GW_SHUTDOWN_NONE)
		return "shut down";
	return p->paused ? "paused" : "running";
}

static const char *type_of(const struct gw_config *config)
{
	if (config->type == GW_GUEST_X86_PV)
		return "pv";
	return config->pvh ? "pvh" : "hvm";
}

/* The migration that runs, or the one that was not decided; NULL if there is neither. */
static json_t *migration(const struct gw_process *p)
{
	static const struct gw_migration_id none;
	const struct gw_migration_id *id = p->job ? &p->job->id : &p->migration;
	char text[33];

	if (memcmp(id, &none, sizeof(none)) == 0 ||
	    (!p->job && atomic_load(&p->phase) != GW_PHASE_UNDECIDED))
		return NULL;
	gw_migration_id_format(id, text);
	return json_pack("{s:s, s:s, s:b}", "id", text, "side",
			 p->side == GW_SIDE_SOURCE ? "source" : "destination", "undecided",
			 !p->job);
}

json_t *gw_process_info(struct gw_process *p)
{
	char uuid[37];
	json_t *body;

	gw_process_look(p);
	pthread_mutex_lock(&p->lock);
	gw_uuid_format(p->config.uuid, uuid);
	body = json_pack("{s:s, s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o*}", "name",
			 p->claim.name ? p->claim.name : "", "id", (int)getpid(), "uuid", uuid,
			 "type", type_of(&p->config), "state", state_of(p), "memory_kb",
			 (json_int_t)p->config.max_memkb, "vcpus", (json_int_t)p->config.max_vcpus,
			 "pages", (json_int_t)p->info.nr_pages, "uptime_ms",
			 (json_int_t)((gw_clock_ns() - p->started_ns) / 1000000), "migration",
			 migration(p));
	pthread_mutex_unlock(&p->lock);
	return body;
}
