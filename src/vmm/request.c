/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The requests of clients, one function each.
 */
#include "vmm/request.h"

#include <string.h>

#include "base/util.h"
#include "hypervisor/control.h"
#include "vmm/info.h"
#include "vmm/job.h"
#include "vmm/migrate.h"
#include "vmm/options.h"
#include "vmm/protect.h"
#include "vmm/save.h"

/* Fails, naming the operation in progress, if there is one. */
static int check_idle(const struct gw_process *p, struct gw_error *err)
{
	if (p->job)
		return gw_fail(err, GW_BUSY,
			       "the domain is %s now: wait, or cancel that with \"godwit cancel\"",
			       p->job->kind->state);
	if (atomic_load(&p->phase) == GW_PHASE_EMPTY)
		return gw_fail(err, GW_BUSY, "the domain is not created yet");
	if (atomic_load(&p->phase) == GW_PHASE_SAVED)
		return gw_fail(err, GW_BUSY, "the domain is being saved just now");
	return 0;
}

static int check_decided(const struct gw_process *p, struct gw_error *err)
{
	char id[33];

	if (check_idle(p, err) < 0)
		return -1;
	if (atomic_load(&p->phase) != GW_PHASE_UNDECIDED)
		return 0;
	gw_migration_id_format(&p->migration, id);
	if (p->protection.role != GW_UNPROTECTED)
		return gw_fail(
			err, GW_BUSY,
			"the two sides of protection %s have lost each other, and the other one may run the domain: make sure that its copy is gone or is listed as undecided, then \"godwit resume --claim\" or \"godwit destroy\" it here",
			id);
	return gw_fail(
		err, GW_BUSY,
		"migration %s failed during the handover and either side may have the domain: make sure that the other side's copy is gone or is listed as undecided, then \"godwit resume --claim\" or \"godwit destroy\" it here",
		id);
}

static int do_info(struct gw_process *p, struct gw_session *s, const json_t *message,
		   struct gw_error *err)
{
	gw_session_reply(s, "info", gw_process_info(p));
	return 0;
}

static int do_pause(struct gw_process *p, struct gw_session *s, const json_t *message,
		    struct gw_error *err)
{
	if (check_decided(p, err) < 0)
		return -1;
	if (!p->paused && gw_control_pause(p->domain->control, err) < 0)
		return -1;
	p->paused = true;
	gw_session_reply(s, "pause", NULL);
	return 0;
}

static int do_resume(struct gw_process *p, struct gw_session *s, const json_t *message,
		     struct gw_error *err)
{
	bool claim = json_is_true(json_object_get(message, "claim"));

	if (claim && check_idle(p, err) < 0)
		return -1;
	if (!claim && check_decided(p, err) < 0)
		return -1;
	if (claim && atomic_load(&p->phase) != GW_PHASE_UNDECIDED)
		return gw_fail(err, GW_REFUSED,
			       "nothing to claim: no migration of this domain is undecided");
	if (claim) {
		if (p->side == GW_SIDE_SOURCE && gw_domain_toolstack_undo(&p->stopped, err) < 0)
			return -1;
		if (p->side == GW_SIDE_DESTINATION &&
		    gw_control_unpause(p->domain->control, err) < 0)
			return -1;
		p->has_run = !p->host->ops->never_runs;
		gw_process_set_migration(p, NULL, p->side);
		gw_protect_let_out(p);
		atomic_store(&p->phase, GW_PHASE_LIVE);
		p->paused = false;
	} else if (p->paused) {
		if (gw_control_unpause(p->domain->control, err) < 0)
			return -1;
		p->paused = false;
		p->has_run = !p->host->ops->never_runs;
	}
	gw_session_reply(s, "resume", NULL);
	return 0;
}

static int do_destroy(struct gw_process *p, struct gw_session *s, const json_t *message,
		      struct gw_error *err)
{
	if (gw_job_cancel(p, err) < 0)
		return -1;
	p->destroyer = s;
	p->destroy_wanted = true;
	if (!p->job)
		gw_process_end(p, GW_END_DESTROYED);
	return 0;
}

