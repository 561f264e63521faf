/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Protects the domain: sends checkpoints to a backup, and lets the guest's output leave when the
 * backup has the checkpoint that contains it. If the backup is lost, nothing leaves that a copy
 * there could contradict.
 */
#include "vmm/protect.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/util.h"
#include "hypervisor/control.h"
#include "migrate/protect.h"
#include "vmm/domain.h"
#include "vmm/options.h"
#include "vmm/outgoing.h"
#include "vmm/output_hook.h"
#include "vmm/wanted_tls.h"

#define INTERVAL_MS	200
#define INTERVAL_MIN_MS 10
#define WAIT_MS		20
/* A client that does not read loses the events of checkpoints. */
#define EVENTS_MAX 4096

struct protect_job {
	struct gw_outgoing out;
	struct gw_wanted_tls tls;
	unsigned interval_ms;
	uint64_t copy_limit;
	uint64_t max_lag_ms, until_ms; /* 0: none */
	bool stop_on_loss;
	char *hook; /* or NULL */
	char *peer;

	/* Either thread. */
	atomic_bool over;    /* the protection is to end */
	atomic_bool counts;  /* the backup has a checkpoint */
	atomic_bool waits;   /* for the end of the takeover window */
	atomic_bool give_up; /* that wait is to end */

	/* The operation's thread. */
	struct gw_toolstack inner;
	uint64_t number;     /* of the checkpoint in progress */
	uint64_t mark;	     /* position in the console where it begins */
	uint64_t start_ms;   /* when the domain was protected */
	bool held_back;	     /* the guest is paused until the backup has caught up */
	uint64_t stopped_ns; /* gw_clock_ns() when the guest stopped */
	uint64_t pause_ns;   /* for which the guest stood in this checkpoint */
	uint64_t worst_pause_ns;
	struct gw_protection_result result;
	bool undecided;
};

static struct protect_job *of_job(struct gw_job *job)
{
	return gw_container_of(job, struct protect_job, out.job);
}

/* The toolstack */

/* The vCPU's thread reports the stop, perhaps after it was noticed here. */
static void note_stop(struct protect_job *j, uint64_t asked_ns)
{
	uint64_t now = gw_clock_ns();
	uint64_t reported = atomic_load(&j->out.job.process->stopped_ns);

	j->stopped_ns = reported > asked_ns && reported < now ? reported : now;
}

/* The guest is stopped: what it prints from now on belongs to the next checkpoint. */
static int suspend(void *opaque, struct gw_error *err)
{
	struct protect_job *j = opaque;
	struct gw_process *p = j->out.job.process;
	uint64_t asked = gw_clock_ns();

	if (j->inner.suspend(j->inner.owner, err) < 0)
		return -1;
	note_stop(j, asked);
	j->mark = gw_console_hold(p->console);
	return gw_output_hook(p, j->hook, "plug", ++j->number, err);
}

static int postcopy(void *opaque, struct gw_error *err)
{
	struct protect_job *j = opaque;

	if (j->inner.postcopy(j->inner.owner, err) < 0)
		return -1;
	j->pause_ns = gw_clock_ns() - j->stopped_ns;
	return 0;
}

static bool is_over(void *opaque)
{
	struct protect_job *j = opaque;

	if (j->until_ms && j->start_ms && gw_clock_ms() - j->start_ms >= j->until_ms)
		return true;
	return atomic_load(&j->over);
}

static int next_checkpoint(void *opaque, struct gw_error *err)
{
	return is_over(opaque) ? GW_CHECKPOINT_STOP : GW_CHECKPOINT_GO_ON;
}

/* The protector */

static void post_checkpoint(struct protect_job *j, const struct gw_checkpoint *c)
{
	j->worst_pause_ns = GW_MAX(j->worst_pause_ns, j->pause_ns);
	gw_job_post_some(
		&j->out.job,
		json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:I}",
			  "event", "checkpoint", "number", (json_int_t)c->number, "pages",
			  (json_int_t)c->pages, "bytes", (json_int_t)c->bytes, "pause_ns",
			  (json_int_t)j->pause_ns, "suspend_ns", (json_int_t)c->suspend_ns,
			  "memory_ns", (json_int_t)c->memory_ns, "state_ns",
			  (json_int_t)c->state_ns, "resume_ns", (json_int_t)c->resume_ns, "aside",
			  c->aside, "send_ns", (json_int_t)c->send_ns, "store_ns",
			  (json_int_t)c->store_ns, "apply_ns", (json_int_t)c->apply_ns),
		EVENTS_MAX);
}

static int let_go(struct protect_job *j, struct gw_error *err)
{
	if (!j->held_back)
		return 0;
	j->held_back = false;
	return gw_control_unpause(j->out.job.process->domain->control, err);
}

