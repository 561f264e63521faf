/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The description of a domain, read from the state of its process.
 */
#include "vmm/info.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "migrate/progress_json.h"
#include "vmm/domain.h"
#include "vmm/job.h"

static const char *state_of(const struct gw_process *p)
{
	if (p->job && p->protection.role == GW_BACKUP)
		return "backup";
	if (p->job && p->protection.role == GW_PRIMARY)
		return "protected";
	if (p->job)
		return p->job->kind->state;
	switch (atomic_load(&p->phase)) {
	case GW_PHASE_LIVE:
		break;
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

/* The migration in progress, or the one that was left undecided; NULL if there is neither. */
static json_t *migration_of(const struct gw_process *p)
{
	static const struct gw_migration_id none;
	char text[33];

	if (memcmp(&p->migration, &none, sizeof(none)) == 0)
		return NULL;
	gw_migration_id_format(&p->migration, text);
	return json_pack("{s:s, s:s, s:b}", "id", text, "side",
			 p->side == GW_SIDE_SOURCE ? "source" : "destination", "undecided",
			 !p->job);
}

/* NULL if the domain is not protected, and no copy. */
static json_t *protection_of(const struct gw_process *p)
{
	const struct gw_protection *of = &p->protection;

	if (of->role == GW_UNPROTECTED)
		return NULL;
	return json_pack("{s:s, s:s, s:I, s:I}", "role",
			 of->role == GW_PRIMARY ? "primary" : "backup", "peer", of->peer,
			 "checkpoints", (json_int_t)of->checkpoints, "behind_ms",
			 (json_int_t)((gw_clock_ns() - of->state_ns) / 1000000));
}

json_t *gw_process_job(struct gw_process *p)
{
	struct gw_progress progress;
	json_t *job;

	if (!p->job)
		return json_null();
	gw_operation_progress(p->job->op, &progress);
	job = gw_progress_to_json(&progress);
	json_object_del(job, "event");
	json_object_set_new(job, "operation", json_string(p->job->kind->name));
	json_object_set_new(job, "state", json_string(p->job->kind->state));
	return job;
}

json_t *gw_process_info(struct gw_process *p)
{
	char uuid[37];
	json_t *body;

	gw_process_refresh_info(p);
	pthread_mutex_lock(&p->lock);
	gw_uuid_format(p->config.uuid, uuid);
	body = json_pack("{s:s, s:s%, s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o*, s:o*}", "name",
			 p->claim.name ? p->claim.name : "", "host", p->args.connect,
			 strcspn(p->args.connect, ":"), "id", (int)getpid(), "uuid", uuid, "type",
			 type_of(&p->config), "state", state_of(p), "memory_kb",
			 (json_int_t)p->config.max_memkb, "vcpus", (json_int_t)p->config.max_vcpus,
			 "pages", (json_int_t)p->info.nr_pages, "uptime_ms",
			 (json_int_t)((gw_clock_ns() - p->started_ns) / 1000000), "migration",
			 migration_of(p), "protection", protection_of(p));
	pthread_mutex_unlock(&p->lock);
	return body;
}
