/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Changes to the state of a domain's process that have a rule of their own.
 */
#include "vmm/state.h"

#include <stdio.h>
#include <unistd.h>

void gw_process_wake(struct gw_process *p)
{
	static const uint64_t one = 1;
	/* Fails only when the counter is full, and then it is readable already. */
	ssize_t n = write(p->wake_fd, &one, sizeof(one));

	(void)n;
}

void gw_process_end(struct gw_process *p, enum gw_process_end end)
{
	if (p->ended)
		return;
	p->ended = true;
	p->end = end;
	/* Clients must not read that the domain has left before it has. */
	p->sessions.hold_output = true;
	if (!p->destroyer)
		return;
	if (end == GW_END_DESTROYED || end == GW_END_NONE) {
		gw_session_reply(p->destroyer, "destroy", NULL);
	} else {
		struct gw_error err = GW_ERROR_INIT;

		gw_fail(&err, GW_TOO_LATE, "the domain ended by itself");
		gw_session_fail(p->destroyer, "destroy", &err);
	}
	p->destroyer = NULL;
}

void gw_process_end_failed(struct gw_process *p, const struct gw_error *err)
{
	p->end_err = *err;
	gw_process_end(p, GW_END_NONE);
}

void gw_process_set_config(struct gw_process *p, const struct gw_config *config)
{
	pthread_mutex_lock(&p->lock);
	gw_config_free(&p->config);
	p->config = *config;
	pthread_mutex_unlock(&p->lock);
}

void gw_process_set_claim(struct gw_process *p, const struct gw_claim *claim)
{
	pthread_mutex_lock(&p->lock);
	gw_claim_release(&p->claim, &p->runtime);
	p->claim = *claim;
	pthread_mutex_unlock(&p->lock);
}

void gw_process_set_migration(struct gw_process *p, const struct gw_migration_id *id,
			      enum gw_side side)
{
	static const struct gw_migration_id none;

	pthread_mutex_lock(&p->lock);
	p->migration = id ? *id : none;
	p->side = side;
	pthread_mutex_unlock(&p->lock);
}

void gw_process_set_protection(struct gw_process *p, enum gw_protection_role role, const char *peer,
			       uint64_t checkpoints, uint64_t state_ns)
{
	struct gw_protection *of = &p->protection;

	pthread_mutex_lock(&p->lock);
	of->role = role;
	of->checkpoints = checkpoints;
	of->state_ns = state_ns;
	if (peer)
		snprintf(of->peer, sizeof(of->peer), "%s", peer);
	pthread_mutex_unlock(&p->lock);
}

void gw_migration_id_format(const struct gw_migration_id *id, char out[33])
{
	for (int i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", id->bytes[i]);
}
