/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sends the domain to another godwit, and decides the state of the copy here: two may never run.
 */
#include "vmm/migrate.h"

#include <sys/random.h>

#include "base/util.h"
#include "vmm/domain.h"
#include "vmm/outgoing.h"
#include "vmm/wanted_tls.h"

struct migrate_job {
	struct gw_outgoing out;
	struct gw_wanted_tls tls;
	enum gw_outcome outcome;
};

static struct migrate_job *of_job(struct gw_job *job)
{
	return gw_container_of(job, struct migrate_job, out.job);
}

static int run_migrate(struct gw_job *job, struct gw_error *err)
{
	struct migrate_job *m = of_job(job);
	const struct gw_process *p = job->process;
	struct gw_toolstack toolstack;
	struct gw_save_args args = gw_outgoing_save_args(&m->out, &toolstack);
	struct gw_migration_offer offer = {
		.id = p->migration,
		.config = p->config.text,
		.config_len = p->config.text_len,
		.live = m->out.live,
		.silence_ms = m->out.silence_ms,
	};

	if (gw_wanted_tls_begin(&m->tls, job, err) < 0)
		return -1;
	return gw_migrate_send(job->ch, &offer, &args, job->running, &job->report, &m->outcome,
			       err);
}

/* The destination has nothing: the domain runs on here, unless it has ended. */
static void conclude_here(struct gw_process *p, struct gw_job *job, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;

	gw_process_set_migration(p, NULL, GW_SIDE_SOURCE);
	gw_outgoing_note_cost(gw_container_of(job, struct gw_outgoing, job));
	if (gw_process_is_gone(p, err)) {
		gw_session_fail(job->owner, "migrate", err);
		return;
	}
	if (gw_domain_toolstack_undo(&job->toolstack, &why) < 0) {
		gw_logf(&p->args.log, GW_LOG_ERROR, "the domain cannot be resumed: %s", why.text);
		gw_fail_in(err, "the domain stays here, but cannot be resumed (%s)", why.text);
	} else {
		gw_domain_error_add_state(err, p->paused);
	}
	gw_session_fail(job->owner, "migrate", err);
}

static void conclude_undecided(struct gw_process *p, struct gw_job *job, struct gw_error *err)
{
	p->stopped = job->toolstack;
	atomic_store(&p->phase, GW_PHASE_UNDECIDED);
	gw_fail_more(err, " (\"godwit resume --claim\" or \"godwit destroy\")");
	gw_logf(&p->args.log, GW_LOG_ERROR, "%s", err->text);
	gw_session_fail(job->owner, "migrate", err);
}

static void conclude_moved(struct gw_process *p, struct migrate_job *m)
{
	json_t *reply = gw_outgoing_reply(&m->out);
	char id[33];

	gw_migration_id_format(&p->migration, id);
	json_object_set_new(reply, "migration", json_string(id));
	gw_session_reply(m->out.job.owner, "migrate", reply);
	gw_process_end(p, GW_END_MOVED);
}

static void migrate_done(struct gw_job *job, int ret, struct gw_error *err)
{
	struct migrate_job *m = of_job(job);

	switch (m->outcome) {
	case GW_OUTCOME_SOURCE:
		conclude_here(job->process, job, err);
		break;
	case GW_OUTCOME_UNKNOWN:
		conclude_undecided(job->process, job, err);
		break;
	case GW_OUTCOME_DROPPED: /* only a protection ends so */
	case GW_OUTCOME_MOVED:
		conclude_moved(job->process, m);
		break;
	}
}

static void migrate_release(struct gw_job *job)
{
	struct migrate_job *m = of_job(job);

	gw_wanted_tls_free(&m->tls);
}

static const struct gw_job_kind migrate_kind = {
	.name = "migrate",
	.state = "migrating",
	.channel = "the connection",
	.size = sizeof(struct migrate_job),
	.run = run_migrate,
	.done = migrate_done,
	.release = migrate_release,
};

int gw_migrate_request(struct gw_process *p, struct gw_session *s, const json_t *message,
		       struct gw_error *err)
{
	struct gw_migration_id id;
	struct gw_outgoing *out;

	if (p->paused)
		return gw_fail(
			err, GW_REFUSED,
			"the domain is paused and would not stay so at its destination: resume it first, or save it");
	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return gw_fail_errno(err, "random bytes for a migration's id");
	out = gw_outgoing_new(p, s, message, &migrate_kind, err);
	if (!out)
		return -1;
	if (gw_wanted_tls_read(&of_job(&out->job)->tls, message, err) < 0) {
		gw_job_free(&out->job);
		return -1;
	}
	out->job.toolstack.may_force = true; /* it goes to a godwit */
	gw_process_set_migration(p, &id, GW_SIDE_SOURCE);
	if (gw_job_start(&out->job, err) == 0)
		return 0;
	gw_process_set_migration(p, NULL, GW_SIDE_SOURCE);
	return -1;
}
