/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sending a domain to another godwit over a connection that a client made, and what becomes of the
 * copy here: at no time may two run.
 */
#include <errno.h>
#include <sys/random.h>

#include "vmm/process_private.h"

static int run_migrate(void *opaque, struct gw_operation *op, struct gw_error *err)
{
	struct gw_job *job = opaque;
	const struct gw_config *config = &job->process->config;
	struct gw_toolstack toolstack;
	struct gw_migration_offer offer = {
		.id = job->id,
		.config = config->text,
		.config_len = config->text_len,
		.live = job->live,
	};
	struct gw_save_args args = {
		.domain = job->process->domain,
		.toolstack = &toolstack,
		.live = job->live,
		.precopy = job->precopy,
	};

	gw_job_toolstack(job, op, &toolstack);
	return gw_migrate_send(job->ch, &offer, &args, op, &job->report, &job->outcome, err);
}

static void stays_here(struct gw_process *p, struct gw_job *job, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;

	if (gw_domain_toolstack_undo(&job->toolstack, &why) < 0) {
		gw_logf(&p->args.log, GW_LOG_ERROR, "the domain cannot be resumed: %s", why.text);
		gw_fail_in(err, "the domain stays here, but cannot be resumed (%s)", why.text);
	} else {
		gw_domain_say_state(err, p->paused);
	}
	gw_session_fail(job->owner, "migrate", err);
}

static void undecided(struct gw_process *p, struct gw_job *job, struct gw_error *err)
{
	p->migration = job->id;
	p->saved = job->toolstack;
	atomic_store(&p->phase, GW_PHASE_UNDECIDED);
	gw_domain_say(err, " (\"godwit resume --claim\" or \"godwit destroy\")");
	gw_logf(&p->args.log, GW_LOG_ERROR, "%s", err->text);
	gw_session_fail(job->owner, "migrate", err);
}

static void migrate_done(struct gw_process *p, struct gw_job *job, int ret, struct gw_error *err)
{
	json_t *reply;
	char id[33];

	gw_migration_id_format(&job->id, id);
	if (job->outcome == GW_OUTCOME_SOURCE) {
		stays_here(p, job, err);
		return;
	}
	if (job->outcome == GW_OUTCOME_UNKNOWN) {
		undecided(p, job, err);
		return;
	}
	reply = gw_job_report(job);
	json_object_set_new(reply, "migration", json_string(id));
	json_object_set_new(reply, "forced", json_boolean(job->toolstack.forced));
	gw_session_reply(job->owner, "migrate", reply);
	gw_process_finish(p, GW_END_MOVED);
}

static const struct gw_job_kind migrate_kind = {"migrate", "migrating", "the connection",
						run_migrate, migrate_done};

int gw_migrate_request(struct gw_process *p, struct gw_session *s, const json_t *message,
		       struct gw_error *err)
{
	struct gw_job *job;

	if (p->paused)
		return gw_fail(
			err, GW_REFUSED,
			"the domain is paused, and would not be at its destination: resume it first, or save it");
	if (gw_job_from_request(p, s, message, &migrate_kind, &job, err) < 0)
		return -1;
	if (getrandom(&job->id, sizeof(job->id), 0) != (ssize_t)sizeof(job->id)) {
		gw_job_free(job);
		return gw_fail_errno(err, "random bytes for a migration's id");
	}
	p->side = GW_SIDE_SOURCE;
	return gw_job_start(p, job, err);
}