static int stored(void *opaque, const struct gw_checkpoint *c, struct gw_error *err)
{
	struct protect_job *j = opaque;
	struct gw_process *p = j->out.job.process;

	gw_process_set_protection(p, GW_PRIMARY, j->peer, c->number, c->begun_ns);
	atomic_store(&j->counts, true);
	gw_console_release(p->console, j->mark);
	if (gw_output_hook(p, j->hook, "release", c->number, err) < 0)
		return -1;
	post_checkpoint(j, c);
	if (c->number == 1)
		j->start_ms = gw_clock_ms();
	return let_go(j, err);
}

/* --max-lag: the guest waits for the backup. */
static int behind(void *opaque, uint64_t ns, struct gw_error *err)
{
	struct protect_job *j = opaque;

	if (!j->max_lag_ms || j->held_back || ns < j->max_lag_ms * 1000000)
		return 0;
	if (gw_control_pause(j->out.job.process->domain->control, err) < 0)
		return -1;
	j->held_back = true;
	return 0;
}

/* The operation */

/* The backup may still run its copy: until it cannot begin to, nothing leaves. */
static void wait_out_window(struct protect_job *j)
{
	struct gw_process *p = j->out.job.process;

	gw_logf(&p->args.log, GW_LOG_WARNING,
		"the backup %s is lost: the domain runs on, and its output waits until the backup cannot take over any more",
		j->peer);
	atomic_store(&j->waits, true);
	while (gw_protect_clock_ns() < j->result.safe_ns && !atomic_load(&j->give_up))
		gw_cancel_wait(NULL, -1, 0, WAIT_MS, NULL);
	j->undecided = atomic_load(&j->give_up);
}

static int lost(struct protect_job *j, struct gw_error *err)
{
	struct gw_job *job = &j->out.job;
	struct gw_error why = GW_ERROR_INIT;

	j->undecided = j->stop_on_loss;
	if (!j->undecided) {
		if (gw_domain_toolstack_undo(&job->toolstack, &why) == 0)
			wait_out_window(j);
		else
			j->undecided = true;
	}
	if (j->undecided && gw_domain_toolstack_pause(&job->toolstack, &why) < 0)
		return gw_fail_in(err, "the domain cannot be paused (%s)", why.text);
	return -1;
}

static int run_protect(struct gw_job *job, struct gw_error *err)
{
	struct protect_job *j = of_job(job);
	struct gw_process *p = job->process;
	struct gw_toolstack table;
	struct gw_save_args args;
	const struct gw_migration_offer offer = {
		.id = p->migration,
		.config = p->config.text,
		.config_len = p->config.text_len,
		.live = true,
		.silence_ms = j->out.silence_ms,
	};
	const struct gw_protector protector = {
		.opaque = j,
		.interval_ms = j->interval_ms,
		.copy_limit = j->copy_limit,
		.over = is_over,
		.stored = stored,
		.behind = behind,
	};
	struct gw_error own = GW_ERROR_INIT;
	int rc;

	if (gw_wanted_tls_begin(&j->tls, job, err) < 0)
		return -1;
	args = gw_outgoing_save_args(&j->out, &j->inner);
	table = j->inner;
	table.owner = j;
	table.suspend = suspend;
	table.postcopy = postcopy;
	table.throttle = NULL;
	table.checkpoint = next_checkpoint;
	args.toolstack = &table;
	rc = gw_protect_send(job->ch, &offer, &args, &protector, job->running, &job->report,
			     &j->result, err);
	let_go(j, &own);
	return j->result.end == GW_PROTECTION_LOST ? lost(j, err) : rc;
}

/* The end, in the main thread */

void gw_protect_let_out(struct gw_process *p)
{
	struct gw_error err = GW_ERROR_INIT;

	gw_process_set_protection(p, GW_UNPROTECTED, NULL, 0, 0);
	gw_console_unhold(p->console);
	if (gw_output_hook(p, p->output_hook, "end", 0, &err) < 0)
		gw_logf(&p->args.log, GW_LOG_ERROR, "the guest's output may be held back: %s",
			err.text);
	free(p->output_hook);
	p->output_hook = NULL;
}

static json_t *summary(const struct protect_job *j)
{
	return json_pack("{s:I, s:I}", "checkpoints", (json_int_t)j->result.checkpoints,
			 "worst_pause_ns", (json_int_t)j->worst_pause_ns);
}

static void conclude_undecided(struct protect_job *j, struct gw_error *err)
{
	struct gw_process *p = j->out.job.process;

	p->stopped = j->out.job.toolstack;
	p->output_hook = GW_STEAL(j->hook);
	atomic_store(&p->phase, GW_PHASE_UNDECIDED);
	gw_fail_more(
		err,
		"; the domain stays paused here, because the backup may run its copy: look there, then decide on one side (\"godwit resume --claim\" or \"godwit destroy\")");
	gw_logf(&p->args.log, GW_LOG_ERROR, "%s", err->text);
	gw_session_fail(j->out.job.owner, "protect", err);
}

