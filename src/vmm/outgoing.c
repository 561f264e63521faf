/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Jobs that save the domain to a client's descriptor: converts the request to the arguments of the
 * engine.
 */
#include "vmm/outgoing.h"

#include <unistd.h>

#include "base/util.h"
#include "hypervisor/control.h"
#include "migrate/trace.h"
#include "vmm/options.h"

static int read_on_stall(const json_t *message, struct gw_precopy *precopy, struct gw_error *err)
{
	const json_t *member = json_object_get(message, "on_stall");

	if (!member || gw_on_stall_from_name(json_string_value(member), &precopy->on_stall))
		return 0;
	return gw_fail(err, GW_USAGE, "on_stall: expected switch, abort or throttle");
}

static int read_options(struct gw_outgoing *out, const json_t *message, bool *allow_loss,
			struct gw_error *err)
{
	struct gw_domain_toolstack *toolstack = &out->job.toolstack;
	uint64_t suspend_ms = GW_SUSPEND_TIMEOUT_MS, downtime = 0, rounds = 0, silence = 0;

	if (gw_option_bool(message, "live", &out->live, err) < 0 ||
	    gw_option_bool(message, "static_only", &out->static_only, err) < 0 ||
	    gw_option_bool(message, "force_pause", &toolstack->force, err) < 0 ||
	    gw_option_bool(message, "allow_forced", &toolstack->may_force, err) < 0 ||
	    gw_option_bool(message, "allow_loss", allow_loss, err) < 0 ||
	    gw_option_bool(message, "trace", &out->trace, err) < 0 ||
	    read_on_stall(message, &out->precopy, err) < 0 ||
	    gw_option_number(message, "suspend_timeout_ms", 3600000, &suspend_ms, err) < 0 ||
	    gw_option_number(message, "downtime_ms", 3600000, &downtime, err) < 0 ||
	    gw_option_number(message, "timeout_ms", UINT64_C(1) << 40, &out->precopy.timeout_ms,
			     err) < 0 ||
	    gw_option_number(message, "max_rounds", 1000000, &rounds, err) < 0 ||
	    gw_option_number(message, "silence_ms", 86400000, &silence, err) < 0 ||
	    gw_option_number(message, "bandwidth", UINT64_C(1) << 60, &out->precopy.bandwidth,
			     err) < 0)
		return -1;
	toolstack->suspend_timeout_ms = (int)suspend_ms;
	out->silence_ms = (int)silence;
	out->precopy.downtime_ms = (unsigned)downtime;
	out->precopy.max_rounds = (unsigned)rounds;
	return 0;
}

/* Before it suspends, a PV guest writes pfns in the place of frame numbers (start_info): an image
 * without that cannot be restored. */
static int check_suspend(const struct gw_process *p, const struct gw_domain_toolstack *toolstack,
			 struct gw_error *err)
{
	if (!toolstack->force || p->config.type != GW_GUEST_X86_PV)
		return 0;
	return gw_fail(
		err, GW_REFUSED,
		"a PV guest has to suspend itself: paused by force, it could not be restored");
}

/* Xen restores a guest of type hvm only with its device model's state, and godwit has no device
 * model: that of the image the domain came from is right as long as the guest did not run. */
static int check_loss(const struct gw_process *p, bool allow_loss, struct gw_error *err)
{
	const struct gw_config *config = &p->config;

	if (allow_loss)
		return 0;
	if (p->emulator.records.len && p->has_run)
		return gw_fail(
			err, GW_REFUSED,
			"the guest has run here without its device model, whose state is that of the image it came from: --allow-loss sends that state");
	if (config->type == GW_GUEST_X86_HVM && !config->pvh && !config->stubdom &&
	    !p->emulator.has_context)
		return gw_fail(
			err, GW_REFUSED,
			"the guest is of type hvm and came without the state of its device model: Xen cannot restore it; --allow-loss goes on all the same");
	return 0;
}

/* A hypervisor that cannot slow a guest is named before anything begins. */
static int check_throttle(const struct gw_process *p, const struct gw_outgoing *out,
			  struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;

	if (!out->live || out->precopy.on_stall != GW_ON_STALL_THROTTLE ||
	    gw_control_throttle(p->domain->control, 0, &why) == 0)
		return 0;
	return gw_fail(err, why.code, "throttle: %s: %s", p->host->ops->name, why.text);
}

struct gw_outgoing *gw_outgoing_new(struct gw_process *p, struct gw_session *s,
				    const json_t *message, const struct gw_job_kind *kind,
				    struct gw_error *err)
{
	int fd = gw_conn_take_fd(&s->conn);
	struct gw_outgoing *out;
	struct gw_channel *ch;
	struct gw_job *job;
	bool allow_loss = false;

	if (fd < 0) {
		if (s->conn.fds_lost)
			gw_fail(err, GW_SYSTEM,
				"%s: the process of the domain has too many open files to take another",
				kind->name);
		else
			gw_fail(err, GW_USAGE, "%s: no descriptor came with the request",
				kind->name);
		return NULL;
	}
	ch = gw_channel_from_fd(fd, true, kind->channel, err);
	if (!ch) {
		close(fd);
		return NULL;
	}
	job = gw_job_new(p, kind, ch, err);
	if (!job)
		return NULL;
	job->owner = s;
	out = gw_container_of(job, struct gw_outgoing, job);
	if (read_options(out, message, &allow_loss, err) == 0 &&
	    check_suspend(p, &job->toolstack, err) == 0 && check_throttle(p, out, err) == 0 &&
	    (out->static_only || check_loss(p, allow_loss, err) == 0))
		return out;
	gw_job_free(job);
	return NULL;
}

static void on_decided(void *opaque, unsigned number, const struct gw_precopy_round *pass,
		       const struct gw_precopy_verdict *verdict)
{
	struct gw_outgoing *out = opaque;
	json_t *line = gw_trace_pass_json(number, pass, verdict);

	json_object_set_new(line, "event", json_string("trace"));
	gw_job_post(&out->job, line);
}

/* The first line of the trace. */
static void post_policy(struct gw_outgoing *out)
{
	json_t *line = gw_trace_policy_json(&out->precopy);

	json_object_set_new(line, "event", json_string("trace"));
	gw_job_post(&out->job, line);
}

struct gw_save_args gw_outgoing_save_args(struct gw_outgoing *out, struct gw_toolstack *toolstack)
{
	gw_job_init_toolstack(&out->job, toolstack);
	if (out->trace && out->live)
		post_policy(out);
	return (struct gw_save_args){
		.domain = out->job.process->domain,
		.toolstack = toolstack,
		.op = out->job.running,
		.cancel = gw_job_cancel_token(&out->job),
		.live = out->live,
		.static_only = out->static_only,
		.precopy = out->precopy,
		.cost = out->job.process->cost,
		.decided = out->trace ? on_decided : NULL,
		.decided_opaque = out,
		.emulator = &out->job.process->emulator,
	};
}

void gw_outgoing_note_cost(const struct gw_outgoing *out)
{
	const struct gw_report *r = &out->job.report;
	struct gw_precopy_cost *cost = &out->job.process->cost;

	if (r->pause_ns > 0)
		cost->suspend_ns = r->pause_ns;
	if (r->device_state_ns > 0)
		cost->state_ns = r->device_state_ns;
}

json_t *gw_outgoing_reply(const struct gw_outgoing *out)
{
	json_t *reply = gw_job_report_json(&out->job);

	json_object_set_new(reply, "forced", json_boolean(out->job.toolstack.forced));
	return reply;
}
