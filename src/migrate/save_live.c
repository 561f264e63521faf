/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The live passes of a save: each is measured, then the policy (precopy.c) and the domain's owner
 * decide what comes next.
 */
#include "migrate/save_internal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "hypervisor/domain.h"

/* The part of the downtime that does not depend on the dirty pages. */
static uint64_t fixed_ns(const struct gw_save *s)
{
	struct gw_precopy_cost cost = s->args->cost;

	gw_for_each_layer (l, s)
		if (l->handover_ns) {
			cost.has_receiver = true;
			cost.handover_ns += l->handover_ns(l->opaque);
		}
	return gw_precopy_fixed_ns(&cost);
}

/* Runs one live pass and measures it for the policy. */
static int live_pass(struct gw_save *s, uint64_t nr_due, struct gw_error *err)
{
	uint64_t start = gw_clock_ns(), dirty = 0, wall;
	struct gw_precopy_round *passes =
		reallocarray(s->passes, s->nr_passes + 1, sizeof(*passes));

	if (!passes)
		return gw_fail(err, GW_NO_MEMORY, "memory for the measurements of a pass");
	s->passes = passes;
	if (gw_save_round(s, GW_STAGE_MEMORY, nr_due, false, err) < 0 ||
	    gw_domain_logdirty_peek(s->domain, &dirty, err) < 0)
		return -1;
	s->known_dirty = dirty + s->nr_deferred;
	wall = gw_clock_ns() - start;
	passes[s->nr_passes++] = (struct gw_precopy_round){
		.pages = s->round_pages,
		.bytes = s->round_bytes,
		.wall_ns = wall,
		.busy_ns = wall > s->round_waited_ns ? wall - s->round_waited_ns : 0,
		.due = nr_due,
		.dirty = s->known_dirty,
		.fixed_ns = fixed_ns(s),
		.throttle = s->throttle,
	};
	return 0;
}

/* The verdict goes to the progress, the log and the trace. */
static void tell(struct gw_save *s, const struct gw_precopy_verdict *v)
{
	const struct gw_precopy_round *last = &s->passes[s->nr_passes - 1];
	const char *reason = gw_stop_reason_name(v->reason);
	bool known = v->expected_downtime_ns != UINT64_MAX;

	s->progress.expected_downtime_ns = known ? v->expected_downtime_ns : 0;
	if (last->wall_ns > 0)
		s->progress.dirty_per_s =
			(uint64_t)((double)last->dirty * 1e9 / (double)last->wall_ns);
	gw_save_progress(s, true);
	gw_logf(&s->toolstack.log, GW_LOG_INFO,
		"live pass %u: %llu pages sent, %llu written meanwhile, expected downtime %.1f ms of %u: %s%s%s",
		s->nr_passes, (unsigned long long)last->pages, (unsigned long long)last->dirty,
		known ? (double)v->expected_downtime_ns / 1e6 : -1.0,
		gw_precopy_target_ms(&s->args->precopy), gw_precopy_action_name(v->action),
		reason ? ", " : "", reason ? reason : "");
	if (s->args->decided)
		s->args->decided(s->args->decided_opaque, s->nr_passes - 1, last, v);
}

static int slow_down(struct gw_save *s, unsigned percent, struct gw_error *err)
{
	const struct gw_toolstack *ts = &s->toolstack;

	if (ts->throttle(ts->owner, percent, err) < 0)
		return gw_fail_in(err, "slowing the vCPUs by %u %%", percent);
	s->throttle = s->progress.throttle = percent;
	s->report->throttle = GW_MAX(s->report->throttle, percent);
	gw_logf(&s->toolstack.log, GW_LOG_WARNING,
		"the guest writes faster than its memory can be sent: its vCPUs are slowed by %u %%",
		percent);
	return 0;
}

static int give_up(const struct gw_save *s, struct gw_error *err)
{
	const struct gw_precopy_round *last = &s->passes[s->nr_passes - 1];

	return gw_fail(
		err, GW_GUEST,
		"the guest writes faster than its memory can be sent, and the save was asked to give up then: %llu pages were due in live pass %u, and %llu are due after it",
		(unsigned long long)last->due, s->nr_passes, (unsigned long long)last->dirty);
}

static enum gw_precopy_decision advice_of(const struct gw_precopy_verdict *v)
{
	if (v->action == GW_PRECOPY_GIVE_UP)
		return GW_PRECOPY_ABORT;
	return v->action == GW_PRECOPY_SWITCH_OVER ? GW_PRECOPY_STOP : GW_PRECOPY_CONTINUE;
}

static int ask_owner(struct gw_save *s, const struct gw_precopy_verdict *v, struct gw_error *err)
{
	const struct gw_precopy_round *last = &s->passes[s->nr_passes - 1];
	const struct gw_toolstack *ts = &s->toolstack;
	struct gw_precopy_stats stats = {
		.iteration = s->nr_passes,
		.total_written = s->report->pages,
		.dirty_count = last->dirty,
		.last_due = last->due,
		.bytes_per_s = v->bytes_per_s,
		.expected_downtime_ns = v->expected_downtime_ns,
		.advice = advice_of(v),
	};

	return ts->precopy_policy(ts->owner, &stats, err);
}

/* Decides what comes after a pass. 1: the suspend, 0: another live pass, -1. */
static int decide(struct gw_save *s, struct gw_error *err)
{
	struct gw_precopy_verdict v = gw_precopy_decide(&s->args->precopy, s->passes, s->nr_passes);
	int decision;

	tell(s, &v);
	decision = ask_owner(s, &v, err);
	if (decision == GW_PRECOPY_CONTINUE)
		return v.action == GW_PRECOPY_SLOW_DOWN ? slow_down(s, v.throttle, err) : 0;
	if (decision != GW_PRECOPY_STOP && v.action == GW_PRECOPY_GIVE_UP)
		return give_up(s, err);
	if (decision != GW_PRECOPY_STOP)
		return gw_fail(err, GW_CANCELLED, "the toolstack ended the save after live pass %u",
			       s->nr_passes);
	s->report->stopped_by = v.action == GW_PRECOPY_SWITCH_OVER ? v.reason : GW_STOP_TOOLSTACK;
	s->report->expected_downtime_ns = v.expected_downtime_ns;
	return 1;
}

int gw_save_live(struct gw_save *s, struct gw_error *err)
{
	uint64_t nr_due;

	s->report->target_downtime_ns = gw_precopy_target_ms(&s->args->precopy) * UINT64_C(1000000);
	if (gw_save_make_all_due(s, &nr_due, err) < 0)
		return -1;
	for (;;) {
		int stop;

		if (live_pass(s, nr_due, err) < 0)
			return -1;
		stop = decide(s, err);
		if (stop != 0)
			return stop < 0 ? -1 : 0;
		if (gw_save_fetch_dirty(s, &nr_due, err) < 0)
			return -1;
	}
}

int gw_save_check_throttle(struct gw_save *s, struct gw_error *err)
{
	const struct gw_toolstack *ts = &s->toolstack;

	if (!s->live || s->args->precopy.on_stall != GW_ON_STALL_THROTTLE)
		return 0;
	return ts->throttle(ts->owner, 0, err);
}
