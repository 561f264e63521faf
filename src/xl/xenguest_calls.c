/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The toolstack tables of libgodwit-xenguest: each entry is a callback of Xen's save_callbacks or
 * restore_callbacks. They mean what libxc makes of them.
 */
#include "base/util.h"
#include "hypervisor/domain.h"
#include "xl/xenguest_state.h"

#define CALLER "the caller" /* who answers */

static int suspend(void *owner, struct gw_error *err)
{
	struct gw_xenguest *g = owner;
	int answer = g->save->suspend(g->save->data);

	g->suspended |= answer > 0;
	return gw_libxc_save_answer(answer, CALLER, "suspend", err);
}

static int resume(void *owner, struct gw_error *err)
{
	struct gw_xenguest *g = owner;

	if (gw_libxc_save_answer(g->save->postcopy(g->save->data), CALLER, "resume", err) < 0)
		return -1;
	g->suspended = false;
	return 0;
}

static int checkpoint(void *owner, struct gw_error *err)
{
	const struct gw_xenguest *g = owner;

	return g->save->checkpoint(g->save->data) > 0 ? GW_CHECKPOINT_GO_ON : GW_CHECKPOINT_STOP;
}

static int wait_checkpoint(void *owner, struct gw_error *err)
{
	const struct gw_xenguest *g = owner;

	return g->save->wait_checkpoint(g->save->data) > 0 ? GW_CHECKPOINT_GO_ON
							   : GW_CHECKPOINT_STOP;
}

static enum gw_precopy_decision ask_policy(const struct gw_xenguest *g, struct precopy_stats stats)
{
	int answer = g->save->precopy_policy(stats, g->save->data);

	if (answer == XGS_POLICY_CONTINUE_PRECOPY)
		return GW_PRECOPY_CONTINUE;
	return answer < 0 ? GW_PRECOPY_ABORT : GW_PRECOPY_STOP;
}

/* libxc asks twice after a pass: before it counts the dirty pages, and with their number. */
static int callers_policy(void *owner, const struct gw_precopy_stats *stats, struct gw_error *err)
{
	const struct gw_xenguest *g = owner;
	struct precopy_stats s = {
		.iteration = stats->iteration,
		.total_written = stats->total_written,
		.dirty_count = -1,
	};
	enum gw_precopy_decision decision;

	if (g->stop_early)
		return GW_PRECOPY_STOP;
	decision = ask_policy(g, s);
	if (decision != GW_PRECOPY_CONTINUE)
		return decision;
	s.dirty_count = (long)stats->dirty_count;
	return ask_policy(g, s);
}

static int libxcs_policy(void *owner, const struct gw_precopy_stats *stats, struct gw_error *err)
{
	return gw_libxc_precopy(stats);
}

int gw_xenguest_first_decision(struct gw_xenguest *g, struct gw_error *err)
{
	struct precopy_stats s = {0};
	enum gw_precopy_decision decision;
	uint64_t nr;

	if (!g->save->precopy_policy)
		return 0;
	if (gw_domain_nr_pfns(g->domain, &nr, err) < 0)
		return -1;
	s.dirty_count = (long)nr;
	decision = ask_policy(g, s);
	g->stop_early = decision == GW_PRECOPY_STOP;
	if (decision != GW_PRECOPY_ABORT)
		return 0;
	return gw_fail(err, GW_CANCELLED, "the caller's precopy policy ended the save");
}

void gw_xenguest_save_table(struct gw_xenguest *g, struct gw_toolstack *table)
{
	const struct save_callbacks *calls = g->save;

	*table = (struct gw_toolstack){
		.head = GW_TABLE_HEAD(struct gw_toolstack),
		.owner = g,
		.log = gw_xenguest_log(g),
		.progress = gw_xenguest_progress,
		.suspend = calls->suspend ? suspend : NULL,
		.postcopy = calls->postcopy ? resume : NULL,
		.checkpoint = calls->checkpoint ? checkpoint : NULL,
		.wait_checkpoint = calls->wait_checkpoint ? wait_checkpoint : NULL,
		.precopy_policy = calls->precopy_policy ? callers_policy : libxcs_policy,
		.back_channel = g->back,
	};
}

static int suspend_secondary(void *owner, struct gw_error *err)
{
	const struct gw_xenguest *g = owner;

	return gw_libxc_restore_answer(g->restore->suspend(g->restore->data), CALLER,
				       "suspend the secondary", err);
}

static int run_secondary(void *owner, struct gw_error *err)
{
	const struct gw_xenguest *g = owner;

	return gw_libxc_restore_answer(g->restore->postcopy(g->restore->data), CALLER,
				       "run the secondary", err);
}

static int restore_checkpoint(void *owner, struct gw_error *err)
{
	const struct gw_xenguest *g = owner;
	int verdict = gw_libxc_restore_answer(g->restore->checkpoint(g->restore->data), CALLER,
					      "complete a checkpoint", err);

	return verdict == 0 ? GW_CHECKPOINT_GO_ON : verdict;
}

static int restore_wait(void *owner, struct gw_error *err)
{
	const struct gw_xenguest *g = owner;
	int verdict = gw_libxc_restore_answer(g->restore->wait_checkpoint(g->restore->data), CALLER,
					      "wait for a checkpoint", err);

	return verdict == 0 ? GW_CHECKPOINT_GO_ON : verdict;
}

static int static_data_done(void *owner, unsigned missing, struct gw_error *err)
{
	const struct gw_xenguest *g = owner;
	int answer = g->restore->static_data_done(missing, g->restore->data);

	if (answer == 0)
		return 0;
	return gw_fail(err, GW_REFUSED,
		       "the caller could not complete the static data (it answered %d)%s", answer,
		       missing & XGR_SDD_MISSING_CPUID ? ": the image has no CPUID policy" : "");
}

/* With COLO the caller needs them at every checkpoint. */
static int restore_results(void *owner, uint64_t store_gfn, uint64_t console_gfn,
			   struct gw_error *err)
{
	struct gw_xenguest *g = owner;

	g->store_gfn = store_gfn == GW_INVALID_PFN ? 0 : store_gfn;
	g->console_gfn = console_gfn == GW_INVALID_PFN ? 0 : console_gfn;
	if (g->stream_type == GW_STREAM_COLO && g->restore->restore_results)
		g->restore->restore_results(g->store_gfn, g->console_gfn, g->restore->data);
	return 0;
}

void gw_xenguest_restore_table(struct gw_xenguest *g, struct gw_toolstack *table)
{
	const struct restore_callbacks *calls = g->restore;

	*table = (struct gw_toolstack){
		.head = GW_TABLE_HEAD(struct gw_toolstack),
		.owner = g,
		.log = gw_xenguest_log(g),
		.progress = gw_xenguest_progress,
		.suspend = calls->suspend ? suspend_secondary : NULL,
		.postcopy = calls->postcopy ? run_secondary : NULL,
		.checkpoint = calls->checkpoint ? restore_checkpoint : NULL,
		.wait_checkpoint = calls->wait_checkpoint ? restore_wait : NULL,
		.static_data_done = calls->static_data_done ? static_data_done : NULL,
		.restore_results = restore_results,
		.back_channel = g->back,
	};
}