/* The domain is here alone, protected by nobody. */
static void conclude_here(struct protect_job *j, int ret, struct gw_error *err)
{
	struct gw_job *job = &j->out.job;
	struct gw_process *p = job->process;
	struct gw_error why = GW_ERROR_INIT;

	p->output_hook = GW_STEAL(j->hook);
	gw_protect_let_out(p);
	gw_process_set_migration(p, NULL, GW_SIDE_SOURCE);
	if (gw_process_is_gone(p, &why)) {
		gw_session_fail(job->owner, "protect", &why);
		return;
	}
	if (gw_domain_toolstack_undo(&job->toolstack, &why) < 0) {
		gw_logf(&p->args.log, GW_LOG_ERROR, "the domain cannot be resumed: %s", why.text);
		gw_fail(err, GW_SYSTEM, "the protection has ended");
		gw_fail_in(err, "the domain stays here, but cannot be resumed (%s)", why.text);
		ret = -1;
	} else if (ret < 0) {
		gw_fail_more(err, "; the domain runs on here, unprotected");
		gw_logf(&p->args.log, GW_LOG_WARNING, "%s", err->text);
	}
	if (ret < 0)
		gw_session_fail(job->owner, "protect", err);
	else
		gw_session_reply(job->owner, "protect", summary(j));
}

static void protect_done(struct gw_job *job, int ret, struct gw_error *err)
{
	struct protect_job *j = of_job(job);

	if (j->undecided)
		conclude_undecided(j, err);
	else
		conclude_here(j, ret, err);
}

static bool protect_cancel(struct gw_job *job)
{
	struct protect_job *j = of_job(job);

	atomic_store(&j->over, true);
	/* A guest that has shut down is no reason to let its last words leave too early. */
	if (atomic_load(&j->waits) && !atomic_load(&job->process->guest_ended))
		atomic_store(&j->give_up, true);
	return atomic_load(&j->counts);
}

static void protect_release(struct gw_job *job)
{
	struct protect_job *j = of_job(job);

	gw_wanted_tls_free(&j->tls);
	free(j->hook);
	free(j->peer);
}

static const struct gw_job_kind protect_kind = {
	.name = "protect",
	.state = "protecting",
	.channel = "the connection",
	.size = sizeof(struct protect_job),
	.run = run_protect,
	.done = protect_done,
	.cancel = protect_cancel,
	.release = protect_release,
};

/* The request */

static int read_text(const json_t *message, const char *name, char **to, struct gw_error *err)
{
	const char *text = json_string_value(json_object_get(message, name));

	*to = text ? strdup(text) : NULL;
	if (text && !*to)
		return gw_fail(err, GW_NO_MEMORY, "%s: no memory", name);
	return 0;
}

static int read_options(struct protect_job *j, const json_t *message, struct gw_error *err)
{
	uint64_t interval = INTERVAL_MS;
	int silence = j->out.silence_ms ? j->out.silence_ms : GW_PROTECT_SILENCE_MS;

	j->copy_limit = GW_PROTECT_COPY_LIMIT;

	if (gw_option_number(message, "interval_ms", 3600000, &interval, err) < 0 ||
	    gw_option_number(message, "copy_limit", UINT64_C(1) << 40, &j->copy_limit, err) < 0 ||
	    gw_option_number(message, "max_lag_ms", 3600000, &j->max_lag_ms, err) < 0 ||
	    gw_option_number(message, "until_ms", UINT64_C(1) << 40, &j->until_ms, err) < 0 ||
	    gw_option_bool(message, "stop_on_loss", &j->stop_on_loss, err) < 0 ||
	    read_text(message, "output_hook", &j->hook, err) < 0 ||
	    read_text(message, "peer", &j->peer, err) < 0)
		return -1;
	if (!j->peer)
		return gw_fail(err, GW_USAGE, "peer: expected the address of the receiver");
	if (interval < INTERVAL_MIN_MS || interval > (uint64_t)silence / 2)
		return gw_fail(
			err, GW_USAGE,
			"an interval of %llu ms: expected %d ms or more, and at most half of the longest silence, %d ms",
			(unsigned long long)interval, INTERVAL_MIN_MS, silence / 2);
	j->interval_ms = (unsigned)interval;
	return 0;
}

int gw_protect_request(struct gw_process *p, struct gw_session *s, const json_t *message,
		       struct gw_error *err)
{
	struct gw_migration_id id;
	struct gw_outgoing *out;

	if (p->paused)
		return gw_fail(err, GW_REFUSED, "the domain is paused: resume it first");
	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return gw_fail_errno(err, "random bytes for a protection's id");
	out = gw_outgoing_new(p, s, message, &protect_kind, err);
	if (!out)
		return -1;
	if (read_options(of_job(&out->job), message, err) < 0 ||
	    gw_wanted_tls_read(&of_job(&out->job)->tls, message, err) < 0) {
		gw_job_free(&out->job);
		return -1;
	}
	gw_process_set_migration(p, &id, GW_SIDE_SOURCE);
	if (gw_job_start(&out->job, err) == 0)
		return 0;
	gw_process_set_migration(p, NULL, GW_SIDE_SOURCE);
	return -1;
}