static int do_console(struct gw_process *p, struct gw_session *s, const json_t *message,
		      struct gw_error *err)
{
	bool live_only = false, follow = true;

	if (gw_option_bool(message, "live_only", &live_only, err) < 0 ||
	    gw_option_bool(message, "follow", &follow, err) < 0)
		return -1;
	gw_session_reply(s, "console", NULL);
	gw_session_follow_console(&p->sessions, s, live_only, follow);
	return 0;
}

static int do_save(struct gw_process *p, struct gw_session *s, const json_t *message,
		   struct gw_error *err)
{
	return check_decided(p, err) < 0 ? -1 : gw_save_request(p, s, message, err);
}

static int do_keep(struct gw_process *p, struct gw_session *s, const json_t *message,
		   struct gw_error *err)
{
	const char *then = json_string_value(json_object_get(message, "then"));

	if (atomic_load(&p->phase) != GW_PHASE_SAVED || p->saver != s)
		return gw_fail(err, GW_USAGE, "this client has not saved the domain");
	if (!then || (strcmp(then, "destroy") != 0 && strcmp(then, "run") != 0 &&
		      strcmp(then, "pause") != 0))
		return gw_fail(err, GW_USAGE, "then: expected destroy, run or pause");
	gw_save_conclude(p, then);
	return 0;
}

static int do_migrate(struct gw_process *p, struct gw_session *s, const json_t *message,
		      struct gw_error *err)
{
	return check_decided(p, err) < 0 ? -1 : gw_migrate_request(p, s, message, err);
}

static int do_protect(struct gw_process *p, struct gw_session *s, const json_t *message,
		      struct gw_error *err)
{
	return check_decided(p, err) < 0 ? -1 : gw_protect_request(p, s, message, err);
}

static int do_cancel(struct gw_process *p, struct gw_session *s, const json_t *message,
		     struct gw_error *err)
{
	if (!p->job)
		return gw_fail(err, GW_TOO_LATE, "there is no operation to cancel");
	if (gw_job_cancel(p, err) < 0)
		return -1;
	gw_session_reply(s, "cancel", NULL);
	return 0;
}

static int do_job(struct gw_process *p, struct gw_session *s, const json_t *message,
		  struct gw_error *err)
{
	gw_session_reply(s, "job", json_pack("{s:o}", "job", gw_process_job(p)));
	return 0;
}

static const struct {
	const char *name;
	/* 0: s is answered, or will be; -1: the caller answers with err. */
	int (*fn)(struct gw_process *p, struct gw_session *s, const json_t *message,
		  struct gw_error *err);
} requests[] = {
	{"info", do_info},	 {"pause", do_pause},	  {"resume", do_resume},
	{"destroy", do_destroy}, {"save", do_save},	  {"keep", do_keep},
	{"migrate", do_migrate}, {"cancel", do_cancel},	  {"console", do_console},
	{"job", do_job},	 {"protect", do_protect},
};

void gw_request(struct gw_process *p, struct gw_session *s, const json_t *message)
{
	const char *name = json_string_value(json_object_get(message, "request"));
	struct gw_error err = GW_ERROR_INIT;

	for (size_t i = 0; name && i < GW_ARRAY_SIZE(requests); i++) {
		if (strcmp(name, requests[i].name) != 0)
			continue;
		if (requests[i].fn(p, s, message, &err) < 0)
			gw_session_fail(s, name, &err);
		return;
	}
	gw_fail(&err, GW_USAGE, "unknown request \"%.40s\"", name ? name : "");
	gw_session_fail(s, name ? name : "", &err);
}

void gw_request_abandon(struct gw_process *p, struct gw_session *s)
{
	if (p->job && p->job->owner == s) {
		p->job->owner = NULL;
		gw_job_cancel(p, NULL);
	}
	if (p->destroyer == s)
		p->destroyer = NULL;
	if (p->saver == s)
		gw_save_conclude(p, NULL);
}
